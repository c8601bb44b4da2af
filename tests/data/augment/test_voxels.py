"""Augmentations of grids by seed, and their epochs."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage
from scipy.spatial.transform import Rotation

from tfxai3d.data.augment.rotation import rotate
from tfxai3d.data.augment.voxels import (
    coarsen,
    flip,
    mirror,
    quarter_turn,
    shift,
    voxel_augmentation,
    voxel_batches,
)
from tfxai3d.errors import UserError

SEED = tf.constant([3, 4], tf.int64)


def batch(count=200, size=6, margin=2):
    inside = np.random.default_rng(1).random((count,) + (size,) * 3) < 0.5
    return np.pad(inside, [(0, 0)] + [(margin, margin)] * 3)[..., None].astype(np.uint8)


def candidates(grid, transform):
    """Returns which of the named outcomes a transformed grid equals."""
    outcomes = {
        flip: {(x, y): grid[::x, ::y] for x in (1, -1) for y in (1, -1)},
        mirror: {(x, y, z): grid[::x, ::y, ::z] for x in (1, -1) for y in (1, -1) for z in (1, -1)},
        quarter_turn: {k: np.rot90(grid, k, (0, 1)) for k in range(4)},
        shift: {
            (x, y, z): np.roll(grid, (x, y, z), (0, 1, 2))
            for x in range(-2, 3)
            for y in range(-2, 3)
            for z in range(-2, 3)
        },
    }
    return outcomes[transform]


@pytest.mark.parametrize("transform", [flip, mirror, shift, quarter_turn])
def test_each_grid_is_moved_by_its_own_draw(transform):
    x = batch()
    moved = transform(tf.constant(x), SEED).numpy()
    assert moved.dtype == x.dtype
    names = []
    for before, after in zip(x, moved, strict=True):
        [name] = [key for key, value in candidates(before, transform).items() if np.array_equal(value, after)]
        names.append(name)
    np.testing.assert_array_equal(transform(tf.constant(x), SEED), moved)
    assert (transform(tf.constant(x), SEED + 1).numpy() != moved).any()
    if transform is flip:
        shares = (np.array(names) == -1).mean(axis=0)
        assert ((shares > 0.1) & (shares < 0.3)).all()
    elif transform is mirror:
        assert (np.abs((np.array(names) == -1).mean(axis=0) - 0.5) < 0.15).all()
    else:
        assert {0, 1, 2} <= set(np.array(names).ravel().tolist())


@pytest.mark.parametrize(("shape", "limit"), [((5, 10, 8, 9, 2), 15.0), ((3, 6, 6, 6, 1), 180.0)])
def test_rotated_grids_are_those_of_scipy(shape, limit):
    grids = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    rotated = rotate(tf.constant(grids), SEED, limit).numpy()
    axis = tf.math.l2_normalize(tf.random.stateless_normal((len(grids), 3), SEED), axis=1).numpy()
    degrees = tf.random.stateless_uniform((len(grids), 1), SEED + 1, -limit, limit).numpy()
    assert np.abs(degrees).max() <= limit
    middle = (np.array(shape[1:4]) - 1) / 2
    for grid, got, vector in zip(grids, rotated, axis * np.radians(degrees), strict=True):
        matrix = Rotation.from_rotvec(vector).as_matrix()
        options = {"offset": middle - matrix @ middle, "order": 1, "mode": "grid-constant"}
        channels = [ndimage.affine_transform(one, matrix, **options) for one in np.moveaxis(grid, -1, 0)]
        np.testing.assert_allclose(got, np.stack(channels, axis=-1), atol=1e-5)


def test_rotated_occupancy_is_float_and_a_rotation_by_nothing_changes_nothing():
    rotated = rotate(tf.constant(batch(4)), SEED, 0.0)
    assert rotated.dtype == tf.float32
    np.testing.assert_allclose(rotated, batch(4), atol=1e-5)


def test_what_is_shifted_out_is_lost():
    x = np.ones((50, 4, 4, 4, 1), np.float32)
    left = shift(tf.constant(x), SEED).numpy().sum(axis=(1, 2, 3, 4))
    sides = {a * b * c for a in (2, 3, 4) for b in (2, 3, 4) for c in (2, 3, 4)}
    assert set(left.tolist()) <= sides
    assert len(set(left.tolist())) > 3


@pytest.mark.parametrize("size", [12, 6, 4, 1])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_coarsened_blocks_are_full_where_any_voxel_is(size, dtype):
    grids = (np.random.default_rng(0).random((3, 12, 12, 12, 1)) < 0.02).astype(dtype)
    factor = 12 // size
    expected = np.zeros((3, size, size, size, 1))
    for n, x, y, z, _ in np.argwhere(grids):
        expected[n, x // factor, y // factor, z // factor] = 1
    coarse = np.asarray(coarsen(grids, size))
    np.testing.assert_array_equal(coarse, expected)
    assert coarse.dtype == grids.dtype


@pytest.mark.parametrize(
    ("grids", "message"),
    [
        (np.zeros((1, 32, 32, 32, 1)), "grids of 32 voxels a side cannot be coarsened to 20"),
        (np.zeros((1, 40, 40, 20, 1)), "grids of 40x40x20 cannot be coarsened to 20"),
        (np.full((1, 40, 40, 40, 1), 0.5), "have values other than 0 and 1 and cannot be coarsened to 20"),
    ],
)
def test_what_cannot_be_coarsened(grids, message):
    with pytest.raises(UserError, match=message):
        coarsen(grids, 20)
    one = {"num_classes": 1, "batch_size": 1, "augment": voxel_augmentation(), "seed": (0, 0)}
    with pytest.raises(UserError, match=message):
        voxel_batches(grids, np.zeros(1, int), size=20, **one)


def test_volumes_keep_their_values():
    volumes = np.random.default_rng(0).normal(-300, 500, (4, 5, 6, 7, 2))
    one = {"num_classes": 4, "batch_size": 4, "augment": voxel_augmentation([]), "seed": (0, 0)}
    [(batch, labels)] = voxel_batches(volumes, np.arange(4), **one)
    np.testing.assert_array_equal(batch, volumes[labels.numpy().argmax(axis=1)].astype(np.float32))
    coarse = voxel_batches(np.ones((4, 8, 8, 8, 2), np.uint8), np.arange(4), size=4, **one)
    assert next(iter(coarse))[0].shape == (4, 4, 4, 4, 2)
    augment = voxel_augmentation(["mirror", "rotate", "shift"])
    for batch, _ in voxel_batches(volumes, np.arange(4), **one | {"augment": augment}, plain_copy=True):
        assert batch.shape == (4, 5, 6, 7, 2)


def test_augmentation_by_name():
    augment = voxel_augmentation(["flip", "shift"])
    x = tf.constant(batch())
    expected = shift(flip(x, SEED + tf.constant([1, 0], tf.int64)), SEED + tf.constant([2, 0], tf.int64))
    np.testing.assert_array_equal(tf.function(augment)(x, SEED), expected)
    with pytest.raises(UserError, match=r"unknown augmentation 'jitter'.*flip, mirror, shift"):
        voxel_augmentation(["jitter"])


@pytest.mark.parametrize("plain_copy", [False, True])
def test_an_epoch_of_batches(plain_copy):
    x, labels = batch(10), np.arange(10)
    for i in range(10):
        x[i].flat[: i + 1] = 1 - x[i].flat[: i + 1]

    def epoch(number):
        made = voxel_batches(
            x,
            labels,
            num_classes=10,
            batch_size=4,
            augment=voxel_augmentation(),
            seed=(5, number),
            plain_copy=plain_copy,
        )
        return [(grids.numpy(), one_hot.numpy()) for grids, one_hot in made]

    first = epoch(0)
    assert len(first) == (5 if plain_copy else 2)
    assert first[0][0].shape == (4, 10, 10, 10, 1)
    assert first[0][0].dtype == first[0][1].dtype == np.float32
    for (a, b), (c, d) in zip(first, epoch(0), strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)
    assert any((a[0] != b[0]).any() for a, b in zip(first, epoch(1), strict=True))
    if plain_copy:
        seen = np.concatenate([one_hot.argmax(1) for _, one_hot in first])
        assert np.bincount(seen, minlength=10).tolist() == [2] * 10
        unchanged = [
            int(label)
            for grids, one_hot in first
            for grid, label in zip(grids, one_hot.argmax(1), strict=True)
            if np.array_equal(grid, x[label])
        ]
        assert set(unchanged) == set(range(10))
