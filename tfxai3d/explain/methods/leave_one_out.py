"""Leave one out, the "EXPLAIN" of Robnik-Sikonja and Kononenko (IEEE TKDE 2008)."""

from typing import ClassVar

import tensorflow as tf

from tfxai3d.explain.engine.game import Game
from tfxai3d.explain.engine.perturbation import Perturbation


class LeaveOneOut(Perturbation):
    """What the score loses when a unit goes, `v(all) - v(all without i)`.

    One pass a unit: each point by itself, or each block of voxels. Where the points meet in one max, the two
    largest values of each channel tell all of it.
    """

    method: ClassVar[str] = "leave_one_out"
    title: ClassVar[str] = "Leave one out"
    default_units: ClassVar[dict[str, str]] = {"points": "points", "voxels": "blocks"}

    def values(self, game: Game) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the losses (M,), which are exact."""
        loss = game.losses()
        return loss, tf.zeros_like(loss)
