"""Smaller networks, same outputs: on random networks, at the borders, and on the networks of this library."""

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers

from tfxai3d.errors import UserError
from tfxai3d.models import VRN, PointNet, PointNet2, ResNet3D
from tfxai3d.pruning import remove_dead_channels


def spoil(model, seed, dead=0.6):
    """Gives a model random weights everywhere and takes whole filters from most layers."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        shape = variable.shape
        if variable.name in ("gamma", "moving_variance"):
            variable.assign(rng.uniform(0.5, 1.5, shape))
        elif "seed" not in variable.name:
            filters = rng.random(shape[-1]) >= dead if len(shape) > 1 else 1.0
            variable.assign(rng.normal(size=shape) * filters * (0.3 if len(shape) == 1 else 1.0))
    return model


def check(model, x, smaller=True):
    small = remove_dead_channels(model)
    expected, got = (keras.ops.convert_to_numpy(net(x, training=False)) for net in (model, small))
    scale = np.abs(expected).max() + 1
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-10 * scale)
    assert (small.count_params() < model.count_params()) == smaller
    return small


BLOCKS = st.lists(
    st.sampled_from(
        ["dense", "conv", "valid", "strided", "norm", "relu", "elu", "sigmoid", "pool", "average", "dropout",
         "residual", "sum", "join", "twice", "nested", "unknown", "padding"]
    ),
    min_size=2,
    max_size=6,
)  # fmt: skip


def grow(x, kind, rng, rank):
    """Adds a block to a network over grids of some rank."""
    conv = {1: layers.Conv1D, 2: layers.Conv2D, 3: layers.Conv3D}[rank]
    width, bias = int(rng.integers(2, 6)), bool(rng.integers(2))
    name = f"{rank}D"
    if kind == "dense":
        return layers.Dense(width, "elu", use_bias=bias)(x)
    if kind == "conv":
        return conv(width, 3, padding="same", use_bias=bias)(x)
    if kind == "valid":
        return conv(width, 2, use_bias=bias, activation="relu")(layers.Dense(width, "sigmoid")(x))
    if kind == "strided":
        return conv(width, 3, 2, "same", activation="softplus")(x)
    if kind == "norm":
        return layers.BatchNormalization()(x)
    if kind in ("relu", "elu", "sigmoid"):
        return layers.Activation(kind)(x)
    if kind == "pool":
        return getattr(layers, f"MaxPooling{name}")(2, padding="same")(x)
    if kind == "average":
        return getattr(layers, f"AveragePooling{name}")(2, 1, padding="same")(x)
    if kind == "dropout":
        return layers.Dropout(0.5)(x)
    if kind == "padding":
        return getattr(layers, f"ZeroPadding{name}")(1)(x)
    if kind == "residual":
        y = layers.BatchNormalization()(layers.Dense(x.shape[-1])(x))
        return keras.ops.relu(x + y) if bias else layers.Add()([x, layers.ELU()(y)])
    if kind == "sum":
        return layers.Maximum()([layers.Dense(width, "tanh")(x), layers.Dense(width)(x)])
    if kind == "join":
        return layers.Concatenate()([x, layers.Dense(width, "sigmoid")(x), x])
    if kind == "twice":
        shared = layers.Dense(x.shape[-1])
        return shared(layers.ReLU()(shared(x)))
    if kind == "nested":
        inner = keras.Sequential(
            [keras.Input(x.shape[1:]), layers.Dense(4, "sigmoid"), conv(width, 3, padding="same")]
        )
        return inner(x)
    return layers.LayerNormalization()(layers.Dense(width)(x))


@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(kinds=BLOCKS, rank=st.sampled_from([1, 2, 3]), seed=st.integers(0, 99), flat=st.booleans())
def test_random_networks(float64, kinds, rank, seed, flat):
    rng = np.random.default_rng(seed)
    sizes = (6, 5, 6)[:rank]
    if rank == 3:  # TensorFlow has no 3D pools in float64 on a CPU
        kinds = [kind for kind in kinds if kind not in ("pool", "average")]
    x = inputs = keras.Input((*sizes, 2))
    for kind in ["conv", *kinds]:
        x = grow(x, kind, rng, rank)
    x = layers.Flatten()(x) if flat or rank == 3 else getattr(layers, f"GlobalMaxPooling{rank}D")()(x)
    model = spoil(keras.Model(inputs, layers.Dense(3)(x)), seed)
    small = remove_dead_channels(model)
    batch = rng.normal(size=(3, *sizes, 2))
    expected = np.asarray(model(batch, training=False))
    np.testing.assert_allclose(
        small(batch, training=False), expected, rtol=0, atol=1e-10 * (1 + np.abs(expected).max())
    )
    assert small.count_params() <= model.count_params()


# --- constants


def test_constants_keep_their_contribution_at_zero_padded_borders(float64):
    """Three constant channels of different values become one: the convolution sees zeros at the border."""
    model = keras.Sequential(
        [
            keras.Input((5, 5, 1)),
            layers.Conv2D(4, 1, name="first"),
            layers.BatchNormalization(),
            layers.ELU(),
            layers.Conv2D(2, 3, padding="same", name="second"),
        ]
    )
    spoil(model, 0, dead=0)
    first = model.get_layer("first")
    first.kernel.assign(np.asarray(first.kernel) * [1, 0, 0, 0])
    small = check(model, np.random.default_rng(0).normal(size=(2, 5, 5, 1)))
    assert small.get_layer("first").filters == 2
    assert small.get_layer("second").kernel.shape == (3, 3, 2, 2)


@pytest.mark.parametrize(("padding", "left"), [("valid", 1), ("same", 1)])
def test_constants_of_zero_and_unpadded_ones_go_altogether(float64, padding, left):
    """A ReLU makes a negative bias 0; without padding any constant goes into a bias that is made for it."""
    activation = "relu" if padding == "same" else "elu"
    model = keras.Sequential(
        [
            keras.Input((6, 2)),
            layers.Conv1D(4, 1, activation=activation, name="first"),
            layers.Conv1D(3, 3, padding=padding, use_bias=False, name="second"),
        ]
    )
    spoil(model, 0, dead=0)
    first = model.get_layer("first")
    first.kernel.assign(np.asarray(first.kernel) * [1, 0, 0, 0])
    first.bias.assign([0.1, -0.2, -0.3, -0.4])
    small = check(model, np.random.default_rng(0).normal(size=(2, 6, 2)))
    assert small.get_layer("first").filters == left
    assert small.get_layer("second").use_bias == (padding == "valid")


def test_channels_that_nobody_reads_go_and_their_readers_inputs_with_them(float64):
    model = keras.Sequential(
        [keras.Input((3,)), *(layers.Dense(4, "tanh", name=name) for name in "ab"), layers.Dense(2, name="c")]
    )
    spoil(model, 0, dead=0)
    c = model.get_layer("c")
    c.kernel.assign(np.asarray(c.kernel) * np.array([[1], [0], [1], [0]]))
    b = model.get_layer("b")
    b.kernel.assign(np.asarray(b.kernel) * np.array([[1, 1, 0, 1], [0, 1, 0, 0], [0, 0, 1, 1], [0, 1, 0, 1]]))
    small = check(model, np.random.default_rng(0).normal(size=(2, 3)))
    assert [layer.units for layer in small.layers[1:]] == [2, 2, 2]


def test_channels_that_are_added_go_only_together(float64):
    x = inputs = keras.Input((3,))
    a, b = layers.Dense(3, name="a")(x), layers.Dense(3, name="b")(x)
    model = spoil(keras.Model(inputs, layers.Dense(2)(a + b)), 0, dead=0)
    for name, filters in (("a", [1, 0, 0]), ("b", [0, 1, 0])):
        kernel = model.get_layer(name).kernel
        kernel.assign(np.asarray(kernel) * filters)
    small = check(model, np.random.default_rng(0).normal(size=(2, 3)))
    assert [small.get_layer(name).units for name in "ab"] == [2, 2]


def test_a_layer_without_any_weight_keeps_one_channel(float64):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(9, name="dead"), layers.Dense(2)])
    spoil(model, 0, dead=0)
    model.get_layer("dead").kernel.assign(np.zeros((3, 9)))
    assert check(model, np.ones((2, 3))).get_layer("dead").units == 1


def test_with_nothing_to_remove_it_is_a_copy(float64):
    model = spoil(keras.Sequential([keras.Input((4, 2)), layers.Conv1D(3, 2), layers.Flatten()]), 0, dead=0)
    small = check(model, np.ones((2, 4, 2)), smaller=False)
    for got, expected in zip(small.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)
    small.layers[1].kernel.assign(np.zeros((2, 2, 3)))
    assert model.layers[0].kernel.numpy().any()


class Doubling(layers.Dense):
    """A subclass, which the rule of its base does not know."""

    def call(self, x):
        return super().call(x) + keras.ops.flip(x, axis=-1)


def test_a_subclass_of_a_known_layer_keeps_all(float64):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4), Doubling(4), layers.Dense(2)])
    check(spoil(model, 0), np.random.default_rng(0).normal(size=(2, 3)), smaller=False)


# --- the library's own networks


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (lambda: PointNet(5, "basic"), (2, 17, 3)),
        pytest.param(lambda: PointNet(5), (2, 17, 3), marks=pytest.mark.slow),
        pytest.param(lambda: PointNet2(5, density=0.05), (2, 40, 3), marks=pytest.mark.slow),
        (lambda: VRN(4, 0.125, size=16), (2, 16, 16, 16, 1)),
        (lambda: ResNet3D(4, 2, 0.25, 8, mean=[0.5, 1], std=[2, 3]), (2, 8, 8, 8, 2)),
        (lambda: ResNet3D(4, 1, 0.25), (2, 7, 8, 9, 1)),
    ],
    ids=["basic", "full", "pointnet2", "vrn", "resnet3d", "resnet3d of any size"],
)
def test_own_networks(float64, tmp_path, network, shape):
    model = spoil(network(), 0)
    x = np.random.default_rng(0).uniform(-1, 1, shape)
    small = check(model, np.round(x > 0) if len(shape) == 5 else x)
    assert small.count_params() < 0.6 * model.count_params()
    small.save(tmp_path / "small.keras")
    again = keras.saving.load_model(tmp_path / "small.keras")
    np.testing.assert_allclose(again(x, training=False), small(x, training=False), rtol=0, atol=1e-12)


# --- what it refuses


class Secret(layers.Layer):
    def __init__(self, what):
        super().__init__()
        self.what = what

    def call(self, x):
        return x


class Subclassed(keras.Model):
    def call(self, x):
        return x


def test_models_that_cannot_be_made_smaller():
    with pytest.raises(UserError, match="is not functional"):
        remove_dead_channels(Subclassed())
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2), Secret(object())])
    with pytest.raises(UserError, match=r"cannot be copied .*give its class get_config"):
        remove_dead_channels(model)
    model.layers[0].bias.assign([np.nan, 0])
    with pytest.raises(UserError, match="bias holds 1 weights that are NaN"):
        remove_dead_channels(model)
