"""Augmentations of batches of voxels (B,D,H,W,C), axes x, y, z up, as pure functions of a seed, int (2,)."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfxai3d.data.augment.epochs import Transform, compose, shuffled_batches
from tfxai3d.data.augment.rotation import rotate
from tfxai3d.errors import UserError

_HORIZONTAL = (1, 2)


def flip(grids: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Mirrors each grid along x and along y, each with probability 0.2 (VoxNet, VRN); never upside down."""
    chosen = tf.random.stateless_uniform((tf.shape(grids)[0], len(_HORIZONTAL)), seed) < 0.2
    for i, axis in enumerate(_HORIZONTAL):
        grids = tf.where(chosen[:, i, None, None, None, None], tf.reverse(grids, [axis]), grids)
    return grids


def mirror(grids: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Mirrors each grid along each of the three axes with probability 1/2; for volumes without an up axis."""
    chosen = tf.random.stateless_uniform((tf.shape(grids)[0], 3), seed) < 0.5
    for i in range(3):
        grids = tf.where(chosen[:, i, None, None, None, None], tf.reverse(grids, [i + 1]), grids)
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
    """Returns occupancy (B,D,D,D,C) at `size` voxels a side, of the same type: a voxel fills its block.

    Raises:
        UserError: If `size` does not divide D, the grids are no cubes, or have other values than 0 and 1.
    """
    sides = tuple(grids.shape[1:4])
    if sides == (size,) * 3:
        return grids
    _check_blocks(grids, sides, size)
    factor = sides[0] // size
    blocks = tf.reshape(grids, (-1, size, factor, size, factor, size, factor, grids.shape[4]))
    return tf.reduce_max(blocks, axis=(2, 4, 6))


def _check_blocks(grids: tf.Tensor | np.ndarray, sides: tuple[int, ...], size: int) -> None:
    if len(set(sides)) > 1 or sides[0] % size:
        shape = f"{sides[0]} voxels a side" if len(set(sides)) == 1 else "x".join(map(str, sides))
        raise UserError(f"grids of {shape} cannot be coarsened to {size}; give a divisor, or resample them")
    known = isinstance(grids, np.ndarray)
    if known and not all(((grid == 0) | (grid == 1)).all() for grid in grids):  # one by one, for the memory
        raise UserError(
            f"volumes of {sides[0]} voxels a side have values other than 0 and 1 and cannot be coarsened to "
            f"{size}; resample them"
        )


VOXEL_TRANSFORMS: dict[str, Transform] = {f.__name__: f for f in (flip, mirror, shift, rotate, quarter_turn)}


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
    """One epoch of shuffled, augmented batches: float32 (batch_size,D,H,W,C), and one-hot labels.

    Args:
        grids: Volumes (M,D,H,W,C): occupancy of 0 and 1, or any real values.
        labels: Classes (M,).
        num_classes: See `training_batches`, as the next one.
        batch_size: Grids a batch; an incomplete last batch is left out.
        augment: See `voxel_augmentation`.
        seed: The run's seed and the epoch; the same pair gives the same batches.
        size: Voxels along each axis of the batches, see `coarsen`; by default those of the grids.
        plain_copy: Whether each grid comes a second time, without augmentation, as in VRN's training.

    Raises:
        UserError: As `coarsen`.
    """
    if size is not None and grids.shape[1:4] != (size,) * 3:
        _check_blocks(grids, grids.shape[1:4], size)
    whole = grids.dtype in (np.bool_, np.uint8)  # occupancy, in a quarter of the memory
    count, source = len(grids), tf.constant(grids.astype(np.uint8 if whole else np.float32, copy=False))
    known = tf.constant(labels, tf.int32)

    def make(index: tf.Tensor, batch_seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        chosen = tf.gather(source, index % count)
        augmented = augment(chosen, batch_seed)
        chosen = tf.cast(chosen, augmented.dtype)
        batch = tf.where((index < count)[:, None, None, None, None], augmented, chosen)
        batch = batch if size is None else coarsen(batch, size)
        return tf.cast(batch, tf.float32), tf.gather(known, index % count)

    return shuffled_batches(
        make, 2 * count if plain_copy else count, num_classes=num_classes, batch_size=batch_size, seed=seed
    )
