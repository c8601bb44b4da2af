"""Which way is up, and rotations about an axis."""

from collections.abc import Iterator
from typing import Literal

import numpy as np

from tfxai3d.errors import UserError

Z_UP_TO_Y_UP = np.array([[-1, 0, 0], [0, 0, 1], [0, 1, 0]], np.float32)
"""The rotation of `z_up_to_y_up`."""


def z_up_to_y_up(points: np.ndarray) -> np.ndarray:
    """Moves points (...,3) of ModelNet's OFF files, z up, to y up as in its HDF5 files; its own inverse.

    The map (x, y, z) -> (-x, z, y): a rotation by half a turn.
    """
    return points[..., [0, 2, 1]] * np.array([-1, 1, 1], points.dtype)


def with_other_axis_up(points: np.ndarray) -> np.ndarray:
    """Turns a cloud (N,3+F) as `z_up_to_y_up` does, or back, which is the same; normals turn with it."""
    return points @ of_all_columns(Z_UP_TO_Y_UP, points).T


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


def of_all_columns(rotations: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Returns rotations of all columns of a cloud: normals turn with x y z, all else stays.

    Normals are the first three columns side by side after x y z whose rows are unit vectors, or 0 where a
    point has none; colours and intensities do not depend on the pose.

    Args:
        rotations: Matrices (...,3,3).
        points: The cloud (N,3+F).

    Returns:
        Matrices (...,3+F,3+F), of the dtype of the rotations; a point is rotated by `matrix @ point`.
    """
    columns = points.shape[-1]
    matrices = np.broadcast_to(
        np.eye(columns, dtype=rotations.dtype), (*rotations.shape[:-2], columns, columns)
    )
    matrices = matrices.copy()
    matrices[..., :3, :3] = rotations
    first = normal_columns(points)
    if first is not None:
        matrices[..., first : first + 3, first : first + 3] = rotations
    return matrices


def normal_columns(points: np.ndarray) -> int | None:
    """Returns the first of the three columns of points (...,3+F) that are normals, see `of_all_columns`."""
    for first in range(3, points.shape[-1] - 2):
        length = np.linalg.norm(points[..., first : first + 3], axis=-1)
        if length.any() and (np.isclose(length, 1, atol=1e-3) | (length == 0)).all():
            return first
    return None


def even_rotations(count: int, up: Literal["y", "z"] = "y") -> np.ndarray:
    """Returns rotations about the up axis by multiples of 360 / `count` degrees, 0 first.

    Matrices float32 (count,3,3): the views that PointNet's program and those after it let vote.
    """
    return rotations_about("xyz".index(up), 2 * np.pi * np.arange(count) / count).astype(np.float32)


def rotated_points(points: np.ndarray, count: int) -> Iterator[np.ndarray]:
    """Yields points rotated about the up axis y by multiples of 360 / `count` degrees, 0 first.

    The points are (...,N,3+F); see `of_all_columns`.
    """
    for rotation in of_all_columns(even_rotations(count), points.reshape(-1, points.shape[-1])):
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
