"""The settings of a surgery: when it happens and how much it cuts, also by targets that change."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
from keras import ops

from tfxai3d.errors import UserError, check_choice

Scope = Literal["global", "layer"]
Importance = Literal["magnitude", "lamp", "gradient"]
CRate = float | Sequence[float] | Mapping[str, float]


@runtime_checkable
class Schedule(Protocol):
    """A target that changes; the schedules of tensorflow_model_optimization are of this kind."""

    def __call__(self, step: Any) -> tuple[Any, Any]:
        """Returns whether the masks are renewed after the step (int scalar tensor), and the sparsity."""


@dataclasses.dataclass(frozen=True)
class GradualTarget:
    """Cuts many weights at first and ever fewer as they get scarce (Zhu and Gupta 2017, equation 1).

    The density at a step is `density + (start_density - density) * (1 - step / ramp_steps)^3`. Then surgery
    goes on until `stop_step`, so that weights that were cut by mistake can still come back.

    Args:
        density: Fraction of the weights left in the end.
        ramp_steps: Steps until then; 0 prunes at once.
        stop_step: No surgery from this step on.
        frequency: Steps from one surgery to the next.
        start_density: Fraction left at the start: below 1 for a model that is pruned already.
    """

    density: float
    ramp_steps: int
    stop_step: int
    frequency: int = 25
    start_density: float = 1.0

    def __post_init__(self) -> None:
        check_density(self.density)
        if not self.density <= self.start_density <= 1:
            raise UserError(f"start_density {self.start_density}: must be from density, {self.density}, to 1")
        if not 0 <= self.ramp_steps < self.stop_step or self.frequency < 1:
            raise UserError(
                f"ramp_steps {self.ramp_steps}, stop_step {self.stop_step}, frequency {self.frequency}: the "
                "ramp must end before surgery stops, and the frequency be at least 1"
            )

    def __call__(self, step: Any) -> tuple[Any, Any]:
        """Returns whether the masks are renewed after the step, and the sparsity."""
        progress = ops.minimum(ops.cast(step, "float32") / max(self.ramp_steps, 1e-3), 1.0)
        if self.ramp_steps == 0:
            progress = ops.ones_like(progress)
        due = ops.logical_and(ops.equal(step % self.frequency, 0), step < self.stop_step)
        for end in (self.ramp_steps, self.stop_step - 1):  # whatever the frequency
            due = ops.logical_or(due, ops.equal(step, end))
        return due, 1 - self.density - (self.start_density - self.density) * (1 - progress) ** 3


def check_density(density: float) -> None:
    """Raises a UserError unless a target is in (0, 1]."""
    if not 0 < density <= 1:
        raise UserError(f"target {density}: the fraction of weights left must be above 0 and at most 1")


@dataclasses.dataclass(frozen=True)
class Plan:
    """The settings of a surgery, which `DynamicNetworkSurgery` explains; nonsense is a UserError."""

    c_rate: CRate | None
    target: float | Schedule | None
    scope: Scope
    importance: Importance
    gamma: float
    power: float
    iter_stop: int
    frequency: int

    def __post_init__(self) -> None:
        if (self.c_rate is None) == (self.target is None):
            raise UserError("give either c_rate or target, the density to leave")
        if self.target is not None and not callable(self.target):
            check_density(self.target)
        check_choice("scope", self.scope, get_args(Scope))
        check_choice("importance", self.importance, get_args(Importance))
        if self.importance != "magnitude" and self.target is None:
            raise UserError(
                f"c_rate is for magnitudes; importance {self.importance!r} needs a target, give one"
            )
        if self.gamma < 0 or self.power < 0 or self.iter_stop < 1 or self.frequency < 1:
            raise UserError(
                f"gamma {self.gamma}, power {self.power}, iter_stop {self.iter_stop}, frequency "
                f"{self.frequency}: gamma and power must not be negative, the others at least 1"
            )

    def due(self, step: Any, draw: Any) -> tuple[Any, Any]:
        """Returns whether the masks are renewed after `step` updates, and the density; 1 for c_rate.

        A number drawn from [0, 1), `draw`, decides where gamma and power make surgery a matter of chance.
        """
        if callable(self.target):
            due, sparsity = self.target(step)
            return ops.convert_to_tensor(due), 1 - ops.convert_to_tensor(sparsity)
        chance = (1 + self.gamma * ops.cast(step, "float32")) ** -self.power
        due = ops.logical_and(step < self.iter_stop, draw < chance)
        if self.target is None:
            return due, 1.0
        return ops.logical_and(due, ops.equal(step % self.frequency, 0)), self.target

    def c_rates(self, paths: Sequence[str]) -> np.ndarray:
        """Returns c_rate of each layer (L,), of which there must be as many."""
        if isinstance(self.c_rate, Mapping):
            if set(self.c_rate) != set(paths):
                wrong = sorted(set(self.c_rate) ^ set(paths))
                raise UserError(f"c_rate must name every layer, and no other; check {', '.join(wrong)}")
            values = [self.c_rate[path] for path in paths]
        elif isinstance(self.c_rate, Sequence):
            values = list(self.c_rate)
        else:
            values = [self.c_rate if self.c_rate is not None else 0.0] * len(paths)
        if len(values) != len(paths):
            raise UserError(f"{len(values)} values of c_rate for {len(paths)} layers: {', '.join(paths)}")
        if np.isnan(values).any():
            raise UserError("c_rate holds NaN; give numbers")
        return np.array(values, "float64")
