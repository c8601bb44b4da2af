"""Does the order hold: by half of the examples, by another draw of them, on another network, by zeroing?"""

import itertools
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.stats

from tfxai3d.evaluate.league.contest import Entry
from tfxai3d.evaluate.league.standing import Contests, standing

SEED = "_seed_"
"""Before the seed, at the end of the name of a contest that is another draw of the same examples."""


def pooled(contests: Contests) -> dict[str, list[Entry]]:
    """Returns contests of which the draws of the same examples are one, by the names without the seed.

    A method's scores are put after each other, NaN for examples that it was not measured on; its map is that
    of the first draw, its cost the median.
    """
    found: dict[str, list[Entry]] = {}
    for name, draws in _draws(contests).items():
        methods = dict.fromkeys(entry.method for entries in draws for entry in entries)
        found[name] = [_one(method, draws) for method in methods]
    return found


def survives(contests: Contests) -> float:
    """Returns Spearman's correlation of the totals by the even and by the odd examples, NaN for a few."""
    return _correlation(*(_totals(contests, slice(start, None, 2)) for start in (0, 1)))


def order_records(contests: Contests) -> list[dict[str, Any]]:
    """Returns how far the order is the same, Spearman's correlation of the totals of what is ranked in both.

    A record for two halves of the examples, of all contests and of each network alone; one for each two draws
    of the same examples; one for each network by zeroing, of the areas alone; one for each two networks.
    """
    networks = pooled(contests)
    records = [{"of": "all", "by": "halves of the examples", "correlation": survives(networks)}]
    records += [
        {"of": name, "by": "halves of the examples", "correlation": survives({name: entries})}
        for name, entries in networks.items()
    ]
    for one, other in itertools.combinations(contests, 2):
        if _network(one) == _network(other):
            draws = " and ".join(
                name.removeprefix(_network(one)).strip("_") or "seed_0" for name in (one, other)
            )
            records.append({"of": _network(one), "by": draws, "correlation": _of_two(contests, one, other)})
    records += [
        {"of": name, "by": "moving points to the origin", "correlation": found}
        for name, found in zeroing_correlations(contests).items()
    ]
    for one, other in itertools.combinations(networks, 2):
        records.append({"of": one, "by": f"beside {other}", "correlation": _of_two(networks, one, other)})
    return records


def zeroing_records(contests: Contests) -> list[dict[str, Any]]:
    """Returns each method's area between the curves by removal and by zeroing, on the same examples.

    Places are numbered from 1; those that move most come first.
    """
    records = []
    for name, draws in _draws(contests).items():
        areas: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
        for entry in itertools.chain(*draws):
            if {"area_between", "area_zeroed"} <= {*entry.scores}:
                zeroed = entry.scores["area_zeroed"]
                pair = (entry.scores["area_between"][: len(zeroed)], zeroed)
                areas.setdefault(entry.method, []).append(pair)
        means = np.array(
            [[np.concatenate(side).mean() for side in zip(*p, strict=True)] for p in areas.values()]
        )
        places = [scipy.stats.rankdata(-side, "min").astype(int) for side in means.T]
        records += [
            {"contest": name, "method": method, "removed": mean[0], "zeroed": mean[1],
             "place": one, "place zeroed": other}
            for method, mean, one, other in zip(areas, means, *places, strict=True)
        ]  # fmt: skip
    return sorted(records, key=lambda row: (row["contest"], -abs(row["place"] - row["place zeroed"])))


def zeroing_correlations(contests: Contests) -> dict[str, float]:
    """Returns Spearman's correlation of the areas by removal and by zeroing, by the network."""
    records = zeroing_records(contests)
    return {
        name: _correlation(
            *(
                {row["method"]: row[side] for row in records if row["contest"] == name}
                for side in ("removed", "zeroed")
            )
        )
        for name in dict.fromkeys(row["contest"] for row in records)
    }


def _network(name: str) -> str:
    return re.sub(rf"{SEED}\d+$", "", name)


def _draws(contests: Contests) -> dict[str, list[Sequence[Entry]]]:
    found: dict[str, list[Sequence[Entry]]] = {}
    for name, entries in contests.items():
        found.setdefault(_network(name), []).append(entries)
    return found


def _one(method: str, draws: Sequence[Sequence[Entry]]) -> Entry:
    own = [next((entry for entry in entries if entry.method == method), None) for entries in draws]
    there = [entry for entry in own if entry is not None]
    sizes = [max(len(row) for entry in entries for row in entry.scores.values()) for entries in draws]
    scores = {
        metric: np.concatenate(
            [
                _filled(np.empty(0) if entry is None else entry.scores.get(metric, np.empty(0)), size)
                for entry, size in zip(own, sizes, strict=True)
            ]
        )
        for metric in dict.fromkeys(metric for entry in there for metric in entry.scores)
    }
    costs = (float(np.median([getattr(entry, cost) for entry in there])) for cost in ("seconds", "passes"))
    return Entry(method, scores, there[0].importance, *costs)


def _filled(row: np.ndarray, size: int) -> np.ndarray:
    return np.pad(row.astype(float), (0, size - len(row)), constant_values=np.nan)


def _totals(contests: Contests, some: slice | None = None) -> dict[str, float]:
    return {place.method: place.total for place in standing(contests, some) if place.ranked}


def _of_two(contests: Contests, one: str, other: str) -> float:
    return _correlation(*(_totals({name: contests[name]}) for name in (one, other)))


def _correlation(one: dict[str, float], other: dict[str, float]) -> float:
    both = [method for method in one if method in other]
    if len(both) < 3:
        return float("nan")
    return float(scipy.stats.spearmanr(*([side[name] for name in both] for side in (one, other))).statistic)
