"""Targets that change with the step of training."""

import dataclasses
from typing import Any, Protocol, runtime_checkable

from keras import ops

from tfxai3d.errors import UserError


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
