"""What the league found, as records of a CSV file and rows of tables."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfxai3d.evaluate.faithfulness.metrics import METRICS
from tfxai3d.evaluate.league.contest import Entry
from tfxai3d.evaluate.league.standing import Contests, Place, standing
from tfxai3d.evaluate.league.survival import order_records, pooled, zeroing_records
from tfxai3d.evaluate.statistics import bootstrap_mean

Table = tuple[list[str], list[list[str]]]
"""The head and the rows."""


def league_records(contests: Contests, seed: int = 0) -> list[dict[str, Any]]:
    """Returns a record a contest, method and metric: the mean, its 95 % interval, and the cost."""
    return [
        {
            "contest": contest,
            "method": entry.method,
            "group": METRICS[metric].group,
            "metric": metric,
            "better": METRICS[metric].better,
            **{side: round(value, 5) for side, value in bootstrap_mean(values, seed)._asdict().items()},
            "examples": int(np.isfinite(values).sum()),
            "seconds": round(entry.seconds, 5),
            "passes": round(entry.passes, 2),
        }
        for contest, entries in contests.items()
        for entry in entries
        for metric, values in entry.scores.items()
    ]


def standing_rows(places: Sequence[Place]) -> Table:
    """Returns the ranked table; what cannot be ranked has neither number nor total."""
    head = ["", "method", "total", *(places[0].groups if places else ()), "passes", "seconds"]
    rows = [
        [
            str(number) if place.ranked else "",
            place.method,
            _number(place.total if place.ranked else np.nan),
            *map(_number, place.groups.values()),
            _number(place.passes, ".3g"),
            _number(place.seconds, ".2g"),
        ]
        for number, place in enumerate(places, start=1)
    ]
    return head, rows


def contest_rows(entries: Sequence[Entry], seed: int = 0) -> Table:
    """Returns the table of one contest: each metric's mean, its interval and the number of examples."""
    metrics = [name for name in METRICS if any(name in entry.scores for entry in entries)]
    signs = {"higher": "\N{UPWARDS ARROW}", "lower": "\N{DOWNWARDS ARROW}"}
    head = ["method", *(f"{name} {signs[METRICS[name].better]}" for name in metrics)]
    return head, [
        [
            entry.method,
            *(_cell(entry.scores[name], seed) if name in entry.scores else "-" for name in metrics),
        ]
        for entry in entries
    ]


def league_tables(contests: Contests) -> dict[str, Table]:
    """Returns the tables of a league by their titles, those that have rows."""
    order, zeroing = order_records(contests), zeroing_records(contests)
    found: dict[str, Table] = {
        "The league": standing_rows(standing(pooled(contests))),
        "Does the order hold?": (
            ["order of", "by", "rank correlation"],
            [[row["of"], row["by"], _number(row["correlation"])] for row in order],
        ),
        "By moving points to the origin": (
            ["contest", "method", "area, removed", "area, zeroed", "place", "place, zeroed"],
            [
                [row["contest"], row["method"], _number(row["removed"]), _number(row["zeroed"]),
                 str(row["place"]), str(row["place zeroed"])]
                for row in zeroing
            ],
        ),
    }  # fmt: skip
    return {title: table for title, table in found.items() if table[1]}


def _number(value: float, form: str = ".2f") -> str:
    return "-" if np.isnan(value) else f"{value:{form}}"


def _cell(values: np.ndarray, seed: int) -> str:
    mean, low, high = bootstrap_mean(values, seed)
    interval = "" if np.isnan(low) else f"{low:.3f} to {high:.3f}, "
    return f"{mean:.3f} ({interval}n={np.isfinite(values).sum()})"
