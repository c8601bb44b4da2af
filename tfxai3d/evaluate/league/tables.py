"""What the league found, as records of a CSV file and rows of a table."""

from collections.abc import Sequence
from typing import Any

from tfxai3d.evaluate.faithfulness.metrics import METRICS
from tfxai3d.evaluate.league.contest import Entry
from tfxai3d.evaluate.league.standing import Contests, Place
from tfxai3d.evaluate.statistics import bootstrap_mean


def league_records(contests: Contests, seed: int = 0) -> list[dict[str, Any]]:
    """Returns a record a contest, method and metric: the mean, its 95 % interval, and the cost."""
    return [
        {
            "contest": contest,
            "method": entry.method,
            "group": METRICS[metric].group,
            "metric": metric,
            "better": METRICS[metric].better,
            **bootstrap_mean(values, seed)._asdict(),
            "examples": len(values),
            "seconds": entry.seconds,
            "passes": entry.passes,
        }
        for contest, entries in contests.items()
        for entry in entries
        for metric, values in entry.scores.items()
    ]


def standing_rows(places: Sequence[Place]) -> tuple[list[str], list[list[str]]]:
    """Returns the head and the rows of the ranked table."""
    head = ["", "method", "total", *(places[0].groups if places else ()), "passes", "seconds"]
    rows = [
        [
            str(number),
            place.method,
            f"{place.total:.2f}",
            *("-" if value != value else f"{value:.2f}" for value in place.groups.values()),
            f"{place.passes:.3g}",
            f"{place.seconds:.2g}",
        ]
        for number, place in enumerate(places, start=1)
    ]
    return head, rows


def contest_rows(entries: Sequence[Entry], seed: int = 0) -> tuple[list[str], list[list[str]]]:
    """Returns the head and the rows of one contest: each metric's mean and its interval."""
    metrics = [*entries[0].scores] if entries else []
    signs = {"higher": "\N{UPWARDS ARROW}", "lower": "\N{DOWNWARDS ARROW}"}
    head = ["method", *(f"{name} {signs[METRICS[name].better]}" for name in metrics)]
    rows = []
    for entry in entries:
        intervals = [bootstrap_mean(entry.scores[name], seed) for name in metrics]
        rows.append(
            [entry.method, *(f"{mean:.3f} ({low:.3f} to {high:.3f})" for mean, low, high in intervals)]
        )
    return head, rows
