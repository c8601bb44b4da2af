"""Augmentations of batches of voxels (B,D,H,W,C), axes x, y, z up, as pure functions of a seed, int (2,)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from tfxai3d.data.augment import draws
from tfxai3d.data.augment.epochs import Batches, Transform, compose, shuffled_batches
from tfxai3d.data.augment.rotation import rotate
from tfxai3d.errors import UserError

_HORIZONTAL = (1, 2)


def flip(grids: Any, seed: Any) -> Any:
    """Mirrors each grid along x and along y, each with probability 0.2 (VoxNet, VRN); never upside down."""
    chosen = draws.uniform((ops.shape(grids)[0], len(_HORIZONTAL)), seed) < 0.2
    for i, axis in enumerate(_HORIZONTAL):
        grids = ops.where(chosen[:, i, None, None, None, None], ops.flip(grids, axis), grids)
    return grids


def mirror(grids: Any, seed: Any) -> Any:
    """Mirrors each grid along each of the three axes with probability 1/2; for volumes without an up axis."""
    chosen = draws.uniform((ops.shape(grids)[0], 3), seed) < 0.5
    for i in range(3):
        grids = ops.where(chosen[:, i, None, None, None, None], ops.flip(grids, i + 1), grids)
    return grids


def shift(grids: Any, seed: Any, limit: int = 2) -> Any:
    """Moves each grid by up to `limit` voxels along each axis; what leaves it is lost, what enters is empty.

    The same as VRN's rolling, wherever the grid has a margin of `limit` empty voxels.
    """
    count, *sides, channels = ops.shape(grids)
    steps = draws.integers((count, 3), seed, -limit, limit + 1)
    number = ops.reshape(ops.arange(count), (-1, 1, 1, 1))
    inside = ops.ones((1, 1, 1, 1), "bool")
    for i, size in enumerate(sides):
        place = ops.arange(size) - steps[:, i, None]
        place = ops.reshape(place, (-1, *(size if k == i else 1 for k in range(3))))
        inside = inside & (place >= 0) & (place < size)
        number = number * size + ops.clip(place, 0, size - 1)
    moved = ops.take(ops.reshape(grids, (-1, channels)), number, axis=0)
    return moved * ops.cast(inside[..., None], moved.dtype)


def quarter_turn(grids: Any, seed: Any) -> Any:
    """Rotates each grid about the up axis z by 0, 90, 180 or 270 degrees with equal probability."""
    count = draws.integers((ops.shape(grids)[0],), seed, 0, 4)
    once = ops.flip(ops.transpose(grids, (0, 2, 1, 3, 4)), 1)  # x' = -y, y' = x
    grids = ops.where((count % 2 == 1)[:, None, None, None, None], once, grids)
    return ops.where((count >= 2)[:, None, None, None, None], ops.flip(grids, (1, 2)), grids)


def coarsen(grids: Any, size: int) -> Any:
    """Returns occupancy (B,D,D,D,C) at `size` voxels a side, of the same type: a voxel fills its block.

    Raises:
        UserError: If `size` does not divide D, the grids are no cubes, or have other values than 0 and 1.
    """
    sides = tuple(grids.shape[1:4])
    if sides == (size,) * 3:
        return grids
    _check_blocks(grids, sides, size)
    factor = sides[0] // size
    blocks = ops.reshape(grids, (-1, size, factor, size, factor, size, factor, grids.shape[4]))
    return ops.max(blocks, axis=(2, 4, 6))


def _check_blocks(grids: Any, sides: tuple[int, ...], size: int) -> None:
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
) -> Batches:
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
    source = ops.convert_to_tensor(grids.astype(np.uint8 if whole else np.float32, copy=False))
    count, known = len(grids), ops.convert_to_tensor(labels, "int32")

    def make(index: Any, batch_seed: Any) -> tuple[Any, Any]:
        chosen = ops.take(source, index % count, axis=0)
        augmented = augment(chosen, batch_seed)
        chosen = ops.cast(chosen, augmented.dtype)
        batch = ops.where((index < count)[:, None, None, None, None], augmented, chosen)
        batch = batch if size is None else coarsen(batch, size)
        return ops.cast(batch, "float32"), ops.take(known, index % count, axis=0)

    return shuffled_batches(
        make, 2 * count if plain_copy else count, num_classes=num_classes, batch_size=batch_size, seed=seed
    )
