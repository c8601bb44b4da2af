"""Classification by the vote of several views of each object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.evaluate.classification import Classification, classify
from tfxai3d.evaluate.rotations import even_rotations

if TYPE_CHECKING:
    import keras


def vote(
    model: keras.Model,
    views: Iterable[np.ndarray],
    labels: np.ndarray,
    batch_size: int = 64,
    verbose: bool = False,
) -> Classification:
    """Classifies objects by the mean of the probabilities that a model gives to their views.

    Probabilities and not logits, so that every view has one vote of the same size: logits have no bound, and
    one view of which the model is wildly sure could outvote all others.

    Args:
        model: Maps inputs to logits.
        views: Each holds one view of every object (M,...), such as `rotated_points` makes.
        labels: True classes, int (M,).
        batch_size: Examples a forward pass.
        verbose: Show a progress bar for each view.

    Returns:
        The answers; their logits are the logarithms of the mean probabilities.
    """
    total: np.ndarray | float = 0.0
    count = 0
    for view in views:
        answers = classify(model, view, labels, batch_size, verbose)
        total = total + answers.probabilities.astype(np.float64)
        count += 1
    return Classification(np.log(np.maximum(total / count, np.finfo(np.float64).tiny)), np.asarray(labels))


def rotated_points(points: np.ndarray, count: int) -> Iterator[np.ndarray]:
    """Yields clouds (M,N,3) rotated about the up axis y by multiples of 360 / `count` degrees, 0 first."""
    for rotation in even_rotations(count):
        yield (points @ rotation.T).astype(points.dtype)


def rotated_grids(grids: np.ndarray, count: int) -> Iterator[np.ndarray]:
    """Yields grids (M,D,D,D,1) rotated about the up axis z by 1, 2 or 4 multiples of 360 / `count` degrees.

    Other angles would have to resample the voxels; rotate the mesh instead (`data.poses`).

    Raises:
        UserError: If `count` is not 1, 2 or 4.
    """
    if count not in (1, 2, 4):
        raise UserError(f"{count} views of a voxel grid: quarter turns make 1, 2 or 4; more need the meshes")
    for number in range(count):
        yield np.rot90(grids, number * 4 // count, axes=(1, 2))
