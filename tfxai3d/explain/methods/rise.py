"""RISE, randomized input sampling (Petsiuk et al., BMVC 2018)."""

from typing import ClassVar

import tensorflow as tf

from tfxai3d.explain.engine.coalitions import halves, mean_and_error
from tfxai3d.explain.engine.game import Game
from tfxai3d.explain.engine.random_units import RandomUnits


class RISE(RandomUnits):
    """The mean score of random coalitions that hold a unit, `E[v(S) | i in S]`.

    That is the paper's `E[v(S) 1(i in S)] / p` with the probability p = 1/2. Coalitions come in pairs, one
    and what it lacks, so that each unit is in one of both.
    """

    method: ClassVar[str] = "rise"
    title: ClassVar[str] = "RISE"

    def values(self, game: Game) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the mean scores (M,) and their standard errors."""
        pairs = self.budget // 2
        held = halves(pairs, game.players, self.seed)
        held = tf.concat([held, ~held], axis=0)
        scores = tf.cast(game.scores(2 * pairs, lambda number: tf.gather(held, number)), tf.float64)
        return mean_and_error(tf.where(held[:pairs], scores[:pairs, None], scores[pairs:, None]))
