"""Augmentations of batches of points (B,N,3), y up, as pure functions of a seed, int (2,).

Of features after x y z normals turn with the points; all else stays as it is.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from tfxai3d.data.augment import draws
from tfxai3d.data.augment.epochs import Batches, Transform, compose, shuffled_batches


def rotate_up(points: Any, seed: Any) -> Any:
    """Rotates each cloud by its own uniform angle about the up axis y."""
    angle = draws.uniform(ops.shape(points)[:1], seed, 0.0, 2 * math.pi)[:, None]
    cos, sin = ops.cos(angle), ops.sin(angle)
    x, y, z = (points[..., i] for i in range(3))
    return ops.stack([cos * x + sin * z, y, cos * z - sin * x], axis=-1)


def jitter(points: Any, seed: Any) -> Any:
    """Moves every coordinate by normal noise, sigma 0.01 cut at 0.05 (Qi et al. 2017)."""
    noise = 0.01 * draws.normal(ops.shape(points), seed)
    return points + ops.clip(noise, -0.05, 0.05)


def scale(points: Any, seed: Any) -> Any:
    """Scales each cloud by one factor in 0.8..1.25 (PointNet++)."""
    return points * draws.uniform((ops.shape(points)[0], 1, 1), seed, 0.8, 1.25)


def scale_axes(points: Any, seed: Any) -> Any:
    """Scales each axis of each cloud by its own factor in 2/3..3/2."""
    return points * _axis_factors(points, seed)


def _axis_factors(points: Any, seed: Any) -> Any:
    return draws.uniform((ops.shape(points)[0], 1, 3), seed, 2 / 3, 3 / 2)


def _scale_axes_of_normals(normals: Any, seed: Any) -> Any:
    """Returns the normals of surfaces whose axes are scaled: divided by the factors, of length 1 again."""
    return ops.normalize(normals / _axis_factors(normals, seed), axis=-1)


def shift(points: Any, seed: Any, limit: float = 0.1) -> Any:
    """Moves each cloud by up to `limit` along each axis (PointNet++: 0.1)."""
    return points + draws.uniform((ops.shape(points)[0], 1, 3), seed, -limit, limit)


def shift_far(points: Any, seed: Any) -> Any:
    """Moves each cloud by up to 0.2 along each axis."""
    return shift(points, seed, 0.2)


TRANSFORMS: dict[str, Transform] = {
    function.__name__: function for function in (rotate_up, jitter, scale, scale_axes, shift, shift_far)
}


_OF_NORMALS: dict[str, Transform] = {"rotate_up": rotate_up, "scale_axes": _scale_axes_of_normals}


def augmentation(names: Sequence[str], normals: int | None = None) -> Transform:
    """Returns the transform that applies the named ones of `TRANSFORMS` in order; see `compose`.

    Args:
        names: Of `TRANSFORMS`.
        normals: The first of the three columns of clouds (B,N,3+F) that are normals, if there are any.
    """
    return compose({name: _of_columns(name, normals) for name in TRANSFORMS}, names)


def _of_columns(name: str, normals: int | None) -> Transform:
    """Returns the transform of this name for points with features (B,N,3+F)."""

    def apply(points: Any, seed: Any) -> Any:
        if points.shape[-1] == 3:
            return TRANSFORMS[name](points, seed)
        parts = [TRANSFORMS[name](points[..., :3], seed), points[..., 3:]]
        if normals is not None and name in _OF_NORMALS:
            turned = _OF_NORMALS[name](points[..., normals : normals + 3], seed)
            parts[1:] = [points[..., 3:normals], turned, points[..., normals + 3 :]]
        return ops.concatenate(parts, axis=-1)

    return apply


def training_batches(
    points: np.ndarray,
    labels: np.ndarray,
    *,
    num_classes: int,
    batch_size: int,
    num_points: int,
    augment: Transform,
    seed: tuple[int, int],
) -> Batches:
    """One epoch of shuffled, subsampled, augmented batches.

    Args:
        points: Clouds (M,N,3+F).
        labels: Classes (M,), or those of the points (M,N).
        num_classes: Number of classes, for the one-hot labels.
        batch_size: Clouds a batch; an incomplete last batch is left out.
        num_points: Points a cloud, a new random subset each batch when fewer than N.
        augment: See `augmentation`.
        seed: The run's seed and the epoch; the same pair gives the same batches.

    Returns:
        Batches of points (batch_size,num_points,3+F) and one-hot labels (batch_size,num_classes), or
        (batch_size,num_points,num_classes).
    """
    source, known = ops.convert_to_tensor(points), ops.convert_to_tensor(labels, "int32")

    def make(index: Any, batch_seed: Any) -> tuple[Any, Any]:
        clouds, classes = ops.take(source, index, axis=0), ops.take(known, index, axis=0)
        if num_points < points.shape[1]:
            # Points of a cloud are independent samples, so one subset for the whole batch is as random.
            kept = draws.permutation(points.shape[1], batch_seed)[:num_points]
            clouds = ops.take(clouds, kept, axis=1)
            classes = ops.take(classes, kept, axis=1) if labels.ndim == 2 else classes
        return augment(clouds, batch_seed), classes

    return shuffled_batches(make, len(labels), num_classes=num_classes, batch_size=batch_size, seed=seed)
