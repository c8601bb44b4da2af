"""Which points around a centroid excite the channels of PointNet++'s first set abstraction."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.features.units import checked
from tfxai3d.models.layers.set_abstraction import BallQuery, Group
from tfxai3d.models.layers.shared_mlp import SharedDense
from tfxai3d.results.visualization import Visualization


def first_layer_patterns(
    model: keras.Model,
    channels: Sequence[int] | None = None,
    scale: int = 0,
    resolution: int = 21,
    fraction: float = 0.1,
) -> Visualization:
    """Searches the ball around a centroid for the points that excite each channel most.

    A set abstraction's channel is the maximum of one function of single points over the neighbours. So its
    values on a grid of the ball are all there is to know: the channel answers to a point where they are
    high, whatever else is in the ball (PointNet, section 5.3, does so for its point functions).

    Args:
        model: A PointNet++ (`models.PointNet2`).
        channels: Numbers of the channels; all by default.
        scale: Which of the ball sizes, from 0; the single-scale network has one.
        resolution: Grid points along the diameter, odd so that the centroid is one of them.
        fraction: Fraction of the ball's grid points to return, the strongest ones.

    Returns:
        A Visualization: `inputs` are the strongest points (U,M,3) relative to the centroid, in the unit of
        the cloud, strongest first; `importance` their activations; `activations` the highest;
        `options["radius"]` the ball's and `options["active"]` the fraction of the ball that excites each
        channel at all.

    Raises:
        UserError: If the model has no set abstraction of points, or there is no such scale or channel.
    """
    if resolution < 3 or resolution % 2 == 0:
        raise UserError(f"resolution must be odd and at least 3, it is {resolution}")
    if not 0 < fraction <= 1:
        raise UserError(f"fraction must be above 0 and at most 1, it is {fraction}")
    name, radius, mlp = _scale(model, scale)
    count = mlp[-1].units
    numbers = checked(range(count) if channels is None else channels, count, name)
    grid = _ball(resolution) * radius
    features: Any = keras.ops.convert_to_tensor(grid[None, :, None], mlp[0].compute_dtype)
    for layer in mlp:  # the last one takes the max over the neighbours, here a single one
        features = layer(features, training=False)
    activations = np.asarray(keras.ops.convert_to_numpy(features))[0].T[numbers].astype(np.float32)
    order = np.argsort(-activations, axis=1, kind="stable")[:, : max(1, round(fraction * len(grid)))]
    return Visualization(
        inputs=grid[order].astype(np.float32),
        importance=np.take_along_axis(activations, order, axis=1),
        activations=activations.max(axis=1),
        channels=numbers,
        names=tuple(f"{name} {number}" for number in numbers),
        method="patterns",
        options={
            "scale": scale,
            "radius": radius,
            "resolution": resolution,
            "fraction": fraction,
            "active": (activations > 0).mean(axis=1).round(4).tolist(),
        },
        kind="points",
    )


def _scale(model: keras.Model, number: int) -> tuple[str, float, list[SharedDense]]:
    """Returns the name, the radius and the shared MLP of a ball size of the first set abstraction."""
    groups = [layer for layer in getattr(model, "layers", []) if isinstance(layer, Group)]
    if not groups:
        raise UserError("patterns need a PointNet++, whose first set abstraction groups bare points")
    if not 0 <= number < len(groups):
        raise UserError(f"scale {number}: model {model.name!r} has the ball sizes 0 to {len(groups) - 1}")
    name = groups[number].name.removesuffix("_group")
    query = model.get_layer(f"{name}_query")
    assert isinstance(query, BallQuery)
    parts = [layer for layer in model.layers if layer.name.startswith(f"{name}_")]
    return name, query.radius, [layer for layer in parts if isinstance(layer, SharedDense)]


def _ball(resolution: int) -> np.ndarray:
    """Returns the points (M,3) of a cubic grid that lie in the unit ball."""
    axis = np.linspace(-1, 1, resolution)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    return grid[(grid**2).sum(axis=1) <= 1 + 1e-9]
