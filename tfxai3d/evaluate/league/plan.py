"""How many examples measure what: a contest has many for what is cheap, and fewer for what is dear."""

import dataclasses

from tfxai3d.errors import UserError
from tfxai3d.evaluate.faithfulness.metrics import METRICS, REPEATED


@dataclasses.dataclass(frozen=True)
class Plan:
    """The number of examples by metric and method; they are always the first of the contest.

    Attributes:
        repeated: The most for metrics of the groups `REPEATED`, which explain an example again and again;
            None for as many as for the others.
        dear_fraction: Which fraction of all these is for methods that ask for hundreds of forward passes.
    """

    repeated: int | None = None
    dear_fraction: float = 1.0

    def __post_init__(self) -> None:
        if self.repeated is not None and self.repeated < 1:
            raise UserError(f"repeated={self.repeated}: give one example or more")
        if not 0 < self.dear_fraction <= 1:
            raise UserError(f"dear_fraction={self.dear_fraction}: give a fraction above 0 and at most 1")

    def examples(self, metric: str, total: int, dear: bool) -> int:
        """Returns how many of a contest's examples measure a method by a metric."""
        count = total
        if self.repeated is not None and METRICS[metric].group in REPEATED:
            count = min(total, self.repeated)
        return max(1, round(self.dear_fraction * count)) if dear else count
