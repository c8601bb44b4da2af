"""What a network of points knows of the columns after x y z."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tfxai3d.data.orientation import normal_columns
from tfxai3d.errors import UserError


def standardized(points: Any, features: Sequence[str], mean: Sequence[float], std: Sequence[float]) -> Any:
    """Returns points (B,N,3+F) whose features have their mean taken off and are divided by their deviation.

    Args:
        points: The symbolic input.
        features: Names of the features.
        mean: Of each feature; none: 0.
        std: Of each feature, above 0; none: 1.

    Raises:
        UserError: If there is not one number for each feature.
    """
    for name, values in (("mean", mean), ("std", std)):
        if len(values) not in (0, len(features)) or not np.isfinite(values).all():
            raise UserError(f"{name}={values}: give one number for each of {len(features)} features")
    if not np.all(np.asarray(std) > 0):
        raise UserError(f"std={std}: must be above 0")
    if not len(mean) and not len(std):
        return points
    means, deviations = np.array(mean or [0.0] * len(features)), np.array(std or [1.0] * len(features))
    scale, offset = (1 / deviations).tolist(), (-means / deviations).tolist()
    return keras.layers.Rescaling([1.0] * 3 + scale, [0.0] * 3 + offset, name="standardized")(points)


def feature_statistics(points: np.ndarray) -> dict[str, list[float]]:
    """Returns `mean` and `std` of each feature of clouds (M,N,3+F); of normals 0 and 1."""
    if points.shape[-1] == 3:
        return {}
    features = points[..., 3:].reshape(-1, points.shape[-1] - 3)
    mean, std = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    first = normal_columns(points)
    if first is not None:
        mean[first - 3 : first], std[first - 3 : first] = 0, 1
    return {"mean": mean.tolist(), "std": np.where(std > 0, std, 1.0).tolist()}
