"""Which way is up, and rotations about an axis."""

from collections.abc import Iterator

import numpy as np

from tfxai3d.errors import UserError


def z_up_to_y_up(points: np.ndarray) -> np.ndarray:
    """Moves points (...,3) of ModelNet's OFF files, z up, to y up as in its HDF5 files; its own inverse.

    The map (x, y, z) -> (-x, z, y): a rotation by half a turn.
    """
    return points[..., [0, 2, 1]] * np.array([-1, 1, 1], points.dtype)


def rotations_about(axis: int, angles: np.ndarray) -> np.ndarray:
    """Returns the matrices, float64 (R,3,3), that rotate about axis 0, 1 or 2 by angles (R,) in radians.

    A positive angle takes the next axis, in the order x, y, z, x, to the one after it.
    """
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrices = np.tile(np.eye(3), (len(angles), 1, 1))
    matrices[:, first, first] = matrices[:, second, second] = np.cos(angles)
    matrices[:, second, first] = np.sin(angles)
    matrices[:, first, second] = -matrices[:, second, first]
    return matrices


def even_rotations(count: int) -> np.ndarray:
    """Returns rotations about the up axis y by multiples of 360 / `count` degrees, 0 first.

    Matrices float32 (count,3,3): the views that PointNet's program and those after it let vote.
    """
    return rotations_about(1, 2 * np.pi * np.arange(count) / count).astype(np.float32)


def rotated_points(points: np.ndarray, count: int) -> Iterator[np.ndarray]:
    """Yields points (...,N,3) rotated about the up axis y by multiples of 360 / `count` degrees, 0 first."""
    for rotation in even_rotations(count):
        yield (points @ rotation.T).astype(points.dtype)


def rotated_grids(grids: np.ndarray, count: int) -> Iterator[np.ndarray]:
    """Yields grids (M,D,D,D,1) rotated about the up axis z by 1, 2 or 4 multiples of 360 / `count` degrees.

    Other angles would have to resample the voxels; rotate the mesh instead (`data.poses`).

    Raises:
        UserError: If `count` is not 1, 2 or 4.
    """
    if count not in (1, 2, 4):
        raise UserError(f"{count} views of a voxel grid: quarter turns make 1, 2 or 4; more need the meshes")
    for number in range(count):
        yield np.rot90(grids, number * 4 // count, axes=(1, 2))
