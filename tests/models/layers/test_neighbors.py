import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from tests.reference import plain_pointnet2 as plain
from tfxai3d.models.layers import neighbors

few = settings(deadline=None, max_examples=25)


def cloud(batch, points, seed=0, dtype="float32"):
    return np.random.default_rng(seed).uniform(-1, 1, (batch, points, 3)).astype(dtype)


@st.composite
def lattice(draw, dtype="float32"):
    """Clouds on a coarse lattice: full of duplicates and ties, and free of rounding."""
    points = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return (rng.integers(-draw(st.integers(0, 6)), 7, (2, points, 3)) / 8).astype(dtype)


@few
@given(lattice(), st.sampled_from([4, 60]))
def test_farthest_points_with_ties_duplicates_and_few_points(points, count):
    expected = [plain.farthest_points(c, count) for c in points]
    np.testing.assert_array_equal(neighbors.farthest_points(points, count), expected)
    np.testing.assert_array_equal(
        neighbors._farthest.__wrapped__(ops.convert_to_tensor(points), count), expected
    )


@pytest.mark.parametrize("points", [1, 257, 1000])
def test_farthest_points_of_random_clouds(points):
    x = cloud(3, points)
    expected = [plain.farthest_points(c, 64) for c in x]
    chosen = neighbors.farthest_points(x, 64)
    assert chosen.dtype == "int32"
    np.testing.assert_array_equal(chosen, expected)


@few
@given(lattice(), st.sampled_from([0.5, 5.0]), st.sampled_from([1, 3, 50]))
def test_ball_query_with_ties_at_the_radius_and_few_points(points, radius, count):
    rng = np.random.default_rng(points.size)
    centroids = (rng.integers(-6, 7, (2, 5, 3)) / 8).astype("float32")  # some balls are empty
    expected = [plain.ball_query(p, c, radius, count) for p, c in zip(points, centroids, strict=True)]
    np.testing.assert_array_equal(neighbors.ball_query(points, centroids, radius, count), expected)
    inside = neighbors._inside.__wrapped__(*map(ops.convert_to_tensor, (points, centroids)), radius)
    np.testing.assert_array_equal(neighbors._first_by_search(inside, count), expected)
    np.testing.assert_array_equal(neighbors._first_by_list(inside, count), expected)


def test_ball_query_of_random_clouds():
    x = cloud(2, 700)
    centroids = x[:, ::5]
    index = neighbors.ball_query(x, centroids, 0.4, 16)
    assert index.dtype == "int32"
    np.testing.assert_array_equal(
        index, [plain.ball_query(*pair, 0.4, 16) for pair in zip(x, centroids, strict=True)]
    )


def test_gather_and_group():
    x, values = cloud(3, 11), np.random.default_rng(1).normal(size=(3, 11, 5))
    index = np.random.default_rng(2).integers(0, 11, (3, 4, 6)).astype("int32")
    for i in range(3):
        np.testing.assert_array_equal(neighbors.gather(values, index)[i], values[i][index[i]])
        np.testing.assert_array_equal(neighbors.gather(values, index[:, 0])[i], values[i][index[i, 0]])
        relative = x[i][index[i]] - x[i, :4][:, None]
        np.testing.assert_array_equal(neighbors.group(x, x[:, :4], index)[i], relative)


@few
@given(lattice("float64"), st.integers(1, 7), st.sampled_from([1, 3]))
def test_interpolation_with_ties_and_few_centroids(points, balls, count):
    rng = np.random.default_rng(points.size)
    centroids = rng.integers(-6, 7, (len(points), balls, 3)) / 8
    values = rng.normal(size=(len(points), balls, 2))
    expected = [plain.interpolate(*case, count) for case in zip(points, centroids, values, strict=True)]
    np.testing.assert_allclose(neighbors.interpolate(points, centroids, values, count), expected, rtol=1e-9)


def test_heat_on_a_centroid_stays_and_no_heat_is_invented():
    x = cloud(2, 90)
    heat = np.random.default_rng(0).uniform(0, 1, (2, 10)).astype("float32")
    carried = np.asarray(neighbors.interpolate(x, x[:, :10], heat[..., None])[..., 0])
    np.testing.assert_allclose(carried[:, :10], heat, atol=1e-6)
    assert carried.min() >= heat.min() - 1e-6
    assert carried.max() <= heat.max() + 1e-6
    np.testing.assert_allclose(
        neighbors.interpolate(x, x[:, :1], heat[:, :1, None])[..., 0], heat[:, :1] + 0 * x[..., 0]
    )


def test_gradients_flow_through_values_and_coordinates_but_not_through_indices():
    points, values = tf.constant(cloud(2, 20, dtype="float64")), tf.constant(cloud(2, 6, 1, "float64"))

    def loss(points, values):
        centroids = neighbors.gather(points, neighbors.farthest_points(points, 6))
        index = neighbors.ball_query(points, centroids, 0.9, 5)
        grouped = ops.sum(ops.sin(3 * neighbors.group(points, centroids, index)))
        return grouped + ops.sum(ops.square(neighbors.interpolate(points, centroids, values)))

    with tf.GradientTape() as tape:
        tape.watch([points, values])
        out = loss(points, values)
    gradients = tape.gradient(out, [points, values])
    for i, gradient in enumerate(gradients):
        direction = np.random.default_rng(2).normal(size=gradient.shape)
        ends = []
        for sign in (1, -1):
            moved = [points, values]
            moved[i] = moved[i] + sign * 1e-6 * direction
            ends.append(float(loss(*moved)))
        assert np.sum(gradient * direction) == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)


def test_coinciding_points_give_finite_gradients():
    points = tf.zeros((2, 9, 3))
    with tf.GradientTape() as tape:
        tape.watch(points)
        centroids = neighbors.gather(points, neighbors.farthest_points(points, 4))
        grouped = neighbors.group(points, centroids, neighbors.ball_query(points, centroids, 0.1, 3))
        carried = neighbors.interpolate(points, centroids, grouped[:, :, 0] + points[:, :4])
        out = ops.sum(grouped) + ops.sum(carried)
    assert np.isfinite(tape.gradient(out, points)).all()


def test_inside_a_tf_function_of_unknown_shape():
    signature = [tf.TensorSpec((None, None, 3))]

    @tf.function(input_signature=signature)
    def both(points):
        centroids = neighbors.gather(points, neighbors.farthest_points(points, 8))
        return centroids, neighbors.ball_query(points, centroids, 0.5, 4)

    for batch, points in ((1, 1), (2, 7), (3, 300)):
        x = cloud(batch, points)
        centroids, index = both(x)
        expected = np.stack([c[plain.farthest_points(c, 8)] for c in x])
        np.testing.assert_array_equal(centroids, expected)
        np.testing.assert_array_equal(
            index, [plain.ball_query(*pair, 0.5, 4) for pair in zip(x, expected, strict=True)]
        )
