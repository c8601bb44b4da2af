import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from tfxai3d.models.layers.max_linear import max_linear
from tfxai3d.models.layers.shared_mlp import moments


def gradients(function, *arguments):
    """Returns outputs and the gradients of a fixed random combination of them."""
    tensors = [tf.constant(argument) for argument in arguments]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        outputs = tf.nest.flatten(function(*tensors))
        rng = np.random.default_rng(0)
        loss = sum(tf.reduce_sum(out * rng.normal(size=out.shape).astype(out.dtype.name)) for out in outputs)
    return [out.numpy() for out in outputs], [grad.numpy() for grad in tape.gradient(loss, tensors)]


def assert_same(function, reference, *arguments, rtol):
    for got, expected in zip(gradients(function, *arguments), gradients(reference, *arguments), strict=True):
        for a, b in zip(got, expected, strict=True):
            assert a.shape == b.shape
            np.testing.assert_allclose(a, b, atol=rtol * np.abs(b).max(), rtol=rtol)


def plain_max(x, kernel):
    return ops.max(ops.matmul(x, kernel), axis=1)


def plain_moments(rows):
    mean = ops.mean(rows, axis=0, keepdims=True)
    centred = rows - mean
    return mean, ops.matmul(ops.transpose(centred), centred) / len(rows)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("points", [1, 2, 7, 8, 9, 16, 61])
def test_max_linear_is_the_max_of_the_product(batch, points):
    rng = np.random.default_rng(points)
    x = rng.normal(size=(batch, points, 5)).astype("float32")
    kernel = rng.normal(size=(5, 33)).astype("float32")
    assert_same(max_linear, plain_max, x, kernel, rtol=1e-5)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 40), st.integers(1, 4), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_max_linear_in_float64(points, batch, channels, seed):
    rng = np.random.default_rng(seed)
    assert_same(
        max_linear, plain_max, rng.normal(size=(batch, points, 3)), rng.normal(size=(3, channels)), rtol=1e-12
    )


@pytest.mark.parametrize("winners", [(0, 3), (5, 17), (9, 10), (16, 17)])
def test_of_equal_points_the_first_takes_the_whole_gradient(winners):
    x = np.zeros((1, 18, 2), "float32")
    x[0, list(winners)] = 1.0
    points, kernel = tf.constant(x), tf.ones((2, 1))
    with tf.GradientTape() as tape:
        tape.watch([points, kernel])
        top = max_linear(points, kernel)
    d_x, d_kernel = (gradient.numpy() for gradient in tape.gradient(top, [points, kernel]))
    assert np.flatnonzero(d_x[0].any(axis=-1)).tolist() == [winners[0]]
    np.testing.assert_array_equal(d_x[0, winners[0]], [1.0, 1.0])
    np.testing.assert_array_equal(d_kernel, [[1.0], [1.0]])


def test_all_points_below_zero_and_filled_up_groups():
    """The points that fill up the last group must never win, even where all values are negative."""
    x = -1.0 - np.arange(5, dtype="float32")[None, ::-1, None]
    _, (d_x, _) = gradients(max_linear, x, np.ones((1, 1), "float32"))
    assert np.flatnonzero(d_x[0, :, 0]).tolist() == [4]


def test_max_linear_under_tf_function_and_xla_with_any_number_of_points():
    signature = [tf.TensorSpec((None, None, 3)), tf.TensorSpec((3, 4))]
    compiled = tf.function(max_linear, input_signature=signature)
    xla = tf.function(max_linear, jit_compile=True)
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(3, 4)).astype("float32")
    for batch, points in ((1, 1), (2, 8), (3, 21)):
        x = rng.normal(size=(batch, points, 3)).astype("float32")
        expected = (x @ kernel).max(axis=1)
        np.testing.assert_allclose(compiled(x, kernel), expected, rtol=1e-5)
        np.testing.assert_allclose(xla(x, kernel), expected, rtol=1e-5)


@pytest.mark.parametrize("rows", [1, 2, 50])
def test_moments_are_mean_and_covariance(rows):
    values = np.random.default_rng(rows).normal(0.5, 1.0, (rows, 6))
    assert_same(moments, plain_moments, values, rtol=1e-10)
    np.testing.assert_allclose(moments(tf.constant(values))[1], np.cov(values.T, bias=True), atol=1e-12)


def test_moments_in_float32_stay_close_where_the_mean_is_five_deviations():
    values = np.random.default_rng(0).normal(5.0, 1.0, (4096, 6)).astype("float32")
    assert_same(moments, plain_moments, values, rtol=1e-4)


def test_max_linear_gradient_equals_finite_differences():
    rng = np.random.default_rng(1)
    x, kernel = rng.normal(size=(2, 9, 3)), rng.normal(size=(3, 4))
    weights = rng.normal(size=(2, 4))

    def loss(x):
        return float(np.sum(keras.ops.convert_to_numpy(max_linear(x, kernel)) * weights))

    tensor = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        out = tf.reduce_sum(max_linear(tensor, kernel) * weights)
    gradient = tape.gradient(out, tensor).numpy()
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = 1e-6
        assert gradient[index] == pytest.approx((loss(x + step) - loss(x - step)) / 2e-6, abs=1e-7)
