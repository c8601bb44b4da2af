"""Shapley values by sampled orders, the "IME" of Strumbelj and Kononenko (JMLR 2010)."""

from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.coalitions import mean_and_error, orders
from tfxai3d.explain.engine.game import Game
from tfxai3d.explain.engine.perturbation import Perturbation

_PAIRS = 25


class ShapleySampling(Perturbation):
    """What a unit adds to the score when it arrives, on average over random orders of arrival.

    Each order is walked forth and back, an antithetic pair (Mitchell et al., JMLR 2022), which is what the
    standard error counts as one sample. The values add up to `v(all) - v(nothing)`, whatever the number of
    orders. Where the points meet in one max, an order costs a running maximum and the head.

    Args:
        model: See `Explainer`.
        budget: Passes an example; by default 50 orders. Two pairs of orders are needed, 4 passes a unit.
        seed: Of the orders, the same for all examples.
        **kwargs: Of `Perturbation`.

    Raises:
        UserError: If the budget is below one pass.
    """

    method: ClassVar[str] = "shapley_sampling"
    title: ClassVar[str] = "Shapley sampling"

    def __init__(self, model: Any, budget: int | None = None, seed: int = 0, **kwargs: Any):
        super().__init__(model, **kwargs)
        if budget is not None and budget < 1:
            raise UserError(f"budget must be at least one pass, it is {budget}")
        self.budget, self.seed = budget, seed

    def options(self) -> dict[str, Any]:
        """Returns the units, the budget and the seed."""
        return {**super().options(), "budget": self.budget, "seed": self.seed}

    def check(self, inputs: np.ndarray) -> None:
        """Raises a UserError if the budget is too small for the units of an example."""
        super().check(inputs)
        most = self.budget and self.units.fewest_and_most(self.last(inputs))[1]
        if most and self.budget < 4 * most:  # type: ignore[operator]
            raise UserError(
                f"budget must be at least {4 * most} passes, two pairs of orders of {most} units; "
                f"it is {self.budget}"
            )

    def values(self, game: Game) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the mean gains (M,) and their standard errors."""
        pairs = _PAIRS if self.budget is None else self.budget // (2 * game.players)
        forth = orders(pairs, game.players, self.seed)
        ranks = tf.concat([forth, game.players - 1 - forth], axis=0)
        scores = tf.cast(game.along(ranks), tf.float64)
        start = tf.fill((2 * pairs, 1), tf.cast(game.nothing(), tf.float64))
        gains = scores - tf.concat([start, scores[:, :-1]], axis=1)
        of_units = tf.gather(gains, ranks, batch_dims=1)
        return mean_and_error((of_units[:pairs] + of_units[pairs:]) / 2)
