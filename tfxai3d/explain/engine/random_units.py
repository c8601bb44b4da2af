"""What methods share that ask for the scores of random coalitions."""

import copy
import time
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.perturbation import Perturbation
from tfxai3d.explain.engine.target import TargetTensor
from tfxai3d.explain.explainer import Parts


class RandomUnits(Perturbation):
    """An explainer by random coalitions of units.

    Args:
        model: See `Explainer`.
        budget: Coalitions an example, one pass each.
        seed: Of the coalitions, the same for all examples.
        budget_seconds: Seconds an example, in the place of `budget`: each call tries on its first example how
            many passes that is, so equal calls need not give equal answers. The number is in the options of
            the answer, as its budget; tracing and the trial are not counted. Such an explainer cannot be
            exported.
        **kwargs: Of `Perturbation`.

    Raises:
        UserError: If the budget is below what the method needs.
    """

    fewest: ClassVar[int] = 4
    """The least budget, whatever the units."""

    def __init__(
        self,
        model: Any,
        budget: int = 1000,
        seed: int = 0,
        budget_seconds: float | None = None,
        **kwargs: Any,
    ):
        super().__init__(model, **kwargs)
        if budget < self.fewest:
            fewest = "one pass" if self.fewest == 1 else f"{self.fewest} passes"
            raise UserError(f"budget must be at least {fewest}, it is {budget}")
        if budget_seconds is not None and not 0 < budget_seconds < float("inf"):
            raise UserError(f"budget_seconds must be above 0, it is {budget_seconds}")
        self.budget, self.seed, self.budget_seconds = budget, seed, budget_seconds

    def options(self) -> dict[str, Any]:
        """Returns the units, the budget and the seed."""
        return {**super().options(), "budget": self.budget, "seed": self.seed}

    def least(self, units: int) -> int:
        """Returns the least budget for so many units."""
        return self.fewest

    def check(self, inputs: np.ndarray) -> None:
        """Raises a UserError if the budget is too small for the units of an example."""
        super().check(inputs)
        if self.budget_seconds is not None:
            return
        most = self.units.fewest_and_most(self.last(inputs))[1]
        if self.budget < self.least(most):
            raise UserError(
                f"budget must be at least {self.least(most)} passes for {most} units, it is {self.budget}"
            )

    def planned(self, inputs: Any, fixed: Mapping[str, Any] | None) -> "RandomUnits":
        """Returns the same explainer with as many passes as `budget_seconds` has time for."""
        if self.budget_seconds is None:
            return self
        first = self._checked(inputs)[:1]
        passes = max(self.least(self.units.fewest_and_most(self.last(first))[1]), self.batch_size)
        trial, held = self._with(passes), {name: np.asarray(one)[:1] for name, one in (fixed or {}).items()}
        trial(first, None, held)  # traces
        began = time.perf_counter()
        trial(first, None, held)
        seconds = time.perf_counter() - began
        if seconds > self.budget_seconds:
            raise UserError(
                f"budget_seconds must be at least {seconds:.2g}, what {passes} passes take; it is "
                f"{self.budget_seconds}"
            )
        return self._with(int(passes * self.budget_seconds / seconds))

    def explain_batch(self, inputs: tf.Tensor, target: TargetTensor) -> Parts:
        """Returns what `Perturbation` does."""
        if self.budget_seconds is not None:
            raise UserError("budget_seconds is tried out by each call, which a graph cannot do: give budget")
        return super().explain_batch(inputs, target)

    def _with(self, budget: int) -> "RandomUnits":
        """Returns the same explainer with a budget of passes."""
        other = copy.copy(self)
        other.budget, other.budget_seconds = budget, None
        other._compiled = tf.function(other._traced, autograph=False)
        return other
