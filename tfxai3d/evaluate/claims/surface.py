"""Edges and corners matter: where no edge is known, on the points around which the surface varies most."""

from collections.abc import Sequence

import keras
import numpy as np

from tfxai3d.evaluate.claims.claim import CORRELATION, Claim, Table
from tfxai3d.evaluate.claims.edges import FRACTION_COLUMNS
from tfxai3d.evaluate.claims.maps import fraction_and_ratio, importance_maps
from tfxai3d.evaluate.geometry import surface_variation
from tfxai3d.evaluate.statistics import bootstrap_mean, rank_correlation

_TEXT = (
    "The fifth of each object's points with the largest surface variation (20 neighbours), and rank "
    "correlations over all points: of importance and variation, and of importance and the distance from the "
    "centre."
)


def varied_surface(
    model: keras.Model,
    points: np.ndarray,
    labels: np.ndarray,
    methods: Sequence[str] | None = None,
    *,
    batch_size: int = 16,
    seed: int = 0,
) -> Claim:
    """Measures whether importance goes with surface variation, or with the distance from the centre.

    Args:
        model: Maps points (B,N,3) to logits.
        points: Clouds (B,N,3), at least 20 points each.
        labels: True classes, int (B,).
        methods: Names of `tfxai3d.explain`; by default as `importance_maps`.
        batch_size: The most examples that the network sees at once.
        seed: Seed of the random methods and of the bootstrap.

    Raises:
        UserError: If a method is unknown, or the clouds have too few points.
    """
    variation = np.stack([surface_variation(cloud) for cloud in points])
    distance = np.linalg.norm(points, axis=-1)
    chosen = variation >= np.quantile(variation, 0.8, axis=1, keepdims=True)
    rows = {}
    for method, importance in importance_maps(
        model, methods, points, labels, batch_size=batch_size, seed=seed
    ):
        found = [rank_correlation(np.abs(importance), other) for other in (variation, distance)]
        correlations = [bootstrap_mean(correlation, seed) for correlation in found]
        rows[f"`{method}`"] = [*fraction_and_ratio(importance, chosen, seed), *correlations]
    columns = FRACTION_COLUMNS | {"with the variation": CORRELATION, "with the distance": CORRELATION}
    return Claim("Where the surface varies", (Table(_TEXT, "method", columns, rows),))
