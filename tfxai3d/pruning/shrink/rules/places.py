"""Rules for layers that move, pool or drop places, and leave each channel's values in it."""

import math
from typing import Any

import numpy as np
from keras import layers

from tfxai3d.pruning.shrink.channels import Channels
from tfxai3d.pruning.shrink.rules.channelwise import each_channel
from tfxai3d.pruning.shrink.rules.registry import Rebuild, Walk, copy_of, rule

_KINDS = (
    "MaxPooling", "AveragePooling", "GlobalMaxPooling", "GlobalAveragePooling", "SpatialDropout", "Cropping",
    "UpSampling",
)  # fmt: skip
_IN_1D_2D_3D = [getattr(layers, f"{kind}{rank}D") for kind in _KINDS for rank in (1, 2, 3)]
_NOISE = (layers.Dropout, layers.GaussianDropout, layers.AlphaDropout, layers.GaussianNoise)


@rule(*_IN_1D_2D_3D, *_NOISE)
def unchanged(walk: Walk, layer: Any, x: Channels) -> tuple[Channels, Rebuild] | None:
    """A constant stays what it is."""
    if getattr(layer, "data_format", None) == "channels_first":
        return None
    return each_channel(walk, layer, x, lambda: x.constant)


@rule(layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D)
def padding(walk: Walk, layer: Any, x: Channels) -> tuple[Channels, Rebuild] | None:
    """Only the constant 0 is one beside zeros as well."""
    if getattr(layer, "data_format", None) == "channels_first":
        return None
    return each_channel(walk, layer, x, lambda: np.where(x.constant == 0, 0, np.nan))


@rule("tfxai3d>HalvingPool3D")
def _halving_pool(walk: Walk, layer: Any, x: Channels) -> tuple[Channels, Rebuild] | None:
    return (unchanged if layer.mode == "max" else padding)(walk, layer, x)


@rule(layers.Flatten)
def _flatten(walk: Walk, layer: Any, x: Channels) -> tuple[Channels, Rebuild] | None:
    sizes = [size for size in x.shape[1:] if size is not None]
    if len(sizes) < len(x.shape) - 1 or layer.data_format == "channels_first":
        return None
    places = math.prod(sizes[:-1])
    shape = (x.shape[0], math.prod(sizes))
    output = Channels(shape, x.dtype, np.tile(x.constant, places), np.tile(x.units, places))
    return output, lambda: (copy_of(layer), [])
