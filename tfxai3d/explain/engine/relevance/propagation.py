"""Networks whose gradient carries relevance: the one propagation that all rules share.

What is passed back at a number x is its relevance by unit, R / x, so that the relevance of the inputs is the
gradient times the inputs. Sums, means, concatenations, copies, single scales and the winners of a max then
need no rule: their own derivative divides relevance in proportion, or sends it to the winner. A function of
one number passes on all of its relevance, hence f(x) / x, which a ReLU's derivative is already. What is left
are the layers with weights, where a rule says what each contribution gets.
"""

import dataclasses
import functools
import itertools
import weakref
from collections.abc import Callable
from typing import Any, Literal

import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine import overridden as graphs
from tfxai3d.explain.engine.network import Network
from tfxai3d.explain.engine.plain_layers import write_out, write_out_neighbors
from tfxai3d.explain.engine.relevance.composites import Composite
from tfxai3d.explain.engine.relevance.contributions import Contributions
from tfxai3d.explain.engine.relevance.layer import PRODUCTS, SCALES, Layer
from tfxai3d.explain.engine.relevance.rules import BoxRule

Pools = Literal["winner", "proportion"]
_MAXIMA = frozenset(("Max", "MaxPool", "MaxPool3D"))
_DERIVATIVE = frozenset(("Relu", "LeakyRelu", "Maximum", "Minimum", "SelectV2", "FusedBatchNormV3"))
_RATIO = graphs.UNARY - _DERIVATIVE
_KINDS = graphs.LINEAR | _DERIVATIVE | _RATIO | PRODUCTS | SCALES | _MAXIMA
_NUMBERS = itertools.count()


@dataclasses.dataclass(frozen=True)
class Propagation:
    """How relevance goes back through a network.

    Attributes:
        composite: The rules of its layers.
        bounds: The rule of the first layers, if the inputs are bounded.
        pools: Who gets the relevance of a max: the "winner", or all that is above 0 in "proportion".
    """

    composite: Composite
    bounds: BoxRule | None = None
    pools: Pools = "winner"

    def through(self, network: Network, model: Any) -> Network:
        """Returns the network with relevance by unit for its gradient; with bounds it is relevance.

        Args:
            network: What is explained.
            model: Its Keras model, which is left as it is.

        Raises:
            UserError: If the model is no Keras model, or has an operation for which there is no rule.
        """
        replaced, graph = graphs.overridden(network, model, _plain, _gradients(self))
        for operation, varies in graphs.ruled("lrp", network, graph, _found(graph).varying, _KINDS):
            factors = sum(x.dtype.is_floating for x in operation.inputs)
            if (operation.type in PRODUCTS and factors != 2) or (
                operation.type == "RealDiv" and not varies[0]
            ):
                where = graphs.described(operation, network)
                raise UserError(f"lrp has no rule for the inputs of {where}")
        if self.bounds is not None:
            _check_bounded(graph, network)
        return replaced

    def of_product(self, operation: Any, upstream: tf.Tensor) -> list[tf.Tensor | None]:
        """Passes back through a layer with weights by its rule; where both factors vary half to each."""
        found = _found(operation.graph)
        passed: list[tf.Tensor | None] = [None] * len(operation.inputs)
        places = [place for place, x in enumerate(operation.inputs) if x.op.name in found.varying]
        for place in places if operation.name in found.varying else []:
            layer = Layer(operation, found.varying, place)
            bounds = self.bounds if layer.source.op.name == found.start else None
            rule = bounds or (self.composite.convolution if layer.at_places else self.composite.dense)
            contributions = Contributions(layer, bounds)
            # Of what the product is scaled by afterwards `upstream` has its part already.
            relevance = upstream * layer.output / len(places)
            passed[place] = contributions.back(*rule.coefficients(relevance, contributions))
        return passed

    def of_scale(self, operation: Any, upstream: tf.Tensor) -> list[tf.Tensor | None]:
        """Passes back through a multiplication or division of numbers one by one."""
        found = _found(operation.graph)
        varies = [x.op.name in found.varying for x in operation.inputs]
        if self.bounds is not None and operation.name in found.untouched:
            return [upstream if one else None for one in varies]
        factors = [tf.identity(x) for x in operation.inputs]  # also of a square, whose two are one tensor
        with tf.GradientTape() as tape:
            tape.watch(factors)
            y = graphs.again(operation, *factors)
        derivatives = tape.gradient(y, factors, output_gradients=upstream)
        shares = _shares(operation, varies)
        return [share * one if share else None for share, one in zip(shares, derivatives, strict=True)]


@dataclasses.dataclass(frozen=True)
class _Found:
    """What is known of a graph.

    Attributes:
        start: Name of the input's operation.
        varying: Names of the operations between inputs and outputs.
        first: Of the products of the input, but for what folds into them.
        untouched: Of the operations between the input and those.
    """

    start: str
    varying: set[str]
    first: set[str]
    untouched: set[str]


_KNOWN: weakref.WeakKeyDictionary[Any, _Found] = weakref.WeakKeyDictionary()


def _found(graph: Any) -> _Found:
    if graph not in _KNOWN:
        start, varying = graph.inputs[0].op.name, graphs.between(graph, choices=False)
        first, untouched = set(), {start}
        for operation in graph.get_operations():
            if operation.name not in varying or operation.type not in PRODUCTS:
                continue
            for place, x in enumerate(operation.inputs):
                layer = Layer(operation, varying, place) if x.op.name in varying else None
                if layer and layer.source.op.name == start:
                    first.add(operation.name)
                    untouched |= {one.name for one in layer.before}
        _KNOWN[graph] = _Found(start, varying, first, untouched)
    return _KNOWN[graph]


def _check_bounded(graph: Any, network: Network) -> None:
    found = _found(graph)
    for operation in graph.get_operations():
        reached = any(x.op.name in found.untouched for x in operation.inputs)
        if operation.name in found.varying - found.first - found.untouched and reached:
            where = graphs.described(operation, network)
            raise UserError(
                f"bounds: the inputs must go to weights, but for a scale and shift, not to {where}"
            )


@functools.cache
def _gradients(propagation: Propagation) -> dict[str, str]:
    """Returns the names of the gradients, which are registered for good."""
    rules: dict[str, Callable[..., Any]] = dict.fromkeys(_RATIO, _of_unary)
    rules |= dict.fromkeys(PRODUCTS, propagation.of_product) | dict.fromkeys(
        ("Mul", "RealDiv"), propagation.of_scale
    )
    if propagation.pools == "proportion":
        rules |= dict.fromkeys(_MAXIMA, _of_max)
    return graphs.register(f"tfxai3d_lrp_{next(_NUMBERS)}_", rules)


def _plain(original: Any, copy: Any) -> None:
    write_out(original, copy)
    write_out_neighbors(original, copy)


def _of_unary(operation: Any, upstream: tf.Tensor) -> tf.Tensor:
    (x,), (y,) = operation.inputs, operation.outputs
    with tf.GradientTape() as tape:
        tape.watch(x)
        again = graphs.again(operation, x)
    return upstream * tf.where(x == 0, tape.gradient(again, x), tf.math.divide_no_nan(y, x))


def _shares(operation: Any, varies: list[bool]) -> list[float]:
    """Returns which part of the relevance each of two factors gets.

    One that is repeated for many numbers is a gate, and a divisor is a norm: they get nothing (Arras et al.,
    2017, "signal takes all"). Equal factors get half each, as do those of a matrix product.
    """
    if not all(varies):
        return [float(one) for one in varies]
    if operation.type == "RealDiv":
        return [1.0, 0.0]
    repeated = [x.shape.as_list() != operation.outputs[0].shape.as_list() for x in operation.inputs]
    return [0.5, 0.5] if repeated[0] == repeated[1] else [float(not one) for one in repeated]


def _of_max(operation: Any, upstream: tf.Tensor) -> list[tf.Tensor | None]:
    """Divides the relevance of a max in proportion to what is above 0, to the winner if nothing is."""
    x, y = operation.inputs[0], operation.outputs[0]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        highest = graphs.again(operation, *operation.inputs)
        mean = _mean(operation, tf.nn.relu(x))
    shared = tape.gradient(mean, x, output_gradients=tf.math.divide_no_nan(upstream * y, mean))
    won = tape.gradient(highest, x, output_gradients=tf.where(mean > 0, tf.zeros_like(y), upstream))
    return [shared + won, *[None] * (len(operation.inputs) - 1)]


def _mean(operation: Any, x: tf.Tensor) -> tf.Tensor:
    """Returns the mean of what a max is taken of."""
    if operation.type == "Max":
        return tf.reduce_mean(x, operation.inputs[1], keepdims=operation.get_attr("keep_dims"))
    size, strides = operation.get_attr("ksize"), operation.get_attr("strides")
    return tf.nn.avg_pool(x, size, strides, operation.get_attr("padding").decode())
