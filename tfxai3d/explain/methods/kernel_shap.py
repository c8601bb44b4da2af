"""KernelSHAP (Lundberg and Lee, NeurIPS 2017; paired coalitions by Covert and Lee, AISTATS 2021)."""

from typing import ClassVar

import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.coalitions import orders, sizes
from tfxai3d.explain.engine.game import Game
from tfxai3d.explain.engine.random_units import RandomUnits
from tfxai3d.explain.engine.weighted_fit import summing_to


class KernelSHAP(RandomUnits):
    """Shapley values by weighted least squares for the scores of random coalitions.

    Coalitions of s of the M units weigh `(M - 1) / (C(M,s) s (M - s))`: they are drawn with that probability,
    in pairs, one and what it lacks. If the budget reaches for all 2^M - 2 of them, each is taken once with
    its weight, and the values are exact. They add up to `v(all) - v(nothing)` in any case.

    Args:
        model: See `Explainer`.
        **kwargs: Of `RandomUnits`.
    """

    method: ClassVar[str] = "kernel_shap"
    title: ClassVar[str] = "KernelSHAP"

    def least(self, units: int) -> int:
        """Returns two passes a unit, or as many as there are coalitions."""
        return max(self.fewest, min(2 * units, 2**units - 2))

    def check(self, inputs: np.ndarray) -> None:
        """Raises a UserError if an example has one unit only, or too many for the budget."""
        super().check(inputs)
        if self.units.fewest_and_most(self.last(inputs))[0] < 2:
            raise UserError("kernel_shap needs at least two units, an example has one")

    def values(self, game: Game) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the values (M,) and their standard errors, 0 where they are exact."""
        players = game.players
        exact = players <= int(np.log2(self.budget + 2))

        def drawn() -> tuple[tf.Tensor, tf.Tensor]:
            held = _drawn(self.budget // 2, players, self.seed)
            return held, tf.ones(tf.shape(held)[:1], tf.float64)

        def every() -> tuple[tf.Tensor, tf.Tensor]:
            held = all_coalitions(players)
            return held, kernel_weights(held)

        held, weights = tf.cond(exact, every, drawn)
        scores = game.scores(tf.shape(held)[0], lambda number: tf.gather(held, number))
        start = game.nothing()
        values, error = summing_to(held, weights, scores, start, game.everything() - start)
        return values, tf.where(exact, tf.zeros_like(error), error)


def all_coalitions(players: tf.Tensor) -> tf.Tensor:
    """Returns all coalitions (2^M - 2,M) but that of all and that of none."""
    number = tf.range(1, tf.bitwise.left_shift(1, players) - 1)
    return tf.bitwise.right_shift(number[:, None], tf.range(players)) % 2 == 1


def kernel_weights(held: tf.Tensor) -> tf.Tensor:
    """Returns the Shapley kernel `(M - 1) / (C(M,s) s (M - s))` of coalitions (S,M), float64 (S,)."""
    size = tf.reduce_sum(tf.cast(held, tf.float64), axis=1)
    players = tf.cast(tf.shape(held)[1], tf.float64)
    ways = tf.math.lgamma(players + 1) - tf.math.lgamma(size + 1) - tf.math.lgamma(players - size + 1)
    return (players - 1) / (tf.exp(ways) * size * (players - size))


def _drawn(pairs: int, players: tf.Tensor, seed: int) -> tf.Tensor:
    """Returns coalitions (2 * pairs,M) drawn with the weights of the kernel, and what each lacks."""
    size = tf.range(1, players)
    weight = 1 / (tf.cast(size, tf.float64) * tf.cast(players - size, tf.float64))
    drawn = sizes(pairs, weight, seed)
    held = orders(pairs, players, seed) <= drawn[:, None]
    return tf.concat([held, ~held], axis=0)
