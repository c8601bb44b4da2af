"""What happened while points were dropped."""

import dataclasses
from collections.abc import Callable
from typing import ClassVar

import numpy as np


@dataclasses.dataclass(frozen=True)
class DropStep:
    """One iteration.

    Attributes:
        iteration: Its number, from 0.
        points: Points left.
        predicted: Class of the unrotated cloud.
        confidence: Probability of the true class for the unrotated cloud.
        accuracy: Share of rotated copies classified right; without a rotation test 1 or 0, for the cloud.
        loss: Mean cross entropy of the rotated copies; without a rotation test that of the cloud.
        dropped: Points dropped after this test.
        seconds: Duration; where several clouds go together, the cloud's share.
    """

    COLUMNS: ClassVar[tuple[str, ...]]

    iteration: int
    points: int
    predicted: int
    confidence: float
    accuracy: float
    loss: float
    dropped: int
    seconds: float

    def record(self, class_name: Callable[[int], str]) -> dict[str, object]:
        """Returns the values by column, the predicted class by its name."""
        return dataclasses.asdict(self) | {"predicted": class_name(self.predicted)}


DropStep.COLUMNS = tuple(field.name for field in dataclasses.fields(DropStep))


@dataclasses.dataclass
class DropRun:
    """A finished or running sequence of drops.

    Attributes:
        steps: One record an iteration.
        dropped_at: The iteration in which each point of the original cloud went, -1 while it is there (N,).
        stopped_by: "decision" (the class was lost), "wrong from the start" (it was before anything was
            dropped), "number of steps", "nothing left to drop" or "minimum of points"; empty while the run
            goes on.
    """

    steps: list[DropStep]
    dropped_at: np.ndarray
    stopped_by: str = ""

    @property
    def counts(self) -> list[int]:
        """Points dropped in each iteration that dropped any."""
        return [step.dropped for step in self.steps if step.dropped]

    @property
    def points_removed(self) -> int:
        """Points dropped in all."""
        return int(np.sum(self.dropped_at >= 0))
