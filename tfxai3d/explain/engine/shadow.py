"""A copy of a Keras model that shares its weights and in which single layers can be made to act otherwise.

Nothing is cloned, serialised or built again: a shadow is a new object with the attributes of the original, so
its variables are the original's. The original is never written to, whatever is done to a shadow, and threads
can explain one model at once. A shadow computes in float32 where the original computes in half precision, for
gradients of a mean over many voxels fall below the least number that float16 knows; and its convolutions have
the channels last, whatever the original's.
"""

import copy as copying
from collections.abc import Callable
from typing import Any

import keras

_HALF = ("float16", "bfloat16")


def shadow(model: keras.Model, adjust: Callable[[Any, Any], None]) -> Any:
    """Returns the shadow of a model, in which all its layers, also nested ones, are shadows.

    Args:
        model: A built functional, sequential or subclassed model.
        adjust: Called with each original layer (or operation, such as keras.ops.relu in a functional model)
            and its shadow, whose attributes it may set through `vars`. A layer used twice has one shadow.
    """
    shadows: dict[int, Any] = {}

    def of(original: Any) -> Any:
        if id(original) not in shadows:  # the originals live as long as the dictionary
            shadows[id(original)] = copy = object.__new__(type(original))
            vars(copy).update({name: inside(value) for name, value in vars(original).items()})
            if isinstance(original, keras.Function):
                vars(copy)["_run_through_graph"] = rerun(original)
            if in_half_precision(original):
                _widen(original, copy)
            if _has_channels_first(original):
                _put_channels_last(copy)
            adjust(original, copy)
        return shadows[id(original)]

    def inside(value: Any) -> Any:
        if isinstance(value, keras.Operation):
            return of(value)
        if isinstance(value, dict):
            return {key: inside(item) for key, item in value.items()}
        if isinstance(value, list):
            return [inside(item) for item in value]
        if isinstance(value, set):
            return set(value)
        if type(value) is tuple:
            return tuple(inside(item) for item in value)
        return value

    def rerun(original: keras.Function) -> Callable[..., Any]:
        """Returns the original's walk through its graph, with the shadow of each operation on the way."""

        def run(inputs: Any, operation_fn: Callable[[Any], Any] = lambda op: op, call_fn: Any = None) -> Any:
            return original._run_through_graph(inputs, lambda op: operation_fn(of(op)), call_fn)

        return run

    return of(model)


def needs_shadow(model: keras.Model) -> bool:
    """Whether a shadow computes what the model does in another way: wider, or where it has a gradient."""
    return in_half_precision(model) or any(map(_has_channels_first, model._flatten_layers()))


def in_half_precision(operation: Any) -> bool:
    """Whether this layer, or any inside of it, computes or takes its inputs in float16 or bfloat16."""
    if isinstance(operation, keras.Model):
        parts = operation._flatten_layers(include_self=False)
        inputs = getattr(operation, "inputs", None) or []
        return any(map(in_half_precision, parts)) or any(one.dtype in _HALF for one in inputs)
    return isinstance(operation, keras.Layer) and operation.compute_dtype in _HALF


def _widen(original: Any, copy: Any) -> None:
    """Makes a layer's shadow compute in float32, with the original's variables."""
    if original.compute_dtype in _HALF:
        policy = copying.copy(original.dtype_policy)
        policy._compute_dtype = "float32"  # the variables' own stays, so that Keras casts what it reads
        vars(copy)["_dtype_policy"] = policy
    if isinstance(original, keras.Function):
        dtypes = ["float32" if one.dtype in _HALF else one.dtype for one in original.inputs]
        vars(copy)["_convert_inputs_to_tensors"] = lambda flat: [
            keras.ops.convert_to_tensor(x, dtype) for x, dtype in zip(flat, dtypes, strict=True)
        ]


def _has_channels_first(operation: Any) -> bool:
    """Whether this is a convolution with the channels first, which has no gradient on processors."""
    convolutions = keras.layers.Conv1D | keras.layers.Conv2D | keras.layers.Conv3D
    return isinstance(operation, convolutions) and operation.data_format == "channels_first"


def _put_channels_last(copy: Any) -> None:
    """Makes a convolution's shadow compute with the channels last; what it takes and gives stays."""
    vars(copy)["data_format"] = "channels_last"
    plain = copy.call

    def call(x: Any) -> Any:
        axes = range(1, len(x.shape) - 1)
        y = plain(keras.ops.transpose(x, (0, *(axis + 1 for axis in axes), 1)))
        return keras.ops.transpose(y, (0, len(x.shape) - 1, *axes))

    vars(copy)["call"] = call


def has_layer(model: Any, kind: type) -> bool:
    """Whether the model is of Keras and has a layer of this kind, also a nested one."""
    return isinstance(model, keras.Model) and any(isinstance(one, kind) for one in model._flatten_layers())
