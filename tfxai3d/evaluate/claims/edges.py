"""Edges and corners matter, planes do not: where importance lies of objects whose edges are known."""

from collections.abc import Sequence

import keras
import numpy as np

from tfxai3d.evaluate.claims.claim import (
    CORRELATION,
    FRACTION,
    POINT_METHODS,
    RATIO,
    VOXEL_METHODS,
    Claim,
    Table,
    importance_maps,
)
from tfxai3d.evaluate.claims.marked import Marked
from tfxai3d.evaluate.geometry import importance_fraction
from tfxai3d.evaluate.statistics import Interval, bootstrap_mean, rank_correlation

_SHAPLEY = "mean_field_shapley"
_COLUMNS = {
    "fraction of importance": FRACTION,
    "/ fraction of places": RATIO,
    "positive / places": RATIO,
    "negative / places": RATIO,
    "with the distance": CORRELATION,
}
_TEXT = (
    "{edges:.1%} of what lies on the surface of {count} objects is near an edge; of {total} objects the "
    "network classifies these right. Importance by its size first, then what is positive of it, and what is "
    "negative; 1 is chance. The last column is the rank correlation of its size and the distance from the "
    "centre."
)


def edges_and_corners(
    model: keras.Model,
    marked: Marked,
    methods: Sequence[str] | None = None,
    *,
    batch_size: int = 16,
    seed: int = 0,
) -> Claim:
    """Measures how much of the importance lies near creases and corners, by its size and by its sign.

    Args:
        model: Maps the inputs to logits.
        marked: The objects, see `marked_shapes` and `marked_meshes`.
        methods: Names of `tfxai3d.explain`; by default as `importance_maps`, and mean-field Shapley values.
        batch_size: The most examples that the network sees at once.
        seed: Seed of the random methods and of the bootstrap.

    Raises:
        UserError: If a method is unknown.
    """
    usual = POINT_METHODS if marked.inputs.ndim == 3 else VOXEL_METHODS
    surface = marked.edges | marked.flat
    axes = tuple(range(1, surface.ndim))
    part = marked.edges.sum(axis=axes) / surface.sum(axis=axes)
    rows = {}
    maps = importance_maps(
        model, methods or (*usual, _SHAPLEY), marked.inputs, marked.labels, batch_size=batch_size, seed=seed
    )
    for method, importance in maps:
        kinds = [np.abs(importance), np.maximum(importance, 0), np.maximum(-importance, 0)]
        size, positive, negative = (importance_fraction(kind * surface, marked.edges) for kind in kinds)
        far = rank_correlation(kinds[0], marked.distance, within=surface)
        ratios = [values / part for values in (size, positive, negative)]
        rows[f"`{method}`"] = [_mean(values, seed) for values in (size, *ratios, far)]
    text = _TEXT.format(edges=part.mean(), count=len(part), total=marked.total)
    return Claim("Importance near edges and corners", (Table(text, "method", _COLUMNS, rows),))


def _mean(values: np.ndarray, seed: int) -> Interval | None:
    return None if np.isnan(values).all() else bootstrap_mean(values, seed)
