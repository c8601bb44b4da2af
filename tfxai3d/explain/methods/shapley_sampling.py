"""Shapley values by sampled orders, the "IME" of Strumbelj and Kononenko (JMLR 2010)."""

from typing import Any, ClassVar

import tensorflow as tf

from tfxai3d.explain.engine.coalitions import mean_and_error, orders
from tfxai3d.explain.engine.game import Game
from tfxai3d.explain.engine.random_units import RandomUnits

_PAIRS = 25


class ShapleySampling(RandomUnits):
    """What a unit adds to the score when it arrives, on average over random orders of arrival.

    Each order is walked forth and back, an antithetic pair (Mitchell et al., JMLR 2022), which is what the
    standard error counts as one sample. The values add up to `v(all) - v(nothing)`, whatever the number of
    orders. Where the points meet in one max, an order costs a running maximum and the head.

    Args:
        model: See `Explainer`.
        budget: Passes an example; by default 50 orders. Two pairs of orders are needed, 4 passes a unit.
        **kwargs: Of `RandomUnits`.

    Raises:
        UserError: If the budget is below one pass.
    """

    method: ClassVar[str] = "shapley_sampling"
    title: ClassVar[str] = "Shapley sampling"

    fewest: ClassVar[int] = 1

    def __init__(self, model: Any, budget: int | None = None, **kwargs: Any):
        super().__init__(model, self.fewest if budget is None else budget, **kwargs)
        self._usual = budget is None and self.budget_seconds is None

    def options(self) -> dict[str, Any]:
        """Returns the units, the budget, None for the usual number of orders, and the seed."""
        return {**super().options(), "budget": None if self._usual else self.budget}

    def least(self, units: int) -> int:
        """Returns the passes of two pairs of orders."""
        return 1 if self._usual else 4 * units

    def values(self, game: Game) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the mean gains (M,) and their standard errors."""
        pairs = _PAIRS if self._usual else self.budget // (2 * game.players)
        forth = orders(pairs, game.players, self.seed)
        ranks = tf.concat([forth, game.players - 1 - forth], axis=0)
        scores = tf.cast(game.along(ranks), tf.float64)
        start = tf.fill((2 * pairs, 1), tf.cast(game.nothing(), tf.float64))
        gains = scores - tf.concat([start, scores[:, :-1]], axis=1)
        of_units = tf.gather(gains, ranks, batch_dims=1)
        return mean_and_error((of_units[:pairs] + of_units[pairs:]) / 2)
