"""Which points a mode drops (METHODS: the ten modes of p-grad-CAM, Struhs 2020)."""

import numpy as np

from tfxai3d.errors import UserError

MODES = (
    "+average",
    "+median",
    "+midrange",
    "nonzero",
    "-average",
    "-median",
    "-midrange",
    "zero",
    "+random",
    "-random",
)
#: The mode whose counts a random control mirrors.
MIRRORED = {"+random": "nonzero", "-random": "zero"}


def threshold(heat: np.ndarray, kind: str) -> float:
    """Returns the threshold over the positive heats, NaN if there are none.

    Args:
        heat: Heats (N,).
        kind: "average", "median" (element [n/2] of the sorted positives) or "midrange".
    """
    positive = np.sort(heat[heat > 0].astype(np.float64))
    if not len(positive):
        return float("nan")
    if kind == "average":
        return float(np.mean(positive))
    if kind == "median":
        return float(positive[len(positive) // 2])
    return float(positive[0] + positive[-1]) / 2


def dropped_points(heat: np.ndarray, mode: str, min_points: int = 10) -> np.ndarray:
    """Returns which points a mode of heat drops, bool (N,).

    `+average`, `+median` and `+midrange` drop points hotter than the threshold over the positive heats,
    their `-` counterparts colder ones; `nonzero` drops all with heat, `zero` all without. Without positive
    heats only `zero` drops anything. When fewer than `min_points` would be left, the most extreme ones
    go first; among equals the lower index goes first.

    Args:
        heat: Heats (N,).
        mode: One of `MODES`, but not a random one.
        min_points: The fewest points left.

    Raises:
        UserError: If the mode is unknown or random.
    """
    hottest_first = mode.startswith("+") or mode == "nonzero"
    if mode not in MODES or mode in MIRRORED:
        raise UserError(f"unknown mode {mode!r}; known are {', '.join(MODES)}")
    if mode in ("nonzero", "zero"):
        dropped = (heat > 0) == hottest_first
    else:
        limit = np.float64(threshold(heat, mode[1:]))  # not rounded to the heat's float32
        dropped = heat > limit if hottest_first else heat < limit
    order = np.argsort(-heat if hottest_first else heat, kind="stable")
    return _at_most(dropped, order, len(heat) - min_points)


def random_points(count: int, total: int, rng: np.random.Generator, min_points: int = 10) -> np.ndarray:
    """Returns `count` random points of `total` to drop, bool (total,), leaving at least `min_points`."""
    dropped = np.zeros(total, dtype=bool)
    dropped[rng.permutation(total)[: max(0, min(count, total - min_points))]] = True
    return dropped


def _at_most(dropped: np.ndarray, order: np.ndarray, count: int) -> np.ndarray:
    """Keeps only the first `count` of the dropped points, in `order`."""
    first = order[dropped[order]][: max(0, count)]
    limited = np.zeros_like(dropped)
    limited[first] = True
    return limited
