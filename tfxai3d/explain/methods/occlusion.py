"""Occlusion (Zeiler and Fergus, ECCV 2014) by a cube that slides over the object."""

from typing import Any, ClassVar

import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.game import Game
from tfxai3d.explain.engine.perturbation import Perturbation


class Occlusion(Perturbation):
    """What the score loses when all points or voxels in a cube go, averaged over the cubes that hold a unit.

    The cube has `size` times the largest extent of the object's box and slides by half of its edge, so that
    the number of passes does not grow with the resolution: at most 343 with a size of 1/4.

    Args:
        model: See `Explainer`.
        size: Edge of the cube, as a fraction of the largest extent of the cloud or grid.
        **kwargs: Of `Perturbation`; a unit goes where its middle is in the cube.

    Raises:
        UserError: If the size is not in (0, 1].
    """

    method: ClassVar[str] = "occlusion"
    title: ClassVar[str] = "Occlusion"
    default_units: ClassVar[dict[str, str]] = {"points": "points", "voxels": "voxels"}

    def __init__(self, model: Any, size: float = 0.25, **kwargs: Any):
        if not 0 < size <= 1:
            raise UserError(f"size must be in (0, 1], it is {size}")
        super().__init__(model, **kwargs)
        self.size = size

    def options(self) -> dict[str, Any]:
        """Returns the units and the size of the cube."""
        return {**super().options(), "size": self.size}

    def values(self, game: Game) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the mean losses (M,), which are exact."""
        middle = self._middles(game)
        margin = 0.5 if self.network.kind == "voxels" else 0.0
        low, high = tf.reduce_min(middle, axis=0) - margin, tf.reduce_max(middle, axis=0) + margin
        edge = self.size * tf.reduce_max(high - low)
        step = edge / 2
        steps = 1 + tf.maximum(
            tf.cast(tf.math.ceil(tf.math.divide_no_nan(high - low - edge, step)), tf.int32), 0
        )

        def inside(number: tf.Tensor) -> tf.Tensor:
            place = tf.transpose(tf.unravel_index(number, steps))
            start = (low + step * tf.cast(place, low.dtype))[:, None]
            slack = 1e-4 * edge  # else rounding leaves the points of the far side in no cube
            return tf.reduce_all((middle >= start - slack) & (middle <= start + edge + slack), axis=-1)

        def holds_any(number: tf.Tensor) -> tf.Tensor:
            return tf.reduce_any(inside(number[None]))

        cubes = tf.range(tf.reduce_prod(steps))
        cubes = tf.boolean_mask(
            cubes, tf.map_fn(holds_any, cubes, parallel_iterations=1, fn_output_signature=tf.bool)
        )
        scores = game.scores(tf.size(cubes), lambda number: ~inside(tf.gather(cubes, number)))
        losses = game.everything() - scores

        def add(number: tf.Tensor, total: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, ...]:
            gone = tf.cast(inside(cubes[number][None])[0], total.dtype)
            return number + 1, total + losses[number] * gone, count + gone

        zeros = tf.zeros_like(middle[:, 0])
        _, total, count = tf.while_loop(lambda i, *_: i < tf.size(cubes), add, (0, zeros, zeros))
        return total / count, zeros

    def _middles(self, game: Game) -> tf.Tensor:
        """Returns the mean coordinates (M,3) of each unit's places."""
        if self.network.kind == "points":
            places = game.example[:, :3]
        else:
            axes = tf.meshgrid(*map(tf.range, tf.unstack(tf.shape(game.labels))), indexing="ij")
            places = tf.cast(tf.reshape(tf.stack(axes, axis=-1), (-1, 3)), game.example.dtype)
        unit = tf.reshape(game.labels, (-1,))  # -1 is left out
        return tf.math.unsorted_segment_mean(places, unit, game.players)
