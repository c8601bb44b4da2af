"""Branches that are dropped at random: what is computed, remembered, and expected."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.models.layers.stochastic_depth import StochasticDepth


def small_drop(keep, counter=None):
    inputs = keras.Input((3,))
    y = keras.layers.BatchNormalization(momentum=0.5)(inputs)
    y = keras.layers.Dense(3)(y if counter is None else counter(y))
    return StochasticDepth(keras.Model(inputs, y), keep, seed=1)


class Counter(keras.layers.Layer):
    """Counts its executions, in a graph too."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def call(self, x):
        def count():
            self.calls += 1
            return np.float32(0)

        return x + tf.ensure_shape(tf.numpy_function(count, [], tf.float32), ())

    def compute_output_shape(self, shape):
        return shape


@pytest.mark.parametrize("graph", [False, True])
def test_a_dropped_branch_is_neither_computed_nor_remembered(graph):
    counter = Counter()
    drop = small_drop(0.4, counter)
    x = np.random.default_rng(0).normal(3.0, 1.0, (8, 3)).astype("float32")
    moving = drop.branch.non_trainable_variables

    def step(x):
        with tf.GradientTape() as tape:
            y = drop(x, x, training=True)
            loss = tf.reduce_sum(y**2)
        return y, tape.gradient(loss, drop.trainable_variables)

    step = tf.function(step) if graph else step
    step(tf.constant(x))
    counter.calls = kept = 0
    for _ in range(100):
        x = x + 1  # or the statistics would converge
        before = [variable.numpy().copy() for variable in moving]
        y, gradients = step(tf.constant(x))
        unchanged = all(np.array_equal(a, b) for a, b in zip(before, moving, strict=True))
        if np.array_equal(y, x):
            assert unchanged
            assert not any(np.any(gradient) for gradient in gradients if gradient is not None)
        else:
            kept += 1
            assert not unchanged
            np.testing.assert_allclose(moving[0], before[0] / 2 + x.mean(0) / 2, rtol=1e-4)
            assert all(np.any(gradient) for gradient in gradients)
    assert counter.calls == kept
    assert 25 <= kept <= 55


def test_inference_is_the_expectation_over_the_draws():
    drop = small_drop(0.7)
    x = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    expected = x + 0.7 * np.asarray(drop.branch(x))
    np.testing.assert_allclose(drop(x, x), expected, rtol=1e-5)
    again = StochasticDepth.from_config(drop.get_config())
    again.set_weights(drop.get_weights())
    np.testing.assert_allclose(again(x, x), expected, rtol=1e-5)
    with pytest.raises(UserError, match="keep 0"):
        StochasticDepth(drop.branch, 0)


def test_equal_seeds_draw_equally_and_a_batch_is_dropped_as_a_whole():
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    draws = []
    for _ in range(2):
        drop = small_drop(0.5)
        outputs = [np.asarray(drop(x, x, training=True)) for _ in range(20)]
        draws.append([np.array_equal(y, x) for y in outputs])
        assert all((y == x).all() or (y != x).any(axis=1).all() for y in outputs)
    assert draws[0] == draws[1]
    assert 0 < sum(draws[0]) < 20
