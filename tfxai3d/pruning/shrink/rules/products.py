"""Rules for layers that multiply by a kernel: dense layers and convolutions."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

from tfxai3d.pruning.shrink.channels import Channels, Product
from tfxai3d.pruning.shrink.rules.channelwise import ELEMENTWISE
from tfxai3d.pruning.shrink.rules.registry import Rebuild, Walk, copy_of, last_channels, rule


@rule(layers.Dense, "tfxai3d>SharedDense", "tfxai3d>SharedDenseMax", "tfxai3d>NeighborMax")
def _dense(walk: Walk, layer: Any, x: Channels) -> tuple[Channels, Rebuild] | None:
    return _product(walk, layer, x, "units", lambda: last_channels(layer, x.example()))


@rule(layers.Conv1D, layers.Conv2D, layers.Conv3D)
def _convolution(walk: Walk, layer: Any, x: Channels) -> tuple[Channels, Rebuild] | None:
    if layer.groups != 1 or layer.data_format == "channels_first":
        return None
    window = [1 + (k - 1) * d for k, d in zip(layer.kernel_size, layer.dilation_rate, strict=True)]
    padded = layer.padding != "valid" and max(layer.kernel_size) > 1
    return _product(walk, layer, x, "filters", lambda: last_channels(layer, x.example(*window)), padded)


@rule("tfxai3d>NeighborDense")
def _neighbor_dense(
    walk: Walk, layer: Any, features: Channels, points: Channels, centroids: Channels, index: Channels
) -> tuple[Channels, Rebuild] | None:
    walk.anatomy.need(points)
    constant, units = (
        np.concatenate([getattr(x, n) for x in (points, features)]) for n in ("constant", "units")
    )
    rows = Channels(features.shape, features.dtype, constant, units)
    origin = np.zeros((1, 1, 3))
    example = [features.example(), origin, origin, np.zeros((1, 1, 1), "int32")]
    shapes = [keras.KerasTensor(t.shape, t.dtype) for t in (features, points, centroids, index)]
    return _product(walk, layer, rows, "units", lambda: last_channels(layer, example), spec=[shapes])


def _product(
    walk: Walk,
    layer: Any,
    x: Channels,
    width: str,
    value: Callable[[], np.ndarray],
    padded: bool = False,
    spec: Any = None,
) -> tuple[Channels, Rebuild] | None:
    """A layer with a kernel (...,C,K); `width` is the name of K in its configuration."""
    special = getattr(layer, "quantization_mode", None) or getattr(layer, "lora_enabled", False)
    if layer.activation not in ELEMENTWISE or special:
        return None
    kernel = np.asarray(layer.kernel, "float64")
    output = layer.compute_output_spec(*(spec or [keras.KerasTensor(x.shape, x.dtype)]))
    y = walk.anatomy.new(output.shape, output.dtype)
    product = Product(x, y, layer.kernel, kernel.reshape(-1, *kernel.shape[-2:]), padded)
    changing = x.varies | (x.offset != 0) if padded else x.varies
    y.constant[:] = np.where(product.used[changing].any(axis=0), np.nan, value())
    walk.anatomy.products.append(product)

    def plan() -> tuple[Any, list[np.ndarray]]:
        columns = walk.anatomy.kept(y)
        small, bias = _fold(product, walk.anatomy.kept(x), columns)
        vectors = {v.name: np.asarray(v) for v in layer.weights}
        weights = [vectors[v.name][columns] for v in layer.weights if v.name not in ("kernel", "bias")]
        changes: dict[str, Any] = {width: int(columns.sum())}
        if "moving_mean" in vectors:  # the layer's own BatchNorm has the bias
            names = [v.name for v in layer.weights if v.name != "kernel"]
            weights[names.index("moving_mean")] = vectors["moving_mean"][columns] - bias
        elif "bias" in vectors or bias.any():
            changes["use_bias"] = True
            weights.insert(0, (vectors["bias"][columns] if "bias" in vectors else 0) + bias)
        weights.insert(0, small.reshape(*kernel.shape[:-2], *small.shape[-2:]))
        return copy_of(layer, **changes), weights

    return y, plan


def _fold(product: Product, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the smaller kernel, and the bias that removed constant channels leave."""
    kernel, offset = product.kernel[:, :, columns], product.x.offset
    removed = kernel[:, ~rows] * offset[~rows, None]
    if not product.padded:
        return kernel[:, rows], removed.sum(axis=(0, 1))
    kernel, left = kernel[:, rows].copy(), offset[rows]
    if removed.any():
        stand_in = np.argmax(np.abs(left))
        kernel[:, stand_in] += removed.sum(axis=1) / left[stand_in]
    return kernel, np.zeros(kernel.shape[-1])
