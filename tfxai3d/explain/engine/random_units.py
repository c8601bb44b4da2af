"""What methods share that ask for the scores of random coalitions."""

from typing import Any, ClassVar

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.perturbation import Perturbation


class RandomUnits(Perturbation):
    """An explainer by random coalitions of units.

    Args:
        model: See `Explainer`.
        budget: Coalitions an example, one pass each.
        seed: Of the coalitions, the same for all examples.
        **kwargs: Of `Perturbation`.

    Raises:
        UserError: If the budget is below what the method needs.
    """

    fewest: ClassVar[int] = 4
    """The least budget."""

    def __init__(self, model: Any, budget: int = 1000, seed: int = 0, **kwargs: Any):
        super().__init__(model, **kwargs)
        if budget < self.fewest:
            raise UserError(f"budget must be at least {self.fewest} passes, it is {budget}")
        self.budget, self.seed = budget, seed

    def options(self) -> dict[str, Any]:
        """Returns the units, the budget and the seed."""
        return {**super().options(), "budget": self.budget, "seed": self.seed}
