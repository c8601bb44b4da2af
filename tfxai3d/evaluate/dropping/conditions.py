"""The ways to choose points that a drop experiment compares: by a method's importance, or by chance."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from tfxai3d import explain
from tfxai3d.errors import UserError
from tfxai3d.evaluate.dropping.forward import Forward
from tfxai3d.evaluate.dropping.importance import Fixed, Importance, Recomputed, random_importance
from tfxai3d.evaluate.dropping.modes import Order

Rater = Callable[[np.ndarray, np.ndarray, int], Importance]
"""Makes the importance of a batch from its clouds (B,N,3), its labels (B,) and the first cloud's number."""

_FIXED_STEP = 50  # points a step where the order is fixed: the same points go, in fewer forward passes


class Condition(NamedTuple):
    """One way to choose points."""

    method: str  # a name of `tfxai3d.explain`, or "random"
    order: Order  # which points go first, those of the "highest" or those of the "lowest" importance

    @classmethod
    def parse(cls, text: str) -> "Condition":
        """Reads "method" or "method:order", such as "point_saliency:lowest"; a UserError if it is neither."""
        method, _, order = text.partition(":")
        if method != "random":
            explain.get(method)
        if order not in ("", "highest", "lowest"):
            raise UserError(f"condition {text!r}: after the colon say highest or lowest")
        return cls(method, "lowest" if order == "lowest" else "highest")

    def rater(
        self, model: Any, options: Mapping[str, Any], *, recompute: bool, batch_size: int, seed: int
    ) -> Rater:
        """Returns what makes the importance of a batch of clouds.

        Args:
            model: Maps points (B,N,3) to logits.
            options: Of methods, by name; those that this method takes are used.
            recompute: Whether the importance is computed anew in each step, not once for the whole cloud.
            batch_size: The most clouds that the network sees at once.
            seed: Seed of the random orders.
        """
        if self.method == "random":
            forward = Forward(model, batch_size)
            return lambda clouds, _, first: Fixed(random_importance(map(len, clouds), seed, first), forward)
        source = Recomputed(explain.create(self.method, model, batch_size=batch_size, **options))
        if recompute:
            return lambda clouds, labels, first: source
        return lambda clouds, labels, first: Fixed.once(source, clouds, labels)

    def schedule(self, num_drop: int, num_steps: int, recompute: bool) -> tuple[int, int]:
        """Returns points a step and steps; where the order is fixed, fewer steps drop the same points."""
        total = num_drop * num_steps
        if (self.method == "random" or not recompute) and total % _FIXED_STEP == 0:
            return _FIXED_STEP, total // _FIXED_STEP
        return num_drop, num_steps
