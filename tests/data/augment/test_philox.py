"""NumPy's Philox must give TensorFlow's stateless numbers, and the augmentations made of them."""

from unittest import mock

import numpy as np
import pytest
import tensorflow as tf

from tfxai3d import data
from tfxai3d.data.augment import draws, epochs, philox
from tfxai3d.data.augment.points import TRANSFORMS
from tfxai3d.data.augment.voxels import VOXEL_TRANSFORMS

SEEDS = [(3, 1), (7919 * 5 + 104729, 12), (-3, 2**40)]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", [(7,), (33, 1, 3), (32, 100, 3), (0, 3)])
def test_the_numbers_are_those_of_tensorflow(seed, shape):
    state = tf.constant(seed, tf.int64)
    expected = tf.random.stateless_uniform(shape, state, -0.1, 0.3)
    np.testing.assert_array_equal(philox.uniform(shape, seed, -0.1, 0.3), expected)
    expected = tf.random.stateless_uniform(shape, state, -2, 3, tf.int32)
    np.testing.assert_array_equal(philox.integers(shape, seed, -2, 3), expected)
    expected = tf.random.stateless_normal(shape, state)
    np.testing.assert_allclose(philox.normal(shape, seed), expected, atol=1e-5)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("count", [1, 5, 1024])
def test_the_order_is_that_of_tensorflow(seed, count):
    expected = tf.random.experimental.stateless_shuffle(tf.range(count), tf.constant(seed, tf.int64))
    np.testing.assert_array_equal(philox.permutation(count, seed), expected)


def made(plain_copy):
    """Returns the inputs and labels of an epoch of clouds with normals, and of one of volumes."""
    random, labels = np.random.default_rng(0), np.arange(10) % 5
    shared = {"num_classes": 5, "batch_size": 4, "seed": (7, 3)}
    clouds = random.normal(size=(10, 30, 7)).astype("float32")
    augment = data.augmentation(list(TRANSFORMS), normals=3)
    points = data.training_batches(clouds, labels, num_points=20, augment=augment, **shared)
    grids = random.random((10, 8, 8, 8, 1)) < 0.3
    size, names = (4, ("flip", "shift")) if plain_copy else (8, list(VOXEL_TRANSFORMS))
    augment = data.voxel_augmentation(names)
    voxels = data.voxel_batches(grids, labels, size=size, augment=augment, plain_copy=plain_copy, **shared)
    return [np.asarray(array) for epoch in (points, voxels) for batch in in_order(epoch) for array in batch]


def in_order(epoch):
    return [epoch[i] for i in range(len(epoch))] if hasattr(epoch, "__getitem__") else list(epoch)


@pytest.mark.parametrize("plain_copy", [False, True])
def test_batches_of_any_backend_are_those_of_tensorflow(plain_copy):
    expected = made(plain_copy)
    with (
        mock.patch.object(draws, "on_tensorflow", return_value=False),
        mock.patch.object(epochs, "on_tensorflow", return_value=False),
        mock.patch.object(tf.random, "stateless_uniform", None),
        mock.patch.object(tf.data, "Dataset", None),
    ):
        arrays = made(plain_copy)
    assert len(arrays) == len(expected) == (14 if plain_copy else 8)
    for array, other in zip(arrays, expected, strict=True):
        assert array.dtype == other.dtype
        np.testing.assert_allclose(array, other, atol=1e-5)
