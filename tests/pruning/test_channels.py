"""Surgery on whole channels: its equations, what goes together, and that what is cut contributes nothing."""

import keras
import numpy as np
import pytest
from keras import layers

from tests.reference import surgery as reference
from tests.reference.small_networks import ALWAYS, OPTIMIZERS, RNG, W, X, Y, fit, network
from tfxai3d.errors import UserError
from tfxai3d.pruning import (
    DynamicNetworkSurgery,
    KeepZeros,
    PruneAndRegrow,
    prune_magnitude,
    remove_dead_channels,
)
from tfxai3d.pruning.shrink.groups import channel_groups


def makers(model):
    return {v.path: v for v in model.trainable_variables if v.name == "kernel"}


# --- equations


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fifty_steps_equal_the_equations(float64, name):
    batches = [(X[i : i + 8], Y[i : i + 8]) for i in range(0, len(X), 8)]
    weights, mask, spliced = reference.run_channels(batches, W, name, c=-1.2)
    assert 0 < mask.sum() < 10
    assert spliced > 0
    model = network(OPTIMIZERS[name]())
    surgery = DynamicNetworkSurgery(c_rate=-1.2, structure="channel", log_layers=True, **ALWAYS)
    logs = fit(model, surgery)
    np.testing.assert_array_equal(surgery.masks["first/kernel"], mask)
    np.testing.assert_allclose(surgery.dense_weights["second/kernel"], weights[1], atol=1e-6)
    for got, expected in zip(model.get_weights(), [weights[0], weights[1] * mask[:, None]], strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-6)
    assert logs["spliced/first/kernel"] == [pytest.approx(spliced / 50)]
    assert logs["left"] == [mask.sum() / 10]


def regrown(weights, gradients, mask, fraction):
    """One round, channel by channel: the mask after it."""
    squares = [sum(g[k] ** 2 for g in gradients) for k in range(10)]
    worth = {k: sum(weights[k] ** 2 * squares[k]) for k in np.flatnonzero(mask)}
    cut = sorted(worth, key=worth.get)[: int(fraction * len(worth))]
    promise = {k: sum(sum(g[k] for g in gradients) ** 2 / squares[k]) for k in np.flatnonzero(~mask)}
    grown = sorted(promise, key=promise.get)[len(promise) - len(cut) :]
    after = mask.copy()
    after[cut], after[grown] = False, True
    return after


def test_channels_regrow_by_the_equations(float64):
    left = np.arange(10) % 2 == 0
    weights = [W[0], W[1] * left[:, None]]
    model, callback = network(keras.optimizers.SGD(0.01)), PruneAndRegrow(1, 0.5, structure="channel")
    model.set_weights(weights)
    fit(model, callback, steps=6)
    gradients, step = [], reference.Optimizer("sgd", 0.01)
    for start in range(0, 48, 8):
        slopes = reference.gradients(X[start : start + 8], Y[start : start + 8], weights)
        gradients.append(slopes[1])
        weights = [step(weights[0], slopes[0]), step(weights[1], slopes[1]) * left[:, None]]
    mask = regrown(weights[1], gradients, left, 0.5)
    assert (mask & ~left).sum() == 2
    np.testing.assert_array_equal(callback.masks["first/kernel"], mask)
    got = model.get_weights()
    np.testing.assert_allclose(got[0], weights[0], rtol=1e-6)
    np.testing.assert_allclose(got[1], weights[1] * mask[:, None], rtol=1e-6)


def test_a_cut_channel_comes_back_through_batch_norm_and_relu(float64):
    """The truth needs one channel, whose weight is the smallest: it is cut, grows, and is spliced."""
    rng = np.random.default_rng(0)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(3, use_bias=False, kernel_initializer="identity", name="first"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dense(1, use_bias=False, name="second"),
        ]
    )
    model.layers[-1].set_weights([np.array([[0.5], [0.4], [0.1]])])
    model.compile(keras.optimizers.SGD(0.02), "mse", jit_compile=False)
    surgery = DynamicNetworkSurgery(target=0.34, frequency=1, structure="channel")
    x = rng.normal(size=(512, 4))
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(surgery.masks["first/kernel"].tolist())

    y = 3 * np.maximum(x[:, 2:3], 0)
    model.fit(x, y, 32, 3, 0, callbacks=[surgery, Watch()])
    assert seen[0] == [True, False, False]
    assert seen[-1] == [False, False, True]
    assert model.get_weights()[-1][2, 0] > 0.4


@pytest.mark.parametrize(
    ("importance", "scope"), [("magnitude", "layer"), ("lamp", "global"), ("gradient", "global")]
)
def test_the_share_of_channels_left_is_the_target(float64, scope, importance):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((6,)), layers.Dense(12, "tanh"), layers.Dense(8, "tanh"), layers.Dense(3)]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=False)
    surgery = DynamicNetworkSurgery(target=0.5, scope=scope, importance=importance, structure="channel")
    assert fit(model, surgery, steps=15)["left"] == [0.5]
    if scope == "layer":
        assert surgery.left().tolist() == [6, 4]
    small = remove_dead_channels(model)
    assert [layer.units for layer in small.layers[-3:]] == [*surgery.left(), 3]
    np.testing.assert_allclose(small(X), model(X), atol=1e-12)


def test_importance_from_gradients_keeps_the_channel_that_matters(float64):
    """Channel 0 has the largest weight and is always 0; of the others only one moves the output."""
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2, use_bias=False), layers.Dense(1)])
    model.set_weights([np.array([[0.0, 1.0], [0.0, 0.0]]), np.array([[9.0], [1.0]]), np.zeros(1)])
    model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=False)
    surgery = DynamicNetworkSurgery(target=0.5, importance="gradient", structure="channel")
    model.fit(X[:8, :2], Y[:8, :1], 8, callbacks=[surgery], verbose=0)
    assert next(iter(surgery.masks.values())).tolist() == [False, True]


# --- what goes together


def test_sums_and_concatenations_tie_channels_and_unknown_readers_keep_them():
    inputs = keras.Input((3,))
    a = layers.Dense(4, "relu", name="a")(inputs)
    total = layers.Add()([a, layers.Dense(4, name="b")(a)])
    c = layers.Dense(2, name="c")(total)
    both = layers.Concatenate()([total, c])
    d = layers.LayerNormalization()(layers.Dense(5, name="d")(both))
    model = keras.Model(inputs, layers.Dense(2, name="out")(d))
    groups = channel_groups(model, makers(model))
    assert groups.counts == {"a/kernel": 4, "c/kernel": 2}  # d is normalised over its channels
    rows = dict(zip([v.path for v in groups.readers], groups.rows, strict=True))
    assert {path: list(r) for path, r in rows.items()} == {
        "b/kernel": [0, 1, 2, 3], "c/kernel": [0, 1, 2, 3], "d/kernel": [0, 1, 2, 3, 4, 5]
    }  # fmt: skip
    without_b = {path: v for path, v in makers(model).items() if path != "b/kernel"}
    assert channel_groups(model, without_b).counts == {"c/kernel": 2}


def test_residual_channels_are_cut_from_all_their_readers():
    x = inputs = keras.Input((6, 6, 1))
    x = layers.Conv2D(4, 3, padding="same", name="stem")(x)
    for i in range(2):
        y = layers.Activation("elu")(layers.BatchNormalization()(x))
        x = layers.Add()([x, layers.Conv2D(4, 3, padding="same", use_bias=False, name=f"block{i}")(y)])
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    prune_magnitude(model, 0.5, structure="channel")
    small = remove_dead_channels(model)
    assert [small.get_layer(name).filters for name in ("stem", "block0", "block1")] == [2, 2, 2]
    grids = RNG.normal(size=(2, 6, 6, 1))
    np.testing.assert_allclose(small(grids), model(grids), atol=1e-5)


@pytest.mark.parametrize("training", [False, True])
def test_nothing_of_a_cut_channel_leaks(training):
    """Whatever bias, normalisation and activation make of it, also at zero-padded borders."""
    model = keras.Sequential(
        [
            keras.Input((5, 5, 2)),
            layers.Conv2D(6, 3, padding="same", name="first"),
            layers.BatchNormalization(name="norm"),
            layers.Activation("sigmoid"),
            layers.Conv2D(3, 3, padding="same", name="second"),
        ]
    )
    prune_magnitude(model, 0.5, structure="channel")
    cut = ~model.get_layer("second").kernel.numpy().any(axis=(0, 1, 3))
    assert cut.sum() == 3
    grids = RNG.normal(size=(4, 5, 5, 2))
    expected = model(grids, training=training).numpy()
    for variable in [*model.get_layer("norm").weights, *model.get_layer("first").weights]:
        variable.assign(np.where(cut, np.abs(RNG.normal(size=variable.shape)), variable))
    np.testing.assert_array_equal(model(grids, training=training), expected)
    small = remove_dead_channels(model)
    assert small.get_layer("first").filters == 3
    np.testing.assert_allclose(small(grids, training=training), expected, atol=1e-5)


def test_zeros_of_channels_are_kept():
    model = network("adam")
    prune_magnitude(model, 0.3, structure="channel")
    fit(model, KeepZeros(structure="channel"), steps=10)
    assert model.get_weights()[1].any(axis=1).sum() == 3
    assert model.get_weights()[0].all()


# --- mistakes


def test_what_cannot_be_cut_is_said():
    model = network("adam")
    with pytest.raises(UserError, match="leave biases=True away"):
        prune_magnitude(model, 0.5, structure="channel", biases=True)
    with pytest.raises(UserError, match="structure 'filter': must be one of weight, channel"):
        prune_magnitude(model, 0.5, structure="filter")
    with pytest.raises(UserError, match="no channels that can be cut"):
        prune_magnitude(model, 0.5, structure="channel", exclude=["first"])
