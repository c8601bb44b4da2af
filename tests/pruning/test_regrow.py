"""Weights that change places: by the equations, and to where a task needs them."""

import keras
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.conformance.callbacks.cases import LEFT, W, X, Y, fit, network, steps
from tests.reference import surgery as reference
from tfxai3d.errors import UserError
from tfxai3d.pruning import DynamicNetworkSurgery, PruneAndRegrow, prune_magnitude
from tfxai3d.pruning.regrow import apportion


def regrown(weights, gradients, fraction):
    """One round, weight by weight: the masks after it."""
    worth = [
        (w**2 * np.square(g).sum(axis=0), layer, index)
        for layer, (ws, gs) in enumerate(zip(weights, gradients, strict=True))
        for index, w in np.ndenumerate(ws)
        if w
        for g in [gs[(slice(None), *index)]]
    ]
    cut = sorted(worth)[: int(fraction * len(worth))]
    masks = [w != 0 for w in weights]
    for _, layer, index in cut:
        masks[layer][index] = False
    squares = [np.square(g).sum(axis=0) for g in gradients]
    room = np.array([np.sum((w == 0) & (q > 0)) for w, q in zip(weights, squares, strict=True)])
    grown = apportion(len(cut), np.array([m.sum() for m in masks]), room)
    for layer, number in enumerate(grown):
        promises = [
            (g.sum() ** 2 / np.square(g).sum(), index)
            for index, w in np.ndenumerate(weights[layer])
            if not w and squares[layer][index]
            for g in [gradients[layer][(slice(None), *index)]]
        ]
        for _, index in sorted(promises)[len(promises) - number :]:
            masks[layer][index] = True
    return masks


@pytest.mark.parametrize("name", ["momentum", "adamw"])
def test_steps_and_regrowth_are_those_of_the_equations(float64, name):
    optimizers = {
        "momentum": keras.optimizers.SGD(0.05, momentum=0.9),
        "adamw": keras.optimizers.AdamW(0.05, 0.02, 0.875, 0.984375),
    }
    # Every channel is read: where none reads, all weights are worth nothing, and which goes first is open.
    left = [np.random.default_rng(1).random(w.shape) < 0.4 for w in W]
    masks, weights = left, [w * m for w, m in zip(W, left, strict=True)]
    model, callback = network(optimizers[name], weights=weights), PruneAndRegrow(2, 0.3)
    history = fit(model, callback, epochs=1)

    steps = [reference.Optimizer(name) for _ in W]
    gradients = []
    for start in range(0, len(X), 8):
        gradients.append(reference.gradients(X[start : start + 8], Y[start : start + 8], weights))
        weights = [step(w, g) * m for step, w, g, m in zip(steps, weights, gradients[-1], masks, strict=True)]
    masks = regrown(weights, [np.array(g) for g in zip(*gradients, strict=True)], 0.3)
    assert history["regrown"] == [int(0.3 * sum(m.sum() for m in left))]
    assert any((m & ~before).any() for m, before in zip(masks, left, strict=True))
    for got, w, m, mask in zip(model.get_weights(), weights, masks, callback.masks.values(), strict=True):
        np.testing.assert_array_equal(mask, m)
        np.testing.assert_allclose(got, w * m, rtol=2e-6)  # the rate is float32


def test_the_number_left_stays_and_regrowth_fades(float64):
    model, callback = network("adam"), PruneAndRegrow(3, 0.4)
    history = fit(model, callback, epochs=5)
    number = sum(m.sum() for m in LEFT)
    assert history["left"] == [number / 90] * 5
    shares = [int(0.4 * (1 + np.cos(np.pi * i / 3)) / 2 * number) for i in range(3)]
    assert history["regrown"] == [*shares, 0, 0]
    assert sum(np.count_nonzero(w) for w in model.get_weights()) == number
    callback.finalize()
    assert all(np.any(v) for v in map(np.asarray, model.optimizer.variables[2:4]))
    assert len(model.optimizer.variables) == 6  # its own


def test_without_epochs_zeros_stay_where_they_are(float64):
    model = network("adam")
    fit(model, PruneAndRegrow(0), epochs=2)
    for w, mask, before in zip(model.get_weights(), LEFT, W, strict=True):
        np.testing.assert_array_equal(w != 0, mask)
        assert np.any(w[mask] != before[mask])


def test_weights_find_the_inputs_that_matter(float64):
    """Of 60 weights 6 are left, all of them at inputs that say nothing; the 6 that do are found."""
    rng = np.random.default_rng(1)
    x, truth = rng.normal(size=(512, 60)), np.zeros((60, 1))
    truth[:6, 0] = [1, -1, 0.8, -0.8, 0.6, -0.6]
    model = keras.Sequential([keras.Input((60,)), keras.layers.Dense(1, use_bias=False, name="layer")])
    model.set_weights([np.where(np.arange(60) >= 54, 0.5, 0.0)[:, None]])
    model.compile(keras.optimizers.Adam(0.02), "mse", jit_compile=False)
    model.fit(x, x @ truth, 8, 24, 0, callbacks=[PruneAndRegrow(20, 0.9)])
    np.testing.assert_array_equal(model.get_weights()[0] != 0, truth != 0)
    np.testing.assert_allclose(model.get_weights()[0], truth, atol=0.02)


def test_weights_leave_a_layer_that_does_nothing(float64):
    """The inner layer of a branch whose output counts for next to nothing loses to the other branch."""
    inputs = keras.Input((20,))
    useful = keras.layers.Dense(20, use_bias=False, name="useful")(inputs)
    useless = keras.layers.Dense(20, use_bias=False, name="useless")(inputs)
    model = keras.Model(inputs, useful + 1e-3 * useless)
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(size=(20, 20)) * (rng.random((20, 20)) < 0.2) for _ in range(2)])
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=False)
    x = rng.normal(size=(256, 20))
    callback = PruneAndRegrow(8, 0.3)
    model.fit(x, x @ rng.normal(size=(20, 20)), 8, 8, 0, callbacks=[callback])
    left = {path: np.count_nonzero(mask) for path, mask in callback.masks.items()}
    assert left["useful/kernel"] > 3 * left["useless/kernel"]


def test_loops_of_ones_own_regrow_at_the_end_of_an_epoch(float64):
    model, optimizer = network(), keras.optimizers.SGD(0.05)
    callback = PruneAndRegrow(1, 0.3)
    with callback.attached(model, optimizer):
        list(steps(model, optimizer))
        number = int(0.3 * sum(m.sum() for m in LEFT))
        for expected in (number, 0):
            callback.end_epoch()
            assert callback.report()["regrown"] == expected


def test_dead_weights_are_the_first_to_go_and_none_grow_where_nothing_flows():
    weights = [w * m for w, m in zip(W, LEFT, strict=True)]
    weights[1][3:6] = 0  # nothing reads these channels,
    weights[0][:, 2:5] = 0  # and these are constant: two have neither, one only an input
    model, callback = network("adam", weights), PruneAndRegrow(1, 0.5)
    fit(model, callback, epochs=1)
    first, second = callback.masks.values()
    assert not first[:, 5].any()
    assert not first[:, 3:5].any()
    assert not second[3:5].any()


@example([(6, 1), (22, 4), (39, 11), (53, 10), (183, 17)], 41)  # rounding round after round went too far
@given(
    st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 50)), min_size=1, max_size=8),
    st.integers(0, 200),
)
def test_apportioned_numbers(layers, total):
    weights, room = np.array(layers).T
    given = apportion(total, weights, room)
    assert given.sum() == min(total, room[weights > 0].sum())
    assert np.all((given >= 0) & (given <= room))
    assert not given[weights == 0].any()
    free = (given < room) & (weights > 0)  # what has room left has its share, to one
    for a in np.flatnonzero(free):
        for b in np.flatnonzero(weights > 0):
            assert given[b] / weights[b] <= (given[a] + 1) / weights[a] + 1 / weights[b] + 1e-9


def test_what_it_refuses():
    for options in ({"epochs": -1}, {"epochs": 1, "drop_fraction": 0.0}, {"epochs": 1, "drop_fraction": 1.0}):
        with pytest.raises(UserError, match="must not be negative, and drop_fraction between 0 and 1"):
            PruneAndRegrow(**options)
    with pytest.raises(UserError, match="nothing is pruned yet"):
        fit(network(weights=W), PruneAndRegrow(1))


@pytest.mark.parametrize(
    "callback",
    [PruneAndRegrow(1, 0.3), DynamicNetworkSurgery(target=0.2, importance="gradient", frequency=1)],
    ids=["regrow", "surgery"],
)
def test_embeddings_have_sparse_gradients(callback):
    model = keras.Sequential(
        [keras.Input((4,), dtype="int32"), keras.layers.Embedding(20, 8), keras.layers.Dense(2)]
    )
    prune_magnitude(model, 0.3)
    model.compile("adam", "mse", jit_compile=False)
    words = np.random.default_rng(0).integers(0, 10, (64, 4))
    model.fit(words, np.ones((64, 4, 2)), 8, 2, 0, callbacks=[callback])
    embedding = next(iter(callback.masks.values()))
    assert embedding[:10].sum() > embedding[10:].sum()  # words that never come are worth nothing
