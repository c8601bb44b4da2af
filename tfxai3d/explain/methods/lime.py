"""LIME (Ribeiro et al., KDD 2016; of clouds Tan and Kotthaus, WACV 2022)."""

from typing import Any, ClassVar

import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.coalitions import halves
from tfxai3d.explain.engine.game import Game
from tfxai3d.explain.engine.random_units import RandomUnits
from tfxai3d.explain.engine.weighted_fit import ridge

_PENALTY = 1.0  # of the authors' ridge regression


class LIME(RandomUnits):
    """The coefficients of a linear model of the score, fitted to random coalitions near the whole.

    A coalition that holds each unit with probability 1/2 weighs `sqrt(exp(-d^2 / kernel_width^2))`, d its
    cosine distance from the whole, and a ridge penalty of 1 keeps the coefficients small: the authors'
    program for pictures. Published for clouds with 20 clusters and 1,000 queries, which are the defaults.

    Args:
        model: See `Explainer`.
        kernel_width: Of the weights.
        **kwargs: Of `RandomUnits`.

    Raises:
        UserError: If the width is not above 0.
    """

    method: ClassVar[str] = "lime"
    title: ClassVar[str] = "LIME"

    def __init__(self, model: Any, kernel_width: float = 0.25, **kwargs: Any):
        super().__init__(model, **kwargs)
        if not 0 < kernel_width < float("inf"):
            raise UserError(f"kernel_width must be above 0, it is {kernel_width}")
        self.kernel_width = kernel_width

    def options(self) -> dict[str, Any]:
        """Returns the units, the budget, the seed and the width."""
        return {**super().options(), "kernel_width": self.kernel_width}

    def values(self, game: Game) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the coefficients (M,) and their standard errors."""
        held = halves(self.budget, game.players, self.seed)
        held = tf.concat([tf.ones_like(held[:1]), held[1:]], axis=0)  # the whole comes first, as published
        scores = game.scores(self.budget, lambda number: tf.gather(held, number))
        distance = 1 - tf.sqrt(tf.reduce_mean(tf.cast(held, tf.float64), axis=1))
        weights = tf.exp(-((distance / self.kernel_width) ** 2) / 2)
        return ridge(held, weights, scores, _PENALTY)
