"""Networks whose operations pass differences from a reference back in the place of derivatives."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.network import Network
from tfxai3d.explain.engine.overridden import (
    LINEAR,
    UNARY,
    again,
    between,
    described,
    overridden,
    register,
    ruled,
)
from tfxai3d.explain.engine.plain_layers import write_out
from tfxai3d.models.layers.set_abstraction import PointIndexing

_NEAR = 1e-7  # differences below it count as none
_PRODUCTS = ("Mul", "MatMul", "BatchMatMulV2")
_MAXIMA = ("Max", "MaxPool", "MaxPool3D")
_IN_THE_FIRST = ("Conv2D", "Conv3D", "RealDiv")  # linear in the first argument alone


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
    if network.several is not None:
        raise UserError(f"deep_lift explains models of one input, {network.name} takes several")
    replaced, graph = overridden(network, model, _plain, _GRADIENTS)
    for operation, varies in ruled("deep_lift", network, graph, between(graph), _KINDS):
        first_alone = varies[0] and sum(varies) == 1
        if (operation.type in _IN_THE_FIRST and not first_alone) or (
            operation.type == "Maximum" and not all(varies)
        ):
            raise UserError(f"deep_lift has no rule for the inputs of {described(operation, network)}")
    return replaced


def _plain(original: Any, copy: Any) -> None:
    """Writes layers with gradients of their own as the operations that they stand for."""
    write_out(original, copy)
    if isinstance(original, PointIndexing):

        def find(*places: tf.Tensor) -> tf.Tensor:
            found = original.find(*(tf.split(some, 2)[0] for some in places))
            return tf.concat([found, found], axis=0)

        vars(copy)["find"] = find


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
        y = again(operation, x)
    side, reference = tf.split(operation.outputs[0], 2)
    return upstream * _ratio(side - reference, x, tape.gradient(y, x))


def _of_product(operation: Any, upstream: tf.Tensor) -> list[tf.Tensor | None]:
    varying = between(operation.graph)
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
                y = again(operation, *arguments)
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
    **dict.fromkeys(UNARY, _of_unary),
    **dict.fromkeys(_PRODUCTS, _of_product),
    **dict.fromkeys(_MAXIMA, _of_max),
    "Maximum": _of_maximum,
}
_GRADIENTS = register("tfxai3d_rescale_", _RULES)
_KINDS = LINEAR | frozenset(_RULES)
