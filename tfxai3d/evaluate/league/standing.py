"""The order of the methods: scores of all contests are put on one scale and aggregated first, then ranked."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tfxai3d.evaluate.faithfulness.metrics import METRICS, UNCOUNTED
from tfxai3d.evaluate.league.contest import Entry
from tfxai3d.evaluate.league.entrants import CHANCE

Contests = Mapping[str, Sequence[Entry]]
"""The entries of each contest by its name."""


@dataclasses.dataclass(frozen=True)
class Place:
    """A method's place in the league.

    Attributes:
        method: Its name.
        total: The mean over the groups, from 0, the worst method everywhere, to 1, the best everywhere. The
            group `UNCOUNTED` stands beside it.
        groups: The medians over contests and metrics, by the group; NaN where nothing was measured.
        passes: The median cost in forward passes, NaN of maps that came from elsewhere.
        seconds: The median cost of an example.
    """

    method: str
    total: float
    groups: Mapping[str, float]
    passes: float
    seconds: float

    @property
    def ranked(self) -> bool:
        """Whether all groups were measured of it: a total of some is not to be held against one of all."""
        return not np.isnan([value for name, value in self.groups.items() if name != UNCOUNTED]).any()


def standing(contests: Contests, some: slice | None = None) -> list[Place]:
    """Ranks the methods, the best first, and after them what cannot be ranked for want of a group.

    Each metric of each contest is scaled so that the worst method has 0 and the best 1, by what it is above
    random maps of the same examples where there are such maps; a group's value is the median of these over
    contests and metrics, the total the mean of the groups' values (aggregate first, then rank). Metrics in
    which all methods are equal do not count.

    Args:
        contests: What was measured.
        some: Which examples count; all by default.
    """
    scaled: dict[str, dict[str, list[float]]] = {}
    for entries in contests.values():
        for metric in METRICS:
            for method, value in _scaled(entries, metric, some).items():
                scaled.setdefault(method, {}).setdefault(METRICS[metric].group, []).append(value)
    groups = dict.fromkeys(metric.group for metric in METRICS.values())
    measured = [group for group in groups if any(group in own for own in scaled.values())]
    places = []
    for method, own in scaled.items():
        values: dict[str, float] = {
            group: float(np.median(own[group])) if group in own else np.nan for group in measured
        }
        counted = [value for group, value in values.items() if group != UNCOUNTED]
        costs = [entry for entries in contests.values() for entry in entries if entry.method == method]
        places.append(
            Place(
                method,
                float(np.nanmean(counted)) if np.isfinite(counted).any() else np.nan,
                values,
                float(np.median([entry.passes for entry in costs])),
                float(np.median([entry.seconds for entry in costs])),
            )
        )
    return sorted(places, key=lambda place: (not place.ranked, -place.total, place.method))


def _scaled(entries: Sequence[Entry], metric: str, some: slice | None) -> dict[str, float]:
    """Returns each method's mean by a metric, 0 for the worst and 1 for the best.

    Where there are maps by chance, the mean is of what a method is above them on the same examples: some
    methods are measured on a few examples alone, and these may be easy ones.
    """
    sign = 1 if METRICS[metric].better == "higher" else -1
    rows = {
        entry.method: entry.scores[metric][some or slice(None)] for entry in entries if metric in entry.scores
    }
    chance = rows.get(CHANCE)
    if chance is not None:
        rows = {method: _above(row, chance) for method, row in rows.items()}
    means = {method: sign * float(np.nanmean(row)) for method, row in rows.items() if np.isfinite(row).any()}
    low, high = min(means.values(), default=0), max(means.values(), default=0)
    if high - low <= 1e-9:
        return {}
    return {method: (mean - low) / (high - low) for method, mean in means.items()}


def _above(row: np.ndarray, chance: np.ndarray) -> np.ndarray:
    count = min(len(row), len(chance))
    return row[:count] - chance[:count]
