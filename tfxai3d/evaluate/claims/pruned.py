"""Explanations survive pruning, or not: the maps of a network before and after it lost its weights."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tfxai3d.evaluate.claims.claim import CORRELATION, RATIO, Claim, Table, importance_maps
from tfxai3d.evaluate.faithfulness.curves import deletion
from tfxai3d.evaluate.faithfulness.subject import Rated, Subject
from tfxai3d.evaluate.statistics import Interval, bootstrap_mean, rank_correlation

_FRACTIONS = (0.05, 0.1, 0.15, 0.2)
_COLUMNS = {
    "rank correlation of the maps": CORRELATION,
    "original": RATIO,
    "pruned": RATIO,
    "pruned, by the original's map": RATIO,
}


def before_and_after_pruning(
    original: keras.Model,
    pruned: keras.Model,
    inputs: np.ndarray,
    labels: np.ndarray,
    methods: Sequence[str] | None = None,
    *,
    batch_size: int = 16,
    seed: int = 0,
) -> Claim:
    """Measures whether a pruned network looks at the same places as the one it came from.

    Rank correlations compare the maps; `deletion` tells how much confidence each network loses without
    the most important part, by its own map and by the original's. The row "random" is of random maps.

    Args:
        original: Maps inputs to logits.
        pruned: The same network with fewer weights.
        inputs: Points (B,N,3), or occupancy, float32 (B,D,H,W,1).
        labels: True classes, int (B,).
        methods: Names of `tfxai3d.explain`; by default as `importance_maps`.
        batch_size: The most examples that the networks see at once.
        seed: Seed of the random methods and maps and of the bootstrap.

    Raises:
        UserError: If a method is unknown.
    """
    voxels = inputs.ndim == 5
    part = "occupied voxels" if voxels else "points"
    there = inputs[..., 0] > 0 if voxels else np.ones(inputs.shape[:-1], bool)

    def confidence_left(before: np.ndarray, after: np.ndarray) -> list[Interval]:
        cases = ((original, before), (pruned, after), (pruned, before))
        subjects = ((Subject(model, inputs, labels, batch_size=batch_size), row) for model, row in cases)
        scores = [deletion(Rated.by(subject, row), _FRACTIONS) for subject, row in subjects]
        return [bootstrap_mean(score, seed) for score in scores]

    given: dict[str, Any] = {"batch_size": batch_size, "seed": seed}
    maps = [importance_maps(model, methods, inputs, labels, **given) for model in (original, pruned)]
    rows: dict[str, Sequence[Interval | None]] = {}
    for (method, before), (_, after) in zip(*maps, strict=True):
        correlation = rank_correlation(np.abs(before), np.abs(after), within=there)
        rows[f"`{method}`"] = [bootstrap_mean(correlation, seed), *confidence_left(before, after)]
    chance = np.random.default_rng(seed).random(inputs.shape[:-1])
    rows["random"] = [None, *confidence_left(chance, chance)]
    text = (
        f"Correlations are over the {part}; the last three columns are confidence in the true class "
        f"without the most important 5, 10, 15 and 20 % of the {part}, mean of the four: the less, the "
        "better the map."
    )
    return Claim("Before and after pruning", (Table(text, "method", _COLUMNS, rows),))
