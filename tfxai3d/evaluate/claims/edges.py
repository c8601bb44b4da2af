"""Edges and corners matter, planes do not: where edges are known, and where the surface varies most."""

from collections.abc import Sequence

import keras
import numpy as np

from tfxai3d import data
from tfxai3d.evaluate.claims.claim import CORRELATION, FRACTION, RATIO, Claim, Table, importance_maps
from tfxai3d.evaluate.geometry import importance_fraction, surface_variation
from tfxai3d.evaluate.statistics import Interval, bootstrap_mean, rank_correlation

_COLUMNS = {"fraction of importance": FRACTION, "fraction / fraction of points": RATIO}
_SHAPES_SEED = 1  # that of the test set of pointnet_shapes; no shipped network was trained on it
_TEXT = (
    "The fifth of each object's points with the largest surface variation (20 neighbours), and rank "
    "correlations over all points: of importance and variation, and of importance and the distance from the "
    "centre."
)


def edges_and_corners(
    model: keras.Model,
    methods: Sequence[str] | None = None,
    *,
    num_examples: int = 100,
    num_points: int = 1024,
    batch_size: int = 16,
    seed: int = 0,
) -> Claim:
    """Measures how much of the importance lies on points near the creases and corners of procedural objects.

    Where edges are is known exactly there, and no shipped network was trained on these objects.

    Args:
        model: Maps points (B,N,3) to logits; its attribute `class_names` tells which objects it knows.
        methods: Names of `tfxai3d.explain`; by default as `importance_maps`.
        num_examples: Objects, of the classes that the model knows.
        num_points: Points of an object.
        batch_size: The most examples that the network sees at once.
        seed: Seed of the random methods and of the bootstrap.

    Raises:
        UserError: If the model knows no procedural class, or a method is unknown.
    """
    known = data.known_shapes(model.class_names)
    made = data.shapes.make_dataset(num_examples, num_points, _SHAPES_SEED, known)
    labels = data.relabel(made.labels, known, model.class_names)
    chosen = made.features != data.shapes.FLAT
    maps = importance_maps(model, methods, made.points, labels, batch_size=batch_size, seed=seed)
    rows = {f"`{method}`": _fraction_and_ratio(importance, chosen, seed) for method, importance in maps}
    text = f"{chosen.mean():.1%} of the points lie there."
    return Claim("Points near edges and corners", (Table(text, "method", _COLUMNS, rows),))


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
    maps = importance_maps(model, methods, points, labels, batch_size=batch_size, seed=seed)
    for method, importance in maps:
        found = [rank_correlation(np.abs(importance), other) for other in (variation, distance)]
        correlations = [bootstrap_mean(correlation, seed) for correlation in found]
        rows[f"`{method}`"] = [*_fraction_and_ratio(importance, chosen, seed), *correlations]
    columns = _COLUMNS | {"with the variation": CORRELATION, "with the distance": CORRELATION}
    return Claim("Where the surface varies", (Table(_TEXT, "method", columns, rows),))


def _fraction_and_ratio(importance: np.ndarray, chosen: np.ndarray, seed: int) -> list[Interval]:
    """Returns the fraction of the importance (B,N) on chosen points, and its ratio to that of the points."""
    fraction = importance_fraction(importance, chosen)
    return [bootstrap_mean(fraction, seed), bootstrap_mean(fraction / chosen.mean(axis=1), seed)]
