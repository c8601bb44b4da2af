"""What a network still says once the most important part of its input is gone, points or voxels."""

from collections.abc import Sequence

import keras
import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.evaluate.classification import classify

WHOLE = tuple(np.linspace(0.02, 0.95, 20).tolist())
"""What curves over nearly the whole object take away."""


def without_important(inputs: np.ndarray, importance: np.ndarray, fraction: float) -> np.ndarray:
    """Takes away the most important part of each example; among equals the lower index goes first.

    Args:
        inputs: Points (B,N,3), or occupancy (B,D,H,W,1).
        importance: One value a point (B,N), or a voxel (B,D,H,W).
        fraction: What to take away of the points, or of the occupied voxels; rounded down to whole ones.

    Returns:
        The other points (B,N-K,3) in their order, or the grids with the voxels emptied, (B,D,H,W,1).

    Raises:
        UserError: If the fraction is not from 0 to below 1, or the importance is of another shape.
    """
    if not 0 <= fraction < 1:
        raise UserError(f"fraction {fraction}: must be at least 0 and below 1")
    if importance.shape != inputs.shape[:-1]:
        raise UserError(f"importance {importance.shape} does not fit inputs {inputs.shape}")
    rows = importance.reshape(len(inputs), -1)
    if inputs.ndim == 3:
        order = np.argsort(-rows, axis=1, kind="stable")
        kept = np.sort(order[:, int(fraction * rows.shape[1]) :], axis=1)
        return np.take_along_axis(inputs, kept[:, :, None], axis=1)
    occupied = inputs.reshape(rows.shape) > 0
    order = np.argsort(np.where(occupied, -rows, np.inf), axis=1, kind="stable")
    count = (fraction * occupied.sum(axis=1)).astype(int)
    gone = np.zeros(rows.shape, bool)
    np.put_along_axis(gone, order, np.arange(rows.shape[1]) < count[:, None], axis=1)
    return np.where(gone.reshape(inputs.shape), inputs.dtype.type(0), inputs)


def deletion_score(
    model: keras.Model,
    inputs: np.ndarray,
    labels: np.ndarray,
    importance: np.ndarray,
    fractions: Sequence[float] = (0.05, 0.1, 0.15, 0.2),
) -> np.ndarray:
    """Measures how much the most important part matters: the less is left of the confidence, the more.

    The same importance says what goes for all fractions. The score is the area under the deletion curve of
    Petsiuk et al. (RISE, BMVC 2018), here of the first fifth.

    Args:
        model: A classifier that returns logits.
        inputs: Points (B,N,3), or occupancy (B,D,H,W,1).
        labels: True classes (B,).
        importance: One value a point (B,N), or a voxel (B,D,H,W).
        fractions: What is taken away, one after the other.

    Returns:
        Probability of the true class, mean over the fractions, (B,).
    """
    confidences = []
    for fraction in fractions:
        result = classify(model, without_important(inputs, importance, fraction), labels)
        confidences.append(result.probabilities[np.arange(len(labels)), labels])
    return np.mean(confidences, axis=0)


def area_between_curves(
    model: keras.Model,
    inputs: np.ndarray,
    labels: np.ndarray,
    importance: np.ndarray,
    fractions: Sequence[float] = WHOLE,
) -> np.ndarray:
    """Measures how well an importance tells what matters from what does not, by real removal.

    The area between two curves: the mean confidence while the least important part goes, less that while the
    most important part goes. 0 is chance, and the larger, the better.

    Args:
        model: As for `deletion_score`, as what follows.
        inputs: Points (B,N,3), or occupancy (B,D,H,W,1).
        labels: True classes (B,).
        importance: One value a point (B,N), or a voxel (B,D,H,W), with its sign.
        fractions: What is taken away, one after the other.

    Returns:
        Differences of probabilities of the true class, in [-1, 1], (B,).
    """
    highest = deletion_score(model, inputs, labels, importance, fractions)
    return deletion_score(model, inputs, labels, -importance, fractions) - highest
