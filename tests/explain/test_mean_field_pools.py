"""Mean-field Shapley values of units, averages and edge convolutions, against all coalitions."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from tests.explain.test_mean_field_shapley import CLOUD, coalitions, head_and_rows, max_of, shapley
from tests.reference import networks
from tests.reference.networks import assert_close
from tfxai3d import explain
from tfxai3d.explain.engine.expected_mean import expected_mean

PARTS = np.array([0, 1, 1, -1, 2, 0, 3, 3, -1, 2])


def values_of_parts(score):
    """Returns the score of every coalition of the parts, by frozenset; points of no part stay."""
    there = {frozenset(some): np.flatnonzero(np.isin(PARTS, [*some, -1])).tolist() for some in coalitions(4)}
    return {some: score(rows) for some, rows in there.items()}


@pytest.mark.usefixtures("float64")
def test_parts_are_the_players():
    model, trunk = head_and_rows()
    features, head = np.asarray(trunk(CLOUD))[0], model.layers[-1]
    exact = shapley(values_of_parts(lambda rows: float(head(max_of(features, rows)[None])[0, 2])), 4)
    found = explain.MeanFieldShapley(model, nodes=40, units=PARTS, data_kind="points")(CLOUD, 2)
    np.testing.assert_allclose(found.importance[0][PARTS >= 0], exact[PARTS[PARTS >= 0]], atol=1e-6)
    assert not found.importance[0][PARTS < 0].any()
    np.testing.assert_allclose(found.attributions.sum(), exact.sum(), atol=1e-6)
    assert abs(found.convergence_delta[0]) < 1e-6
    assert found.options == {"nodes": 40, "units": "parts"}


@pytest.mark.parametrize("build", [networks.pointnet, networks.pointnet2, lambda: networks.pointnet("full")])
def test_parts_of_one_point_each_are_points(build):
    cloud = networks.POINTS[:2]
    numbers = np.arange(cloud.shape[1])
    points, parts = (
        explain.MeanFieldShapley(build(), nodes=2, **units)(cloud, 1) for units in ({}, {"units": numbers})
    )
    assert_close(parts.importance, points.importance)
    clusters = explain.MeanFieldShapley(build(), nodes=2, units="clusters", num_clusters=5)(cloud, 1)
    assert [len(np.unique(row)) for row in clusters.importance] == [5, 5]


@pytest.mark.usefixtures("float64")
def test_size_power_weighs_the_derivative():
    """With a linear head the derivative at q is the mean gain of a point to coalitions of that density."""
    model, trunk = head_and_rows()
    features, head = np.asarray(trunk(CLOUD))[0][:5], model.layers[-1]
    value = {frozenset(some): float(head(max_of(features, some)[None])[0, 2]) for some in coalitions(5)}
    places, weights = np.polynomial.legendre.leggauss(30)
    exact = np.zeros(5)
    for q, weight in zip((places + 1) / 2, weights / 2, strict=True):
        for player in range(5):
            for some in (some for some in coalitions(5) if player not in some):
                chance = q ** len(some) * (1 - q) ** (4 - len(some))
                gain = value[frozenset([*some, player])] - value[frozenset(some)]
                exact[player] += weight * 3 * q**2 * chance * gain
    explainer = explain.MeanFieldShapley(model, nodes=40, size_power=2.0, data_kind="points")
    found = explainer(CLOUD[:, :5], 2)
    np.testing.assert_allclose(found.importance[0], exact, atol=1e-6)
    assert found.convergence_delta is None


@pytest.mark.parametrize("density", [0.0, 0.01, 0.4, 1.0])
def test_expected_mean_is_the_mean_over_all_subsets(density):
    features = np.random.default_rng(0).normal(size=(6, 3))
    mean, derivative = np.zeros(3), np.zeros(6)
    for some in coalitions(6):
        chance = density ** len(some) * (1 - density) ** (6 - len(some))
        of_some = features[some].mean(axis=0) if some else np.zeros(3)
        mean += chance * of_some
        for row in set(range(6)) - set(some):
            chance = density ** len(some) * (1 - density) ** (5 - len(some))
            derivative[row] += chance * (features[[*some, row]].mean(axis=0) - of_some).sum()
    values, presence = tf.constant(features[None]), tf.fill((1, 6), tf.constant(density, tf.float64))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([values, presence])
        result = expected_mean(values, presence, tf.constant(density, tf.float64))
    np.testing.assert_allclose(result[0], mean, atol=1e-9)
    np.testing.assert_allclose(tape.gradient(result, presence)[0], derivative, atol=1e-9)
    share = (1 - (1 - density) ** 6) / 6
    np.testing.assert_allclose(tape.gradient(result, values)[0], np.full((6, 3), share), atol=1e-9)


@pytest.mark.usefixtures("float64")
def test_averages_equal_all_coalitions_under_a_linear_head():
    points = keras.Input((None, 3))
    rows = keras.layers.Dense(6, activation="tanh")(points)
    pooled = ops.concatenate([keras.layers.GlobalAveragePooling1D()(rows), ops.max(rows, axis=1)], axis=-1)
    head = keras.layers.Dense(4)
    model, features = keras.Model(points, head(pooled)), np.asarray(keras.Model(points, rows)(CLOUD))[0]
    values = {}
    for some in coalitions(10):
        mean = features[some].mean(axis=0) if some else np.zeros(6)
        values[frozenset(some)] = float(head(np.concatenate([mean, max_of(features, some)])[None])[0, 2])
    found = explain.MeanFieldShapley(model, nodes=60, data_kind="points")(CLOUD, 2)
    np.testing.assert_allclose(found.importance[0], shapley(values, 10), atol=1e-6)


def edge_network():
    """An edge convolution with 3 neighbours of 10 points, and a max over the points."""
    points = keras.Input((10, 3))
    square = ops.sum(points * points, axis=-1, keepdims=True)
    near = 2 * ops.matmul(points, ops.transpose(points, (0, 2, 1))) - square
    index = ops.top_k(near - ops.transpose(square, (0, 2, 1)), 3)[1]
    neighbors = ops.take_along_axis(points, ops.reshape(index, (-1, 30, 1)), axis=1)
    neighbors = ops.reshape(neighbors, (-1, 10, 3, 3))
    centre = ops.expand_dims(points, 2) + 0 * neighbors
    edges = ops.concatenate([centre, neighbors - centre], axis=-1)
    rows = ops.max(keras.layers.Dense(16, activation="relu", bias_initializer="normal")(edges), axis=2)
    return keras.Model(points, keras.layers.Dense(4)(ops.max(rows, axis=1))), keras.Model(points, rows)


@pytest.mark.usefixtures("float64")
def test_of_edge_convolutions_all_neighbours_count_as_there():
    """Farther ones take the places of those that go, so what a point's edges say hardly changes."""
    model, rows = edge_network()
    features, head = np.asarray(rows(CLOUD))[0], model.layers[-1]
    values = {frozenset(some): float(head(max_of(features, some)[None])[0, 2]) for some in coalitions(10)}
    found = explain.MeanFieldShapley(model, nodes=40, data_kind="points")(CLOUD, 2)
    np.testing.assert_allclose(found.importance[0], shapley(values, 10), atol=1e-6)


def test_the_standard_error_of_voxels_covers_the_truth():
    grids = networks.VOXELS[:2]
    few = [
        explain.MeanFieldShapley(
            networks.function, nodes=8, seed=seed, data_kind="voxels", units="blocks", block_size=8
        )(grids, 1)
        for seed in range(12)
    ]
    spread = np.std([one.importance for one in few], axis=0, ddof=1)
    stated = np.sqrt(np.mean([one.standard_error**2 for one in few], axis=0))
    there = np.any([one.importance != 0 for one in few], axis=0)
    assert there.any()
    assert 0.8 < np.median(stated[there] / spread[there]) < 3  # rather too large than too small
    for one in few[:1]:  # a block's value is the sum over its voxels
        block = (0, slice(0, 8), slice(8, 16), slice(0, 8))
        np.testing.assert_allclose(one.attributions[block].sum(), one.importance[block].max(), rtol=1e-4)
    assert (
        explain.MeanFieldShapley(networks.function, nodes=1, data_kind="voxels")(grids, 1).standard_error
        is None
    )
