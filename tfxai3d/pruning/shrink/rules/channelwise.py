"""Rules for layers that treat each channel by itself: activations, normalisation, noise."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from tfxai3d.pruning.shrink.channels import Channels
from tfxai3d.pruning.shrink.rules import registry
from tfxai3d.pruning.shrink.rules.registry import Rebuild, Walk, last_channels, operation, rule

ELEMENTWISE = {ops.relu} | {
    keras.activations.get(name)
    for name in (
        "linear", "relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish", "tanh",
        "sigmoid", "hard_sigmoid", "hard_silu", "hard_tanh", "softplus", "softsign", "exponential",
    )
}  # fmt: skip


def each_channel(
    walk: Walk, layer: Any, x: Channels, value: Callable[[], np.ndarray]
) -> tuple[Channels, Rebuild]:
    """The output's channels are the input's, with other constants."""
    shape = tuple(layer.compute_output_spec(keras.KerasTensor(x.shape, x.dtype)).shape)
    constant = np.where(x.varies, np.nan, value())

    def plan() -> tuple[Any, list[np.ndarray]]:
        kept = walk.anatomy.kept(x)
        return registry.copy_of(layer), [w[kept] for w in registry.weights_of(layer)]

    return Channels(shape, x.dtype, constant, x.units), plan


_LAYERS = (layers.Activation, layers.ReLU, layers.ELU, layers.LeakyReLU, layers.Identity)


@rule(*_LAYERS, *(operation(f, 1) for f in (ops.relu, ops.elu, ops.tanh, ops.sigmoid, ops.gelu)))
def elementwise(walk: Walk, layer: Any, x: Channels) -> tuple[Channels, Rebuild] | None:
    """Applies to functions that are computed element by element, such as ReLU."""
    function = getattr(layer, "activation", None)
    if function is not None and function not in ELEMENTWISE:
        return None
    return each_channel(walk, layer, x, lambda: last_channels(layer, x.example()))


@rule(layers.BatchNormalization, "tfxai3d>FusedBatchNormalization")
def _batch_norm(walk: Walk, layer: Any, x: Channels) -> tuple[Channels, Rebuild] | None:
    if layer.axis not in (-1, len(x.shape) - 1):
        return None
    return elementwise(walk, layer, x)
