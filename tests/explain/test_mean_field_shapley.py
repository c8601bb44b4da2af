"""Shapley values through the max, against all coalitions."""

import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.reference import networks
from tests.reference.networks import assert_close
from tfxai3d import explain
from tfxai3d.errors import UserError
from tfxai3d.explain.engine.expected_max import expected_max
from tfxai3d.explain.engine.neighbor_pools import max_over_neighbors
from tfxai3d.explain.engine.network import network
from tfxai3d.explain.engine.presence import PresenceNetwork
from tfxai3d.models.layers.set_abstraction import BallQuery, Centroids, Group, NeighborMax
from tfxai3d.models.layers.shared_mlp import SharedDenseMax

CLOUD = np.random.default_rng(3).uniform(-1, 1, (1, 10, 3))


def coalitions(count):
    return [list(some) for size in range(count + 1) for some in itertools.combinations(range(count), size)]


def max_of(features, rows):
    lowest = np.minimum(features.min(axis=0), 0)
    return features[rows].max(axis=0) if rows else lowest


def head_and_rows(pool="layer", head="linear"):
    """A PointNet of plain layers; with a linear head the mean field is exact."""
    points = keras.Input((None, 3))
    x = keras.layers.Dense(16, activation="relu", bias_initializer="glorot_uniform")(
        keras.layers.Dense(8, activation="tanh")(points)
    )
    pooled = keras.layers.GlobalMaxPooling1D()(x) if pool == "layer" else keras.ops.max(x, axis=1)
    if head != "linear":
        pooled = keras.layers.Dense(12, activation="relu")(pooled)
    return keras.Model(points, keras.layers.Dense(4)(pooled)), keras.Model(points, x)


def shapley(values, count):
    """The definition: values of coalitions by frozenset."""
    phi = np.zeros(count)
    for player in range(count):
        for some in coalitions(count):
            if player in some:
                continue
            weight = math.factorial(len(some)) * math.factorial(count - len(some) - 1) / math.factorial(count)
            gain = values[frozenset([*some, player])] - values[frozenset(some)]
            phi[player] += weight * gain
    return phi


@pytest.mark.parametrize("shift", [0.0, -0.7])
@pytest.mark.parametrize("density", [0.001, 0.3, 0.9, 1.0])
def test_expected_max_is_the_mean_over_all_subsets(density, shift):
    features = np.random.default_rng(0).uniform(0, 1, (6, 3)) + shift
    features[4] = features[1]  # a tie
    mean, derivative = np.zeros(3), np.zeros(6)
    for some in coalitions(6):
        probability = density ** len(some) * (1 - density) ** (6 - len(some))
        mean += probability * max_of(features, some)
    for row in range(6):
        for some in coalitions(6):
            if row not in some:
                probability = density ** len(some) * (1 - density) ** (5 - len(some))
                with_it = max_of(features, sorted([*some, row]))
                derivative[row] += probability * (with_it - max_of(features, some)).sum()
    values, presence = tf.constant(features[None]), tf.fill((1, 6), tf.constant(density, tf.float64))
    with tf.GradientTape() as tape:
        tape.watch(presence)
        result = expected_max(values, presence, tf.constant(density, tf.float64))
    np.testing.assert_allclose(result[0], mean, atol=1e-7)
    # Equal rows share: either is absent or present beside the other, as above.
    np.testing.assert_allclose(tape.gradient(result, presence)[0], derivative, atol=1e-6)


def test_expected_max_has_the_gradient_of_its_features():
    features, q = np.random.default_rng(1).uniform(0, 1, (2, 7, 3)), 0.2
    there = tf.fill((2, 7), tf.constant(q, tf.float64))
    gradients = tf.test.compute_gradient(
        lambda x: expected_max(x, there, tf.constant(q, tf.float64)), [features], delta=1e-6
    )
    for exact, numerical in zip(*gradients, strict=True):
        np.testing.assert_allclose(exact, numerical, atol=1e-7)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("pool", ["layer", "operation"])
def test_equals_all_coalitions_under_a_linear_head(pool):
    model, trunk = head_and_rows(pool)
    features, head = np.asarray(trunk(CLOUD))[0], model.layers[-1]
    values = {
        frozenset(some): float(head(max_of(features, some)[None])[0, 2]) for some in coalitions(len(features))
    }
    found = explain.MeanFieldShapley(model, nodes=40, data_kind="points")(CLOUD, 2)
    np.testing.assert_allclose(found.importance[0], shapley(values, len(features)), atol=1e-6)
    assert abs(found.convergence_delta[0]) < 1e-6
    np.testing.assert_allclose(found.attributions.sum(axis=-1), found.importance, atol=1e-6)


@pytest.mark.usefixtures("float64")
def test_axioms():
    model, _ = head_and_rows(head="bent")
    cloud = np.concatenate([CLOUD, CLOUD[:, 4:5]], axis=1)  # points 4 and 10 are equal
    explainer = explain.MeanFieldShapley(model, nodes=24, data_kind="points")
    found = explainer(cloud, 1)
    assert_close(found.importance[0, 4], found.importance[0, 10])  # symmetry
    nothing = model.layers[-1](model.layers[-2](tf.zeros((1, 16))))[0, 1]
    found_gain = found.importance.sum() - found.convergence_delta[0]  # efficiency
    np.testing.assert_allclose(found_gain, model(cloud)[0, 1] - nothing, atol=1e-6)
    assert abs(found.convergence_delta[0]) < 1e-4
    other, both = explainer(cloud, 3), explainer(cloud, explain.Contrast(1, 3))
    assert_close(both.importance, found.importance - other.importance)  # linearity in the target
    # A null player: among coordinates above 0, a point at the origin raises no max.
    bare = keras.Sequential(
        [
            keras.Input((None, 3)),
            keras.layers.GlobalMaxPooling1D(),
            keras.layers.Dense(5, "relu"),
            keras.layers.Dense(4),
        ]
    )
    found = explain.MeanFieldShapley(bare, data_kind="points")(
        np.abs(CLOUD) * (np.arange(10) != 7)[:, None], 1
    )
    assert found.importance[0, 7] == 0
    assert np.count_nonzero(found.importance) == 9


@pytest.mark.parametrize("build", [networks.pointnet, networks.pointnet2])
def test_with_all_points_the_mean_field_is_the_network(build):
    model, clouds = build(), networks.POINTS
    ones = tf.ones(clouds.shape[:2], model.dtype)
    inputs, field = tf.constant(clouds, model.dtype), PresenceNetwork(network(model), model)
    found = field(inputs, ones, tf.ones([], model.dtype), field.whole(inputs, ones))
    assert_close(found, model(clouds, training=False))


def test_copies_in_a_ball_are_one_point():
    """A ball that is not full repeats its first point, which is there or not all the same."""
    features = tf.constant(np.random.default_rng(0).uniform(0, 1, (1, 1, 4, 5)))
    features = tf.concat([features[:, :, :2], features[:, :, :1], features[:, :, :1]], axis=2)
    there = tf.fill((1, 6), tf.constant(0.4, tf.float64))
    q = tf.constant(0.4, tf.float64)

    def of(*players, single=True):
        pool = lambda rows, there, player: expected_max(rows, there, q, player)  # noqa: E731
        return max_over_neighbors(features, there, tf.constant([[players]]), pool, single)[0, 0]

    expected = expected_max(features[0, :, :2], there[:, :2], q)[0]
    np.testing.assert_allclose(of(3, 5, 3, 3), expected, atol=1e-6)
    np.testing.assert_allclose(of(3, 5, 3, 3, single=False), expected, atol=1e-6)
    own, other = features[0, 0, 0], features[0, 0, 1]  # the centre of the ball is there for sure
    expected = 0.6 * own + 0.4 * np.maximum(own, other)
    for single in (True, False):
        np.testing.assert_allclose(of(-1, 5, -1, -1, single=single), expected, atol=1e-6)


@pytest.mark.usefixtures("float64")
def test_a_centroid_is_there_if_its_point_is():
    """Balls that hold their centres alone leave the max over centroids, known for all coalitions."""
    points = keras.Input((None, 3))
    centroids = Centroids(12)(points)  # two more than there are points: copies of the first
    index = BallQuery(1e-3, 4)(points, centroids)
    balls = NeighborMax(4, 0.9)(Group()(points, centroids, index))
    last = SharedDenseMax(16, 0.9)
    pooled = last(keras.layers.Concatenate()([centroids, balls]))
    model = keras.Model(points, keras.layers.Dense(4)(pooled))
    before = keras.Model(points, model.layers[-2].input)
    features = np.asarray(last.features(before(CLOUD)))[0][:, :]
    place = [
        int(np.abs(np.asarray(c) - CLOUD[0]).sum(axis=1).argmin())
        for c in np.asarray(before(CLOUD))[0, :10, :3]
    ]
    features = features[np.argsort(place)]
    values = {
        frozenset(some): float(model.layers[-1](max_of(features, some)[None])[0, 2])
        for some in coalitions(10)
    }
    found = explain.MeanFieldShapley(model, nodes=40, data_kind="points")(CLOUD, 2)
    np.testing.assert_allclose(found.importance[0], shapley(values, 10), atol=1e-6)


def test_voxels_by_subsets_add_up_nearly():
    grids = networks.VOXELS
    few, many = (
        explain.MeanFieldShapley(networks.function, nodes=n, data_kind="voxels")(grids, 1) for n in (4, 400)
    )
    assert np.abs(many.convergence_delta).mean() < np.abs(few.convergence_delta).mean()
    assert not many.importance[grids[..., 0] == 0].any()


def test_mistakes():
    averaging, adding = keras.Input((10, 3)), keras.Input((10, 3))
    averaging = keras.Model(
        averaging, keras.layers.GlobalAveragePooling1D()(keras.layers.Dense(4)(averaging))
    )
    adding = keras.Model(adding, keras.ops.sum(keras.layers.Dense(4)(adding), axis=1))
    with pytest.raises(UserError, match="has no max over its points, and no mean"):
        explain.MeanFieldShapley(adding, data_kind="points")(CLOUD)
    with pytest.raises(UserError, match="units must be points"):
        explain.MeanFieldShapley(averaging, units="clusters", num_clusters=4, data_kind="points")(CLOUD)
    with pytest.raises(UserError, match="num_clusters must be at most 10, the points of a cloud"):
        explain.MeanFieldShapley(averaging, units="clusters", num_clusters=11, data_kind="points")(CLOUD)
    with pytest.raises(UserError, match="unit 1 has no point"):
        explain.MeanFieldShapley(averaging, units=np.array([0, 2]), data_kind="points")
    with pytest.raises(UserError, match="size_power must be at least 0, it is -1"):
        explain.MeanFieldShapley(averaging, size_power=-1, data_kind="points")
    with pytest.raises(UserError, match="must be a Keras model of points"):
        explain.MeanFieldShapley(lambda x: x[:, 0], data_kind="points")
    with pytest.raises(UserError, match="nodes must be at least 1, it is 0"):
        explain.MeanFieldShapley(averaging, nodes=0, data_kind="points")
