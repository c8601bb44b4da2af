"""Rules for layers that bring several tensors together."""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from tfxai3d.pruning.shrink.channels import Channels
from tfxai3d.pruning.shrink.rules.registry import Rebuild, Walk, copy_of, last_channels, operation, rule

_LAYERS = (layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum)
_OPERATIONS = (ops.add, ops.subtract, ops.multiply, ops.maximum, ops.minimum)


@rule(*_LAYERS, *(operation(function, 2) for function in _OPERATIONS))
def _merge(walk: Walk, layer: Any, *tensors: Channels) -> tuple[Channels, Rebuild] | None:
    """Sums and the like, element by element."""
    first = tensors[0]
    if any(len(x.units) != len(first.units) or len(x.shape) != len(first.shape) for x in tensors):
        return None
    as_list = isinstance(layer, keras.Layer)
    shapes = [keras.KerasTensor(x.shape, x.dtype) for x in tensors]
    spec = layer.compute_output_spec(*([shapes] if as_list else shapes))
    examples = [ops.convert_to_tensor(x.example(), x.dtype) for x in tensors]
    value = last_channels(layer, *([examples] if as_list else examples))
    walk.anatomy.tie(*tensors)
    varies = np.any([x.varies for x in tensors], axis=0)
    output = Channels(tuple(spec.shape), spec.dtype, np.where(varies, np.nan, value), first.units)
    return output, lambda: (copy_of(layer), [])


@rule(layers.Concatenate)
def _concatenate(walk: Walk, layer: Any, *tensors: Channels) -> tuple[Channels, Rebuild] | None:
    if layer.axis not in (-1, len(tensors[0].shape) - 1):
        return None
    spec = layer.compute_output_spec([keras.KerasTensor(x.shape, x.dtype) for x in tensors])
    constant, units = (np.concatenate([getattr(x, n) for x in tensors]) for n in ("constant", "units"))
    return Channels(tuple(spec.shape), spec.dtype, constant, units), lambda: (copy_of(layer), [])


@rule("tfxai3d>StochasticDepth")
def _stochastic_depth(walk: Walk, layer: Any, x: Channels, shortcut: Channels) -> tuple[Channels, Rebuild]:
    branch = walk.trace_graph(layer.branch, x)
    walk.anatomy.tie(shortcut, branch)
    constant = shortcut.constant + layer.keep * branch.constant

    def plan() -> tuple[Any, list[np.ndarray]]:
        smaller = walk.rebuild(layer.branch, layer.branch.name, [x])
        options = {"keep": layer.keep, "seed": layer.seed, "name": layer.name, "dtype": layer.dtype_policy}
        return type(layer)(smaller, **options), []

    return Channels(shortcut.shape, shortcut.dtype, constant, shortcut.units), plan
