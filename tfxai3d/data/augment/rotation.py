"""Volumes rotated by small angles about any axis."""

from typing import Any

import numpy as np
from keras import ops

from tfxai3d.data.augment import draws


def rotate(grids: Any, seed: Any, limit: float = 15.0) -> Any:
    """Rotates each grid about a random axis through its middle by up to `limit` degrees: float32.

    Values between the voxels are interpolated linearly; what comes from outside of the grid is empty.
    """
    grids, count = ops.cast(grids, "float32"), ops.shape(grids)[0]
    axis = ops.normalize(draws.normal((count, 3), seed), axis=1)
    degrees = draws.uniform((count, 1), seed + 1, -limit, limit)
    sides = ops.shape(grids)[1:4]
    places = ops.stack(ops.meshgrid(*(ops.arange(side) for side in sides), indexing="ij"), axis=-1)
    middle = ops.cast(ops.stack([side - 1 for side in sides]), "float32") / 2
    offsets = ops.cast(ops.reshape(places, (1, -1, 3)), "float32") - middle
    turned = _rotated(offsets, axis[:, None], degrees[:, None] * np.float32(np.pi / 180))
    return ops.reshape(_interpolated(grids, turned + middle), ops.shape(grids))


def _rotated(vectors: Any, axis: Any, angle: Any) -> Any:
    """Returns vectors (1,V,3) rotated about axes (B,1,3) of length 1 by angles (B,1,1), by Rodrigues."""
    along = axis * ops.sum(axis * vectors, axis=-1, keepdims=True)
    return vectors * ops.cos(angle) + _cross(axis, vectors) * ops.sin(angle) + along * (1 - ops.cos(angle))


def _cross(a: Any, b: Any) -> Any:
    """Returns the products of vectors (...,3) whose other axes are broadcast."""
    (ax, ay, az), (bx, by, bz) = ([some[..., i] for i in range(3)] for some in (a, b))
    return ops.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)


def _interpolated(grids: Any, places: Any) -> Any:
    """Returns the values (B,V,C) of grids at places (B,V,3) in voxels, 0 outside."""
    count, *sides, channels = ops.shape(grids)
    padded = ops.pad(grids, ((0, 0), (1, 1), (1, 1), (1, 1), (0, 0)))
    a, b, c = (side + 1 for side in sides)
    corners = [padded[:, i : a + i, j : b + j, k : c + k] for i, j, k in np.ndindex(2, 2, 2)]
    cells = ops.reshape(ops.stack(corners, axis=4), (-1, 8 * channels))  # all that one place needs
    last = ops.cast(ops.stack(sides), "float32")
    places = ops.clip(places + 1, 0.0, last + 1)
    low = ops.minimum(ops.floor(places), last)
    index, (x, y, z) = ops.cast(low, "int32"), ops.unstack(places - low, axis=-1)
    number = ((ops.arange(count)[:, None] * a + index[..., 0]) * b + index[..., 1]) * c + index[..., 2]
    found = ops.reshape(ops.take(cells, number, axis=0), (count, -1, 2, 2, 2, channels))
    for far in (x, y, z):  # from 8 corners to 4, to 2, to 1
        far = ops.reshape(far, (count, -1, *[1] * (len(found.shape) - 3)))
        found = found[:, :, 0] * (1 - far) + found[:, :, 1] * far
    return found
