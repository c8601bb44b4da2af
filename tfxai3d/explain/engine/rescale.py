"""Networks whose operations pass differences from a reference back in the place of derivatives."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.network import Network
from tfxai3d.explain.engine.shadow import shadow
from tfxai3d.models.layers.set_abstraction import NeighborMax, PointIndexing
from tfxai3d.models.layers.shared_mlp import SharedDenseMax

_NEAR = 1e-7  # differences below it count as none
_UNARY = (
    *("Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Sigmoid", "Tanh", "Softplus", "Softsign"),
    *("Erf", "Exp", "Square", "Sqrt", "Rsqrt", "Log", "Abs"),
)
_PRODUCTS = ("Mul", "MatMul", "BatchMatMulV2")
_MAXIMA = ("Max", "MaxPool", "MaxPool3D")
_LINEAR = frozenset(
    (
        *("Identity", "Cast", "Reshape", "Transpose", "ExpandDims", "Squeeze", "Pack", "Unpack", "Tile"),
        *("ConcatV2", "Split", "SplitV", "Slice", "StridedSlice", "Pad", "PadV2", "GatherV2", "GatherNd"),
        *("Add", "AddV2", "AddN", "Sub", "Neg", "BiasAdd", "Sum", "Mean", "AvgPool", "AvgPool3D"),
        *("Conv2D", "Conv3D", "RealDiv", "SpaceToBatchND", "BatchToSpaceND", "BroadcastTo"),
    )
)
_IN_THE_FIRST = ("Conv2D", "Conv3D", "RealDiv")  # linear in the first argument alone
_PREFIX = "tfxai3d_rescale_"


def rescaled(network: Network, model: Any) -> Network:
    """Returns the network for inputs and their references, one after the other along the first axis.

    Its scores (2B,C) are the model's. Its gradient is made of multipliers (Shrikumar et al., ICML 2017): a
    function of one number passes back the difference of its values over that of its arguments, or its
    derivative where they meet; a max gives its difference to the winners of both sides; of a product each
    factor sees the mean of the other. So the multipliers times the differences of the inputs add up to the
    difference of the scores. Centroids and neighbours of PointNet++ are those of the inputs on both sides.

    Args:
        network: What is explained.
        model: Its Keras model, which is left as it is.

    Raises:
        UserError: If the model is no Keras model, or has an operation for which there is no rule.
    """
    if not isinstance(model, keras.Model):
        raise UserError(f"{network.name} must be a Keras model: its operations are looked for inside")
    if network.several is not None:
        raise UserError(f"deep_lift explains models of one input, {network.name} takes several")
    copy = shadow(model, _plain)
    overridden = {kind: _PREFIX + kind for kind in _RULES}

    def call(both: tf.Tensor) -> tf.Tensor:
        graph = tf.compat.v1.get_default_graph()
        with keras.StatelessScope(), graph.gradient_override_map(overridden):
            return network.scores(copy(both, training=False))

    # A graph of its own, because only the gradient of a whole function looks at what is overridden.
    function = tf.function(
        call, input_signature=[tf.TensorSpec((None, *network.layout.usual()), network.dtype)], autograph=False
    )
    _check(function.get_concrete_function().graph, network)
    return dataclasses.replace(network, function=function)


def _plain(original: Any, copy: Any) -> None:
    """Writes layers with gradients of their own as the operations that they stand for."""
    if isinstance(original, SharedDenseMax):
        vars(copy)["call"] = lambda x, **_: tf.reduce_max(copy.features(x), axis=1)
    elif isinstance(original, NeighborMax):
        vars(copy)["call"] = lambda x, **_: tf.reduce_max(copy.features(x), axis=2)
    elif isinstance(original, PointIndexing):

        def find(*places: tf.Tensor) -> tf.Tensor:
            found = original.find(*(tf.split(some, 2)[0] for some in places))
            return tf.concat([found, found], axis=0)

        vars(copy)["find"] = find


def _check(graph: Any, network: Network) -> None:
    varying = _varying(graph)
    for operation in graph.get_operations():
        kind, where = operation.type, f"{operation.name!r} of {network.name}"
        if operation.name not in varying or kind == "Placeholder":
            continue
        if kind not in _RULES and kind not in _LINEAR:
            raise UserError(f"deep_lift has no rule for the operation {kind}, {where}")
        many = sum(x.op.name in varying for x in operation.inputs)
        first = operation.inputs[0].op.name in varying
        if (kind in _IN_THE_FIRST and not (first and many == 1)) or (kind == "Maximum" and many < 2):
            raise UserError(f"deep_lift has no rule for the inputs of {kind}, {where}")


def _varying(graph: Any) -> set[str]:
    """Returns the names of the operations that lie between the inputs and the outputs, by numbers."""
    after = {graph.inputs[0].op.name}
    for operation in graph.get_operations():  # they come in the order in which they were made
        depends = any(x.op.name in after for x in operation.inputs)
        if depends and any(y.dtype.is_floating for y in operation.outputs):
            after.add(operation.name)
    before: set[str] = set()
    waiting = [output.op for output in graph.outputs]
    while waiting:
        operation = waiting.pop()
        if operation.name in after and operation.name not in before:
            before.add(operation.name)
            waiting += [x.op for x in operation.inputs]
    return before


def _again(operation: Any, *arguments: tf.Tensor) -> tf.Tensor:
    """Returns what the operation makes of other arguments."""
    names = [argument.name for argument in operation.op_def.input_arg]
    settings = ("alpha", "transpose_a", "transpose_b", "adj_x", "adj_y")
    chosen = {name: operation.get_attr(name) for name in settings if name in operation.node_def.attr}
    return getattr(tf.raw_ops, operation.type)(**dict(zip(names, arguments, strict=True)), **chosen)


def _ratio(difference: tf.Tensor, x: tf.Tensor, where_equal: tf.Tensor) -> tf.Tensor:
    """Returns the multipliers of both sides: a difference (B,...) over that of x (2B,...)."""
    side, reference = tf.split(x, 2)
    gap = tf.concat([side - reference] * 2, axis=0)
    ratio = tf.concat([difference] * 2, axis=0) / tf.where(tf.abs(gap) > _NEAR, gap, tf.ones_like(gap))
    return tf.where(tf.abs(gap) > _NEAR, ratio, where_equal)


def _of_unary(operation: Any, upstream: tf.Tensor) -> tf.Tensor:
    (x,) = operation.inputs
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = _again(operation, x)
    side, reference = tf.split(operation.outputs[0], 2)
    return upstream * _ratio(side - reference, x, tape.gradient(y, x))


def _of_product(operation: Any, upstream: tf.Tensor) -> list[tf.Tensor | None]:
    varying = _varying(operation.graph)
    varies = [x.op.name in varying for x in operation.inputs]
    gradients: list[tf.Tensor | None] = [None, None]
    for place, x in enumerate(operation.inputs):
        if varies[place]:
            arguments = [
                _mean(one) if many else one for one, many in zip(operation.inputs, varies, strict=True)
            ]
            with tf.GradientTape() as tape:
                tape.watch(x)
                arguments[place] = x
                y = _again(operation, *arguments)
            gradients[place] = tape.gradient(y, x, output_gradients=upstream)
    return gradients


def _mean(x: tf.Tensor) -> tf.Tensor:
    side, reference = tf.split(x, 2)
    return tf.concat([(side + reference) / 2] * 2, axis=0)


def _of_max(operation: Any, upstream: tf.Tensor) -> Any:
    """Gives the winners of the inputs what is above the reference, those of the reference what is below."""
    x = operation.inputs[0]
    upstream = tf.concat([tf.split(upstream, 2)[0]] * 2, axis=0)  # nothing comes from the reference's score
    risen = _to_winners(operation, upstream * _risen(operation.outputs[0]))
    multipliers = _ratio(sum(tf.split(risen, 2)), x, _to_winners(operation, upstream))
    return multipliers if operation.type != "Max" else (multipliers, None)


def _risen(y: tf.Tensor) -> tf.Tensor:
    """Returns what a max (2B,...) rose by for the inputs, and what it lacks for the reference."""
    side, reference = tf.split(y, 2)
    top = tf.maximum(side, reference)
    return tf.concat([top - reference, side - top], axis=0)


def _of_maximum(operation: Any, upstream: tf.Tensor) -> list[tf.Tensor]:
    """The same for the larger of two."""
    upstream = tf.concat([tf.split(upstream, 2)[0]] * 2, axis=0)
    first, second = operation.inputs
    multipliers = []
    for x, won in ((first, first >= second), (second, first < second)):
        won = tf.cast(won, x.dtype) * upstream
        multipliers.append(_ratio(sum(tf.split(won * _risen(operation.outputs[0]), 2)), x, won))
    return multipliers


def _to_winners(operation: Any, values: tf.Tensor) -> tf.Tensor:
    """Sends the values (2B,...) of maxima to those who win them, in equal shares."""
    x, y = operation.inputs[0], operation.outputs[0]
    if operation.type == "Max":
        kept = tf.reduce_max(x, operation.inputs[1], keepdims=True)
        won = tf.cast(x == kept, x.dtype)
        won /= tf.reduce_sum(won, operation.inputs[1], keepdims=True)
        return won * tf.reshape(values, tf.shape(kept))
    settings = {name: operation.get_attr(name) for name in ("ksize", "strides", "padding")}
    gradient: Callable[..., tf.Tensor] = getattr(tf.raw_ops, f"{operation.type}Grad")
    return gradient(orig_input=x, orig_output=y, grad=values, **settings)


_RULES = {
    **dict.fromkeys(_UNARY, _of_unary),
    **dict.fromkeys(_PRODUCTS, _of_product),
    **dict.fromkeys(_MAXIMA, _of_max),
    "Maximum": _of_maximum,
}


def _register(kind: str, rule: Callable[..., Any]) -> None:
    """Registers the gradient of an operation, under the name that `rescaled` calls it by."""

    @tf.RegisterGradient(_PREFIX + kind)
    def gradient(operation: Any, *upstream: tf.Tensor) -> Any:
        # Without an operation where a SavedModel is written, which asks for the form alone.
        return upstream[0] if operation is None else rule(operation, *upstream)


for _kind, _rule in _RULES.items():
    _register(_kind, _rule)
