"""Edges and corners matter, planes do not: where that is known exactly, on procedural objects."""

from collections.abc import Sequence

import keras

from tfxai3d import data
from tfxai3d.evaluate.claims.claim import FRACTION, RATIO, Claim, Table
from tfxai3d.evaluate.claims.maps import fraction_and_ratio, importance_maps

FRACTION_COLUMNS = {"fraction of importance": FRACTION, "fraction / fraction of points": RATIO}
_SHAPES_SEED = 1  # that of the test set of pointnet_shapes; no shipped network was trained on it


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
    rows = {f"`{method}`": fraction_and_ratio(importance, chosen, seed) for method, importance in maps}
    text = f"{chosen.mean():.1%} of the points lie there."
    return Claim("Points near edges and corners", (Table(text, "method", FRACTION_COLUMNS, rows),))
