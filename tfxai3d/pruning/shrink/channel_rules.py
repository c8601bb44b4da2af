"""What layers do to channels: one rule a kind of layer.

A rule gets the anatomy and walk of a network, a layer, and the channels of its input tensors. It returns the
channels of the output and a function that makes the smaller layer, with its weights, once it is known which
channels stay; or None where it does not apply, and then all channels stay.
"""

import math
from collections.abc import Callable
from typing import Any, Protocol

import keras
import numpy as np
from keras import layers, ops

from tfxai3d.errors import UserError
from tfxai3d.pruning.shrink.channels import Anatomy, Channels, Product

Plan = Callable[[], tuple[Any, list[np.ndarray]]]
"""Makes the smaller layer, and its weights in the order of `layer.weights`."""


class Walk(Protocol):
    """What rules may ask of the walk through a network."""

    anatomy: Anatomy

    def trace_graph(self, graph: Any, *inputs: Channels) -> Any:
        """Returns the channels of a nested graph's output."""
        ...

    def rebuild(self, graph: Any, name: str, inputs: list[Channels]) -> keras.Model:
        """Returns the smaller model of a nested graph."""
        ...


Rule = Callable[..., tuple[Channels, Plan] | None]
_ELEMENTWISE = {ops.relu} | {
    keras.activations.get(name)
    for name in (
        "linear", "relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish", "tanh",
        "sigmoid", "hard_sigmoid", "hard_silu", "hard_tanh", "softplus", "softsign", "exponential",
    )
}  # fmt: skip


def graph_of(layer: Any) -> Any:
    """Returns the graph of a functional or sequential model, None for another layer."""
    if isinstance(layer, keras.Sequential):
        return layer._functional
    return layer if isinstance(layer, keras.Function) else None


def weights_of(layer: Any) -> list[np.ndarray]:
    """Returns a layer's weights; an operation, such as keras.ops.relu, has none."""
    return layer.get_weights() if isinstance(layer, keras.Layer) else []


def copy_of(layer: Any, **changes: Any) -> Any:
    """Returns a new layer or operation of the same configuration, but for `changes`, without weights."""
    try:
        if isinstance(layer, keras.Model):
            return keras.models.clone_model(layer)
        return type(layer).from_config({**layer.get_config(), **changes})
    except (TypeError, ValueError, NotImplementedError, AttributeError) as error:
        raise UserError(
            f"layer {layer.name!r} cannot be copied ({' '.join(str(error).split())[:200]}); "
            "give its class get_config"
        ) from error


# --- channel by channel


def _each(walk: Walk, layer: Any, x: Channels, value: Callable[[], np.ndarray]) -> tuple[Channels, Plan]:
    """The output's channels are the input's, with other constants."""
    shape = tuple(layer.compute_output_spec(keras.KerasTensor(x.shape, x.dtype)).shape)
    constant = np.where(x.varies, np.nan, value())

    def plan() -> tuple[Any, list[np.ndarray]]:
        kept = walk.anatomy.kept(x)
        return copy_of(layer), [w[kept] for w in weights_of(layer)]

    return Channels(shape, x.dtype, constant, x.units), plan


def _elementwise(walk: Walk, layer: Any, x: Channels) -> tuple[Channels, Plan] | None:
    function = getattr(layer, "activation", None)
    if function is not None and function not in _ELEMENTWISE:
        return None
    return _each(walk, layer, x, lambda: _last(layer, x.example()))


def _batch_norm(walk: Walk, layer: Any, x: Channels) -> tuple[Channels, Plan] | None:
    if layer.axis not in (-1, len(x.shape) - 1):
        return None
    return _elementwise(walk, layer, x)


def _unchanged(walk: Walk, layer: Any, x: Channels) -> tuple[Channels, Plan] | None:
    """Pools and the like: a constant stays what it is."""
    if getattr(layer, "data_format", None) == "channels_first":
        return None
    return _each(walk, layer, x, lambda: x.constant)


def _padding(walk: Walk, layer: Any, x: Channels) -> tuple[Channels, Plan] | None:
    """Only the constant 0 is one beside zeros as well."""
    if getattr(layer, "data_format", None) == "channels_first":
        return None
    return _each(walk, layer, x, lambda: np.where(x.constant == 0, 0, np.nan))


def _halving_pool(walk: Walk, layer: Any, x: Channels) -> tuple[Channels, Plan] | None:
    return (_unchanged if layer.mode == "max" else _padding)(walk, layer, x)


def _flatten(walk: Walk, layer: Any, x: Channels) -> tuple[Channels, Plan] | None:
    sizes = [size for size in x.shape[1:] if size is not None]
    if len(sizes) < len(x.shape) - 1 or layer.data_format == "channels_first":
        return None
    places = math.prod(sizes[:-1])
    output = Channels(
        (x.shape[0], math.prod(sizes)), x.dtype, np.tile(x.constant, places), np.tile(x.units, places)
    )
    return output, lambda: (copy_of(layer), [])


# --- several tensors


def _merge(walk: Walk, layer: Any, *tensors: Channels) -> tuple[Channels, Plan] | None:
    """Sums and the like, element by element."""
    first = tensors[0]
    if any(len(x.units) != len(first.units) or len(x.shape) != len(first.shape) for x in tensors):
        return None
    as_list = isinstance(layer, keras.Layer)
    shapes = [keras.KerasTensor(x.shape, x.dtype) for x in tensors]
    spec = layer.compute_output_spec(*([shapes] if as_list else shapes))
    examples = [ops.convert_to_tensor(x.example(), x.dtype) for x in tensors]
    value = _last(layer, *([examples] if as_list else examples))
    walk.anatomy.tie(*tensors)
    varies = np.any([x.varies for x in tensors], axis=0)
    return Channels(tuple(spec.shape), spec.dtype, np.where(varies, np.nan, value), first.units), lambda: (
        copy_of(layer),
        [],
    )


def _concatenate(walk: Walk, layer: Any, *tensors: Channels) -> tuple[Channels, Plan] | None:
    if layer.axis not in (-1, len(tensors[0].shape) - 1):
        return None
    spec = layer.compute_output_spec([keras.KerasTensor(x.shape, x.dtype) for x in tensors])
    constant, units = (np.concatenate([getattr(x, n) for x in tensors]) for n in ("constant", "units"))
    return Channels(tuple(spec.shape), spec.dtype, constant, units), lambda: (copy_of(layer), [])


def _stochastic_depth(walk: Walk, layer: Any, x: Channels, shortcut: Channels) -> tuple[Channels, Plan]:
    branch = walk.trace_graph(layer.branch, x)
    walk.anatomy.tie(shortcut, branch)
    constant = shortcut.constant + layer.keep * branch.constant

    def plan() -> tuple[Any, list[np.ndarray]]:
        smaller = walk.rebuild(layer.branch, layer.branch.name, [x])
        options = {"keep": layer.keep, "seed": layer.seed, "name": layer.name, "dtype": layer.dtype_policy}
        return type(layer)(smaller, **options), []

    return Channels(shortcut.shape, shortcut.dtype, constant, shortcut.units), plan


# --- products with a kernel


def _dense(walk: Walk, layer: Any, x: Channels) -> tuple[Channels, Plan] | None:
    return _product(walk, layer, x, "units", lambda: _last(layer, x.example()))


def _convolution(walk: Walk, layer: Any, x: Channels) -> tuple[Channels, Plan] | None:
    if layer.groups != 1 or layer.data_format == "channels_first":
        return None
    window = [1 + (k - 1) * d for k, d in zip(layer.kernel_size, layer.dilation_rate, strict=True)]
    padded = layer.padding != "valid" and max(layer.kernel_size) > 1
    return _product(walk, layer, x, "filters", lambda: _last(layer, x.example(*window)), padded)


def _shared_dense(walk: Walk, layer: Any, x: Channels) -> tuple[Channels, Plan] | None:
    return _product(walk, layer, x, "units", lambda: _last(layer, x.example()))


def _neighbor_dense(
    walk: Walk, layer: Any, features: Channels, points: Channels, centroids: Channels, index: Channels
) -> tuple[Channels, Plan] | None:
    walk.anatomy.need(points)
    rows = Channels(
        features.shape,
        features.dtype,
        np.concatenate([points.constant, features.constant]),
        np.concatenate([points.units, features.units]),
    )
    origin = np.zeros((1, 1, 3))
    example = [features.example(), origin, origin, np.zeros((1, 1, 1), "int32")]
    shapes = [keras.KerasTensor(t.shape, t.dtype) for t in (features, points, centroids, index)]
    return _product(walk, layer, rows, "units", lambda: _last(layer, example), spec=[shapes])


def _product(
    walk: Walk,
    layer: Any,
    x: Channels,
    width: str,
    value: Callable[[], np.ndarray],
    padded: bool = False,
    spec: Any = None,
) -> tuple[Channels, Plan] | None:
    """A layer with a kernel (...,C,K); `width` is the name of K in its configuration."""
    if layer.activation not in _ELEMENTWISE or getattr(layer, "quantization_mode", None):
        return None
    if getattr(layer, "lora_enabled", False):
        return None
    kernel = np.asarray(layer.kernel, "float64")
    output = layer.compute_output_spec(*(spec or [keras.KerasTensor(x.shape, x.dtype)]))
    y = walk.anatomy.new(output.shape, output.dtype)
    product = Product(x, y, kernel.reshape(-1, *kernel.shape[-2:]), padded)
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


def _last(layer: Any, *example: Any) -> np.ndarray:
    """Returns the channels (C,) of a layer's output at its last place; constant ones are so everywhere."""
    options = {"training": False} if getattr(layer, "_call_has_training_arg", False) else {}
    output = ops.convert_to_numpy(layer(*example, **options)).astype("float64")
    return output.reshape(-1, output.shape[-1])[-1]


def _operation(function: Callable[..., Any], tensors: int) -> type:
    """Returns the class of the operation that a function of keras.ops becomes in a functional model."""
    output = function(*(keras.KerasTensor((1, 1)) for _ in range(tensors)))
    return type(output._keras_history.operation)


def _rules() -> dict[Any, Rule]:
    """Returns the rules by exact class, for a subclass may do anything; by registered name for our own."""
    names: dict[Rule, str] = {
        _elementwise: "Activation ReLU ELU LeakyReLU Identity",
        _batch_norm: "BatchNormalization",
        _dense: "Dense",
        _convolution: "Conv1D Conv2D Conv3D",
        _padding: "ZeroPadding1D ZeroPadding2D ZeroPadding3D",
        _flatten: "Flatten",
        _merge: "Add Subtract Multiply Average Maximum Minimum",
        _concatenate: "Concatenate",
        _unchanged: (
            "Dropout GaussianDropout AlphaDropout GaussianNoise SpatialDropout1D SpatialDropout2D "
            "SpatialDropout3D Cropping1D Cropping2D Cropping3D UpSampling1D UpSampling2D UpSampling3D"
        ),
    }
    rules: dict[Any, Rule] = {getattr(layers, n): rule for rule, text in names.items() for n in text.split()}
    for kind in ("Max", "Average", "GlobalMax", "GlobalAverage"):
        rules |= {getattr(layers, f"{kind}Pooling{rank}D"): _unchanged for rank in (1, 2, 3)}
    rules |= {
        _operation(f, 2): _merge for f in (ops.add, ops.subtract, ops.multiply, ops.maximum, ops.minimum)
    }
    rules |= {_operation(f, 1): _elementwise for f in (ops.relu, ops.elu, ops.tanh, ops.sigmoid, ops.gelu)}
    rules |= dict.fromkeys(
        (f"tfxai3d>{n}" for n in ("SharedDense", "SharedDenseMax", "NeighborMax")), _shared_dense
    )
    own: dict[Any, Rule] = {
        "FusedBatchNormalization": _batch_norm,
        "HalvingPool3D": _halving_pool,
        "StochasticDepth": _stochastic_depth,
        "NeighborDense": _neighbor_dense,
    }
    return rules | {f"tfxai3d>{name}": rule for name, rule in own.items()}


RULES = _rules()
