"""VRN, the Voxception-ResNet of 45 layers (Brock, Lim, Ritchie and Weston, arXiv:1608.04236)."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.models.classifier import Classifier
from tfxai3d.models.layers import head
from tfxai3d.models.layers.fused_norm import FusedBatchNormalization
from tfxai3d.models.layers.initial import orthogonal
from tfxai3d.models.layers.pooling3d import HalvingPool3D
from tfxai3d.models.layers.stochastic_depth import StochasticDepth

SIZE = 32
"""Voxels along each axis of the input."""

KEEP = ((0.95, 0.9, 0.8), (0.7, 0.6, 0.5), (0.5, 0.45, 0.4), (0.35, 0.3, 0.25))
"""Probability of keeping each block in training, by stage."""

_LAST_KEEP = 0.5
_NORMED_HALVINGS = (True, True, False, True)  # the third one has no BatchNorm on its branches


@keras.saving.register_keras_serializable(package="tfxai3d")
class VRN(Classifier):
    """VRN classifier: occupancy (B,32,32,32,1) in {0,1} to logits (B,num_classes).

    Four stages of three residual blocks, each block kept with a probability of its own in training, and each
    stage followed by a halving of the grid that doubles the channels. `voxel_features` names the last feature
    map (B,2,2,2,512 * width), before the global average.

    Args:
        num_classes: Number of classes.
        width: Scales the numbers of channels; 1 is the published network, whose convolutions have
            13,829,792 weights. 32 * width must be a multiple of 4.
        occupied: What an occupied voxel is mapped to inside the model, an empty one to -1: 5 in the paper,
            3 in the published code.
        published_shortcut: Whether the third block of the third stage adds to the stage's input, as in the
            published code, instead of to the block before it.
        size: Voxels along each axis, a multiple of 16. The weights fit all sizes, so that a training can
            start on coarser grids.
        momentum: Momentum of all BatchNorm statistics.
        class_names: Names of the classes; they travel with the model.
        widths: Numbers of channels by the names of the layers that make them, where pruning left fewer.
        **kwargs: Further arguments of keras.Model.
    """

    data_kind = "voxels"
    endpoint = "voxel_features"
    unpruned = ("head", "logits")  # the published pruning table counts the convolutions

    def __init__(
        self,
        num_classes: int,
        width: float = 1.0,
        occupied: float = 5.0,
        published_shortcut: bool = False,
        size: int = SIZE,
        momentum: float = 0.9,
        class_names: tuple[str, ...] | None = None,
        widths: Mapping[str, int] | None = None,
        **kwargs: Any,
    ):
        channels = _first_channels(width)
        self.stage_options(size)
        voxels = keras.Input((size, size, size, 1), name="voxels")
        x = keras.layers.Rescaling(occupied + 1, -1, name="range")(voxels)
        x = _conv(x, channels, 3, "conv0", gain=1.0)
        for stage, keeps in enumerate(KEEP):
            start = x
            for i, keep in enumerate(keeps):
                quirk = published_shortcut and (stage, i) == (2, 2)
                x = _block(x, start if quirk else x, keep, f"block_{stage}_{i}", momentum)
            x = _halving(x, stage, momentum)
        x = _last_block(x, momentum)
        x = keras.layers.GlobalAveragePooling3D(name="pool")(x)
        x = FusedBatchNormalization(momentum=momentum, name="pool_norm")(x)
        options = {"use_bias": False, "kernel_initializer": orthogonal(), "name": "head"}
        x = _norm_elu(keras.layers.Dense(16 * channels, **options)(x), "head", momentum)
        logits = head.logits(x, num_classes, orthogonal(1.0))
        super().__init__(voxels, logits, class_names, widths, **kwargs)
        self.num_classes, self.width, self.occupied = num_classes, width, occupied
        self.published_shortcut, self.size, self.momentum = published_shortcut, size, momentum

    @classmethod
    def stage_options(cls, size: int) -> dict[str, Any]:
        """Returns the number of voxels along an axis."""
        if size < 16 or size % 16:
            raise UserError(f"size {size}: must be a multiple of 16, for the four halvings")
        return {"size": size}

    @classmethod
    def data_options(cls, inputs: np.ndarray) -> dict[str, Any]:
        """Returns no options; checks that the grids (M,D,H,W,C) have one channel."""
        if inputs.shape[-1] != 1:
            raise UserError(f"VRN takes grids of one channel, these have {inputs.shape[-1]}; take ResNet3D")
        return {}


def _first_channels(width: float) -> int:
    channels = round(32 * width)
    if channels != 32 * width or channels < 4 or channels % 4:
        raise UserError(f"width={width}: must be a positive multiple of 0.125, for whole numbers of channels")
    return channels


def _conv(
    x: Any, filters: int, size: int, name: str, strides: int = 1, padding: str = "same", gain: float = 2**0.5
) -> Any:
    """A convolution without bias: a BatchNorm follows each of them sooner or later."""
    options = {"use_bias": False, "kernel_initializer": orthogonal(gain), "name": name}
    return keras.layers.Conv3D(filters, size, strides, padding, **options)(x)


def _norm_elu(x: Any, name: str, momentum: float) -> Any:
    x = FusedBatchNormalization(momentum=momentum, name=f"{name}_norm")(x)
    return keras.layers.Activation("elu", name=f"{name}_elu")(x)


def _block(x: Any, shortcut: Any, keep: float, name: str, momentum: float) -> Any:
    """Adds a bottleneck path of three convolutions beside a path of two to the shortcut."""
    channels = x.shape[-1]
    features = keras.Input(x.shape[1:])
    u = _norm_elu(features, name, momentum)
    a = _conv(u, channels // 4, 1, f"{name}_a0")
    a = _conv(_norm_elu(a, f"{name}_a0", momentum), channels // 4, 3, f"{name}_a1")
    a = _conv(_norm_elu(a, f"{name}_a1", momentum), channels // 2, 1, f"{name}_a2")
    b = _conv(u, channels // 4, 3, f"{name}_b0")
    b = _conv(_norm_elu(b, f"{name}_b0", momentum), channels // 2, 3, f"{name}_b1")
    both = keras.layers.Concatenate(name=f"{name}_join")([a, b])
    branch = keras.Model(features, both, name=f"{name}_branch")
    return StochasticDepth(branch, keep, name=name)(x, shortcut)


def _halving(x: Any, stage: int, momentum: float) -> Any:
    """Halves the grid and doubles the channels in four branches: two strided convolutions, two pools."""
    name, filters = f"halving_{stage}", x.shape[-1] // 2
    u = _norm_elu(x, name, momentum)
    padded = keras.layers.ZeroPadding3D(((1, 0),) * 3, name=f"{name}_pad")(u)
    conv3 = _conv(padded, filters, 3, f"{name}_conv3", strides=2, padding="valid")
    conv1 = _conv(u, filters, 1, f"{name}_conv1", strides=2)
    highest = HalvingPool3D("max", name=f"{name}_max_pool")(_conv(u, filters, 3, f"{name}_max"))
    average = _conv(u, filters, 3, f"{name}_average")
    average = HalvingPool3D("average", name=f"{name}_average_pool")(average)
    x = keras.layers.Concatenate(name=f"{name}_join")([conv3, conv1, highest, average])
    # BatchNorm and ELU work channel by channel, so one layer serves all four branches.
    if _NORMED_HALVINGS[stage]:
        x = FusedBatchNormalization(momentum=momentum, name=f"{name}_out_norm")(x)
    return keras.layers.Activation("elu", name=f"{name}_out_elu")(x) if stage == len(KEEP) - 1 else x


def _last_block(x: Any, momentum: float) -> Any:
    """Adds one normed convolution; its ELU is the endpoint."""
    features = keras.Input(x.shape[1:])
    y = _conv(features, x.shape[-1], 3, "conv17")
    y = FusedBatchNormalization(momentum=momentum, name="conv17_norm")(y)
    branch = keras.Model(features, y, name="last_block_branch")
    x = StochasticDepth(branch, _LAST_KEEP, name="last_block")(x, x)
    return keras.layers.Activation("elu", name="voxel_features")(x)
