"""When surgery happens and how much it cuts."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
from keras import ops

from tfxai3d.errors import UserError
from tfxai3d.pruning.schedule import Schedule, check_share

Scope = Literal["global", "layer"]
Importance = Literal["magnitude", "lamp", "gradient"]
Crate = float | Sequence[float] | Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Plan:
    """The settings of a surgery; `DynamicNetworkSurgery` explains them.

    Raises:
        UserError: If they contradict each other or are out of range.
    """

    c: Crate | None
    target: float | Schedule | None
    scope: Scope
    importance: Importance
    gamma: float
    power: float
    iter_stop: int
    frequency: int

    def __post_init__(self) -> None:
        if (self.c is None) == (self.target is None):
            raise UserError("give either the crate c or the target, the share of weights to leave")
        if self.target is not None and not callable(self.target):
            check_share(self.target)
        for name, known in (("scope", Scope), ("importance", Importance)):
            if getattr(self, name) not in get_args(known):
                raise UserError(
                    f"{name} {getattr(self, name)!r}: must be one of {', '.join(get_args(known))}"
                )
        if self.importance != "magnitude" and self.target is None:
            raise UserError(f"c is for magnitudes; importance {self.importance!r} needs a target, give one")
        if self.gamma < 0 or self.power < 0 or self.iter_stop < 1 or self.frequency < 1:
            raise UserError(
                f"gamma {self.gamma}, power {self.power}, iter_stop {self.iter_stop}, frequency "
                f"{self.frequency}: gamma and power must not be negative, the others at least 1"
            )

    def due(self, step: Any, draw: Any) -> tuple[Any, Any]:
        """Returns whether to operate after a step, and the share of weights to leave (1 where c decides).

        Args:
            step: Updates since the start, int scalar.
            draw: A number drawn from [0, 1).
        """
        if callable(self.target):
            due, sparsity = self.target(step)
            return ops.convert_to_tensor(due), 1 - ops.convert_to_tensor(sparsity)
        chance = (1 + self.gamma * ops.cast(step, "float32")) ** -self.power
        due = ops.logical_and(step < self.iter_stop, draw < chance)
        if self.target is None:
            return due, 1.0
        return ops.logical_and(due, ops.equal(step % self.frequency, 0)), self.target

    def crates(self, paths: Sequence[str]) -> np.ndarray:
        """Returns c of each layer (L,).

        Raises:
            UserError: If there are not as many as layers, or a layer is unknown or missing.
        """
        if isinstance(self.c, Mapping):
            if set(self.c) != set(paths):
                wrong = sorted(set(self.c) ^ set(paths))
                raise UserError(f"c must name every layer, and no other; check {', '.join(wrong)}")
            values = [self.c[path] for path in paths]
        elif isinstance(self.c, Sequence):
            values = list(self.c)
        else:
            values = [self.c if self.c is not None else 0.0] * len(paths)
        if len(values) != len(paths):
            raise UserError(f"{len(values)} values of c for {len(paths)} layers: {', '.join(paths)}")
        if np.isnan(values).any():
            raise UserError("c is not a number")
        return np.array(values, "float64")
