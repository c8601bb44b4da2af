"""Which points go in a step: the ten modes of p-grad-CAM (Struhs 2020), or a fixed number."""

import math
from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np

from tfxai3d.data.geometry import MIN_POINTS
from tfxai3d.errors import UserError

MODES = (
    "+average", "+median", "+midrange", "nonzero", "-average", "-median", "-midrange", "zero", "+random",
    "-random",
)  # fmt: skip
#: The mode whose counts a random control mirrors.
MIRRORED = {"+random": "nonzero", "-random": "zero"}

Order = Literal["highest", "lowest"]
Rule = Callable[[np.ndarray, int], np.ndarray]
"""Says which points go: importance of the points left (N,) and the iteration to bool (N,)."""


def by_mode(mode: str, min_points: int = MIN_POINTS) -> Rule:
    """Returns the rule of a mode that is not random, see `dropped_points`."""
    _check_mode(mode)
    return lambda importance, iteration: dropped_points(importance, mode, min_points)


def by_count(count: int, order: Order = "highest", min_points: int = MIN_POINTS) -> Rule:
    """Returns the rule that drops `count` points a step, those of the highest or of the lowest importance.

    Among equals the lower index goes first. Where fewer than `min_points` would be left, fewer go.

    Raises:
        UserError: If the count is below 1 or the order is unknown.
    """
    if count < 1:
        raise UserError(f"at least 1 point must go in a step, not {count}")
    if order not in get_args(Order):
        raise UserError(f"order must be 'highest' or 'lowest', it is {order!r}")
    sign = -1 if order == "highest" else 1

    def rule(importance: np.ndarray, iteration: int) -> np.ndarray:
        dropped = np.zeros(len(importance), dtype=bool)
        going = max(0, min(count, len(importance) - min_points))
        dropped[np.argsort(sign * importance, kind="stable")[:going]] = True
        return dropped

    return rule


def at_random(counts: Sequence[int], seed: int = 0, min_points: int = MIN_POINTS) -> Rule:
    """Returns the rule of one cloud's random control: as many points in each step as another run dropped.

    Args:
        counts: Points to drop in each iteration, at least one number; then their mean repeats, rounded up.
        seed: Equal seeds drop equal points.
        min_points: The fewest points left.
    """
    rng = np.random.default_rng(seed)

    def rule(importance: np.ndarray, iteration: int) -> np.ndarray:
        count = counts[iteration] if iteration < len(counts) else math.ceil(np.mean(counts))
        return random_points(count, len(importance), rng, min_points)

    return rule


def threshold(importance: np.ndarray, kind: str) -> float:
    """Returns average, median (element [n/2] of the sorted) or midrange of the positive values, or NaN."""
    positive = np.sort(importance[importance > 0].astype(np.float64))
    if not len(positive):
        return float("nan")
    if kind == "average":
        return float(np.mean(positive))
    if kind == "median":
        return float(positive[len(positive) // 2])
    return float(positive[0] + positive[-1]) / 2


def dropped_points(importance: np.ndarray, mode: str, min_points: int = MIN_POINTS) -> np.ndarray:
    """Returns which points a mode drops, bool (N,).

    `+average`, `+median` and `+midrange` drop points above the threshold over the positive values, their `-`
    counterparts those below; `nonzero` drops all points with a positive value, `zero` all without. When fewer
    than `min_points` would be left, the most extreme ones go first; among equals the lower index goes first.

    Args:
        importance: One value a point (N,).
        mode: One of `MODES`, but not a random one.
        min_points: The fewest points left.

    Raises:
        UserError: If the mode is unknown or random.
    """
    highest_first = mode.startswith("+") or mode == "nonzero"
    _check_mode(mode)
    if mode in ("nonzero", "zero"):
        dropped = (importance > 0) == highest_first
    else:
        limit = np.float64(threshold(importance, mode[1:]))  # not rounded to float32
        dropped = importance > limit if highest_first else importance < limit
    order = np.argsort(-importance if highest_first else importance, kind="stable")
    limited = np.zeros_like(dropped)
    limited[order[dropped[order]][: max(0, len(importance) - min_points)]] = True
    return limited


def random_points(
    count: int, total: int, rng: np.random.Generator, min_points: int = MIN_POINTS
) -> np.ndarray:
    """Returns `count` random points of `total` to drop, bool (total,), leaving at least `min_points`."""
    dropped = np.zeros(total, dtype=bool)
    dropped[rng.permutation(total)[: max(0, min(count, total - min_points))]] = True
    return dropped


def _check_mode(mode: str) -> None:
    if mode not in MODES or mode in MIRRORED:
        raise UserError(f"unknown mode {mode!r}; known are {', '.join(MODES)}")
