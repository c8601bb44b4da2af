"""What happened while points were dropped."""

import dataclasses
from collections.abc import Callable
from typing import ClassVar

import numpy as np


@dataclasses.dataclass(frozen=True)
class DropStep:
    """One iteration. Accuracy and loss are those of rotated copies, without a rotation test of the cloud."""

    COLUMNS: ClassVar[tuple[str, ...]]

    iteration: int  # its number, from 0
    points: int  # points left
    predicted: int  # class of the unrotated cloud
    confidence: float  # probability of the true class for the unrotated cloud
    accuracy: float  # fraction that is classified right
    loss: float  # mean cross entropy
    dropped: int  # points dropped after this test
    seconds: float  # duration; where several clouds go together, the cloud's part

    def record(self, class_name: Callable[[int], str]) -> dict[str, object]:
        """Returns the values by column, the predicted class by its name."""
        return dataclasses.asdict(self) | {"predicted": class_name(self.predicted)}


DropStep.COLUMNS = tuple(field.name for field in dataclasses.fields(DropStep))


@dataclasses.dataclass
class DropRun:
    """A finished or running sequence of drops."""

    steps: list[DropStep]  # one an iteration
    dropped_at: (
        np.ndarray
    )  # the iteration in which each point of the whole cloud went, -1 if it is there (N,)
    # "decision" (the class was lost), "wrong from the start" (it was before anything was dropped), "number of
    # steps", "nothing left to drop" or "minimum of points"; empty while the run goes on.
    stopped_by: str = ""

    @property
    def counts(self) -> list[int]:
        """Points dropped in each iteration that dropped any."""
        return [step.dropped for step in self.steps if step.dropped]

    @property
    def points_removed(self) -> int:
        """Points dropped in all."""
        return int(np.sum(self.dropped_at >= 0))
