"""Units: the points or voxels that are taken away together, the players of a game."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.models.layers.neighbors import farthest_points, gather
from tfxai3d.results.explanation import DataKind

_KNOWN: dict[DataKind, tuple[str, str]] = {"points": ("points", "clusters"), "voxels": ("voxels", "blocks")}


class Units:
    """Divides an example into units.

    Args:
        units: "points", each alone; "clusters", the points nearest to one of `num_clusters` points that lie
            far from each other, the first of which is point 0; "voxels", each that is not 0; "blocks", cubes
            of voxels of which one is not 0; or parts of your own, integers (N,) or (D,H,W) that number the
            units from 0, -1 for what is never taken away.
        num_clusters: Number of clusters.
        block_size: Edge of a block, in voxels.
        kind: Of the data.

    Raises:
        UserError: If the units are unknown or empty, or a number is below 1.
    """

    def __init__(self, units: Any, num_clusters: int, block_size: int, kind: DataKind):
        self.num_clusters, self.block_size = num_clusters, block_size
        for name, value in (("num_clusters", num_clusters), ("block_size", block_size)):
            if value < 1:
                raise UserError(f"{name} must be at least 1, it is {value}")
        self._parts = None if isinstance(units, str) else _checked(units)
        self.name = units if isinstance(units, str) else "parts"
        if self._parts is None and units not in _KNOWN[kind]:
            known = " or ".join(map(repr, _KNOWN[kind]))
            raise UserError(f"units of {kind} must be {known}, or an array of parts, they are {units!r}")

    def describe(self) -> dict[str, Any]:
        """Returns the options that decide the units, JSON-compatible."""
        own = {"clusters": {"num_clusters": self.num_clusters}, "blocks": {"block_size": self.block_size}}
        return {"units": self.name, **own.get(self.name, {})}

    def check(self, inputs: np.ndarray) -> None:
        """Raises a UserError if the units do not fit the inputs, or an example has none."""
        places = inputs.shape[1:-1]
        if self._parts is not None and self._parts.shape != places:
            raise UserError(f"units must number places {places}, they are of shape {self._parts.shape}")
        if self.name == "clusters" and self.num_clusters > places[0]:
            raise UserError(f"num_clusters must be at most {places[0]}, the points of a cloud")
        if self.name in ("voxels", "blocks") and not inputs.reshape(len(inputs), -1).any(axis=1).all():
            raise UserError("an example is empty: it has no voxel that could be taken away")

    def fewest_and_most(self, inputs: np.ndarray) -> tuple[int, int]:
        """Returns the least and the largest number of units of an example."""
        counts = [1 + int(tf.reduce_max(self.labels(tf.constant(one)))) for one in inputs]
        return min(counts), max(counts)

    def labels(self, example: tf.Tensor) -> tf.Tensor:
        """Returns the unit of each point (N,) or voxel (D,H,W), int32 from 0; -1 for none."""
        if self._parts is not None:
            return tf.constant(self._parts)
        if self.name == "points":
            return tf.range(tf.shape(example)[0])
        if self.name == "clusters":
            return _numbered(self._nearest_centre(example[:, :3]))
        size = self.block_size if self.name == "blocks" else 1
        shape = tf.shape(example)[:3]
        d, h, w = tf.meshgrid(*(tf.range(n) // size for n in tf.unstack(shape)), indexing="ij")
        block = (d * shape[1] + h) * shape[2] + w
        return _numbered(tf.where(tf.reduce_any(example != 0, axis=-1), block, -1))

    def _nearest_centre(self, points: tf.Tensor) -> tf.Tensor:
        centres = gather(points[None], farthest_points(points[None], self.num_clusters))[0]
        distance = tf.reduce_sum((points[:, None] - centres) ** 2, axis=-1)
        return tf.argmin(distance, axis=-1, output_type=tf.int32)


def _numbered(group: tf.Tensor) -> tf.Tensor:
    """Returns the same groups, numbered from 0 without gaps in the order in which they appear; -1 stays."""
    flat = tf.reshape(group, (-1,))
    place = tf.where(flat >= 0)
    number = tf.unique(tf.gather_nd(flat, place)).idx
    return tf.reshape(
        tf.tensor_scatter_nd_update(tf.fill(tf.shape(flat), -1), place, number), tf.shape(group)
    )


def _checked(units: Any) -> np.ndarray:
    parts = np.asarray(units)
    if not np.issubdtype(parts.dtype, np.integer) or parts.size == 0:
        raise UserError("units must be a name or an array of integers, the number of each place's unit")
    found = np.unique(parts)
    missing = np.setdiff1d(np.arange(found[-1] + 1), found)
    if found[0] < -1 or found[-1] < 0:
        raise UserError("units must be numbered from 0, with -1 for places that are never taken away")
    if missing.size:
        raise UserError(f"unit {missing[0]} has no {'point' if parts.ndim == 1 else 'voxel'}")
    return parts.astype(np.int32)
