"""Augmentations of batches of voxels (B,D,H,W,1), axes x, y, z up, as pure functions of a seed, int (2,)."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfxai3d.data.augment.epochs import Transform, compose, shuffled_batches
from tfxai3d.errors import UserError

_HORIZONTAL = (1, 2)


def flip(grids: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Mirrors each grid along x and along y, each with probability 0.2 (VoxNet, VRN); never upside down."""
    chosen = tf.random.stateless_uniform((tf.shape(grids)[0], len(_HORIZONTAL)), seed) < 0.2
    for i, axis in enumerate(_HORIZONTAL):
        grids = tf.where(chosen[:, i, None, None, None, None], tf.reverse(grids, [axis]), grids)
    return grids


def shift(grids: tf.Tensor, seed: tf.Tensor, limit: int = 2) -> tf.Tensor:
    """Moves each grid by up to `limit` voxels along each axis; what leaves it is lost, what enters is empty.

    The same as VRN's rolling, wherever the grid has a margin of `limit` empty voxels.
    """
    steps = tf.random.stateless_uniform((tf.shape(grids)[0], 3), seed, -limit, limit + 1, tf.int32)
    for i in range(3):
        size = tf.shape(grids)[i + 1]
        source = tf.range(size) - steps[:, i, None]
        moved = tf.gather(grids, tf.clip_by_value(source, 0, size - 1), axis=i + 1, batch_dims=1)
        inside = tf.cast((source >= 0) & (source < size), grids.dtype)
        grids = moved * tf.reshape(inside, [-1, *(size if k == i else 1 for k in range(3)), 1])
    return grids


def quarter_turn(grids: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Rotates each grid about the up axis z by 0, 90, 180 or 270 degrees with equal probability."""
    count = tf.random.stateless_uniform((tf.shape(grids)[0],), seed, 0, 4, tf.int32)
    once = tf.reverse(tf.transpose(grids, (0, 2, 1, 3, 4)), [1])  # x' = -y, y' = x
    grids = tf.where((count % 2 == 1)[:, None, None, None, None], once, grids)
    return tf.where((count >= 2)[:, None, None, None, None], tf.reverse(grids, [1, 2]), grids)


def coarsen(grids: tf.Tensor | np.ndarray, size: int) -> tf.Tensor:
    """Returns grids (B,D,D,D,1) at `size` voxels a side, of the same type; an occupied voxel fills its block.

    Raises:
        UserError: If `size` does not divide D.
    """
    fine = grids.shape[1]
    if fine % size:
        raise UserError(f"grids of {fine} voxels a side cannot be coarsened to {size}; give a divisor")
    factor = fine // size
    blocks = tf.reshape(grids, (-1, size, factor, size, factor, size, factor, 1))
    return tf.reduce_max(blocks, axis=(2, 4, 6))


VOXEL_TRANSFORMS: dict[str, Transform] = {f.__name__: f for f in (flip, shift, quarter_turn)}


def voxel_augmentation(names: Sequence[str] = ("flip", "shift")) -> Transform:
    """Returns the transform that applies the named ones of `VOXEL_TRANSFORMS` in order; see `compose`."""
    return compose(VOXEL_TRANSFORMS, names)


def voxel_batches(
    grids: np.ndarray,
    labels: np.ndarray,
    *,
    num_classes: int,
    batch_size: int,
    augment: Transform,
    seed: tuple[int, int],
    size: int | None = None,
    plain_copy: bool = False,
) -> tf.data.Dataset:
    """One epoch of shuffled, augmented batches: float32 (batch_size,size,size,size,1), and one-hot labels.

    Args:
        grids: Occupancy (M,D,H,W,1) of 0 and 1; kept as uint8.
        labels: Classes (M,).
        num_classes: See `training_batches`, as the next one.
        batch_size: Grids a batch; an incomplete last batch is left out.
        augment: See `voxel_augmentation`.
        seed: The run's seed and the epoch; the same pair gives the same batches.
        size: Voxels along each axis of the batches, see `coarsen`; by default those of the grids.
        plain_copy: Whether each grid comes a second time, without augmentation, as in VRN's training.
    """
    count, source = len(grids), tf.constant(grids.astype(np.uint8, copy=False))

    def make(index: tf.Tensor, batch_seed: tf.Tensor) -> tf.Tensor:
        chosen = tf.gather(source, index % count)
        augmented = augment(chosen, batch_seed)
        batch = tf.where((index < count)[:, None, None, None, None], augmented, chosen)
        return tf.cast(batch if size is None else coarsen(batch, size), tf.float32)

    labels = np.tile(labels, 2) if plain_copy else labels
    return shuffled_batches(make, labels, num_classes=num_classes, batch_size=batch_size, seed=seed)
