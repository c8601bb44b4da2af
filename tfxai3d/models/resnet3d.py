"""A compact residual network of volumes (He, Zhang, Ren and Sun, arXiv:1512.03385, in three dimensions)."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.models.classifier import Classifier
from tfxai3d.models.layers import head
from tfxai3d.models.layers.fused_norm import FusedBatchNormalization

WIDTHS = (32, 64, 128)
"""Channels of the three residual blocks at width 1."""

_STRIDES = (1, 2, 1)


@keras.saving.register_keras_serializable(package="tfxai3d")
class ResNet3D(Classifier):
    """ResNet classifier of volumes: occupancy or any real values (B,D,H,W,C) to logits (B,num_classes).

    A convolution halves the grid, three residual blocks of two convolutions follow, the second of which
    halves it again, and the mean over the grid is classified. `voxel_features` names the last feature map
    (B,D/4,H/4,W/4,128 * width), sizes rounded up. At width 1 it has about 0.9 million weights.

    Args:
        num_classes: Number of classes.
        channels: Values of a voxel.
        width: Scales the numbers of channels; 32 * width must be a whole number.
        size: Voxels along each axis; by default any number, and other grids than cubes. The weights fit all.
        mean: The network computes with (volume - mean) / std: one number, or one of each channel. Training
            sets both to those of its volumes.
        std: See `mean`; above 0.
        truncation: Set if it was trained on distance fields in place of occupancy: at how many voxels they
            are cut off, see `data.truncated_distance_field`. The network itself is the same.
        dropout: Dropout rate of the averaged features.
        momentum: Momentum of all BatchNorm statistics.
        class_names: Names of the classes; they travel with the model.
        **kwargs: Further arguments of keras.Model.
    """

    data_kind = "voxels"
    endpoint = "voxel_features"

    def __init__(
        self,
        num_classes: int,
        channels: int = 1,
        width: float = 1.0,
        size: int | None = None,
        mean: float | Sequence[float] = 0.0,
        std: float | Sequence[float] = 1.0,
        truncation: float | None = None,
        dropout: float = 0.2,
        momentum: float = 0.9,
        class_names: tuple[str, ...] | None = None,
        **kwargs: Any,
    ):
        _check(channels, width, mean, std)
        if size is not None:
            self.stage_options(size)
        voxels = keras.Input((size, size, size, channels), name="voxels")
        scale, offset = 1 / np.asarray(std), -np.asarray(mean) / np.asarray(std)
        x = keras.layers.Rescaling(scale.tolist(), offset.tolist(), name="standardized")(voxels)
        x = _conv_norm(x, round(WIDTHS[0] * width), 3, 2, "stem", momentum)
        x = keras.layers.ReLU(name="stem_relu")(x)
        for i, (filters, strides) in enumerate(zip(WIDTHS, _STRIDES, strict=True)):
            name = self.endpoint if i == len(WIDTHS) - 1 else f"block_{i}_relu"
            x = _block(x, round(filters * width), strides, f"block_{i}", name, momentum)
        x = keras.layers.GlobalAveragePooling3D(name="pool")(x)
        x = keras.layers.Dropout(dropout, name="pool_dropout")(x)
        super().__init__(voxels, head.logits(x, num_classes), class_names, **kwargs)
        self.num_classes, self.channels, self.width, self.size = num_classes, channels, width, size
        self.mean, self.std, self.truncation = mean, std, truncation
        self.dropout, self.momentum = dropout, momentum

    @classmethod
    def stage_options(cls, size: int) -> dict[str, Any]:
        """Returns the number of voxels along an axis."""
        if size < 4:
            raise UserError(f"size {size}: must be at least 4, for the two halvings")
        return {"size": size}

    @classmethod
    def data_options(cls, inputs: np.ndarray) -> dict[str, Any]:
        """Returns the number of channels of volumes (M,D,H,W,C), and their means and standard deviations."""
        values = inputs.reshape(-1, inputs.shape[-1])
        mean, std = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
        std = np.where(std > 0, std, 1.0)
        return {"channels": len(mean), "mean": mean.tolist(), "std": std.tolist()}


def _check(channels: int, width: float, mean: Any, std: Any) -> None:
    if channels < 1:
        raise UserError(f"channels={channels}: must be at least 1")
    if not width > 0 or WIDTHS[0] * width != round(WIDTHS[0] * width):
        raise UserError(f"width={width}: must be a positive multiple of 1/{WIDTHS[0]}")
    for name, values in (("mean", mean), ("std", std)):
        if np.shape(values) not in ((), (channels,)) or not np.isfinite(values).all():
            raise UserError(f"{name}={values}: give one number, or one for each of {channels} channels")
    if not np.all(np.asarray(std) > 0):
        raise UserError(f"std={std}: must be above 0")


def _conv_norm(x: Any, filters: int, size: int, strides: int, name: str, momentum: float) -> Any:
    """Applies a convolution without bias, and BatchNorm."""
    options = {"use_bias": False, "kernel_initializer": "he_normal", "name": name}
    x = keras.layers.Conv3D(filters, size, strides, "same", **options)(x)
    return FusedBatchNormalization(momentum=momentum, name=f"{name}_norm")(x)


def _block(x: Any, filters: int, strides: int, name: str, last: str, momentum: float) -> Any:
    """Adds two convolutions to the features, which a third of one voxel brings to their form if need be."""
    y = _conv_norm(x, filters, 3, strides, f"{name}_a", momentum)
    y = keras.layers.ReLU(name=f"{name}_a_relu")(y)
    y = _conv_norm(y, filters, 3, 1, f"{name}_b", momentum)
    if strides > 1 or x.shape[-1] != filters:
        x = _conv_norm(x, filters, 1, strides, f"{name}_shortcut", momentum)
    return keras.layers.ReLU(name=last)(keras.layers.Add(name=f"{name}_sum")([x, y]))
