"""One layer of a graph in canonical form: a product with weights, and what folds into it.

BatchNorm, biases and scales are operations of their own in a graph. Those after a product fold into it, and
those before it do as well, unless they fold into another: `y = scale * (x @ W) + bias`. Nothing is rewritten:
the bias is what the operations make of zeros, and the scale is their derivative.
"""

import functools
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfxai3d.explain.engine.overridden import again

#: Products with weights, by any of their inputs.
PRODUCTS = frozenset(
    (
        *("MatMul", "BatchMatMulV2", "Conv2D", "Conv3D", "DepthwiseConv2dNative", "Einsum"),
        *("Conv2DBackpropInput", "Conv3DBackpropInputV2"),
    )
)
SCALES = frozenset(("Mul", "RealDiv", "FusedBatchNormV3"))
_SHIFTS = frozenset(("Add", "AddV2", "Sub", "BiasAdd", "FusedBatchNormV3"))
#: What keeps each number for itself.
MOVES = frozenset(("Identity", "Reshape", "Transpose", "Squeeze", "ExpandDims"))
_KEEP_SIGNS = MOVES | {"Max", "MaxPool", "MaxPool3D", "Mean", "AvgPool", "AvgPool3D"}
_ABOVE_ZERO = frozenset(("Relu", "Relu6", "Sigmoid", "Softplus", "Exp", "Square", "Abs"))


class Layer:
    """A product and what folds into it.

    Args:
        operation: The product.
        varying: Names of the operations between the network's inputs and outputs.
        signal: Which of the operation's inputs is multiplied with the other; that one is held, also where it
            varies.
    """

    def __init__(self, operation: Any, varying: set[str], signal: int):
        self.operation, self._varying, self._signal = operation, varying, signal
        numbers = [place for place, x in enumerate(operation.inputs) if x.dtype.is_floating]
        self._weights_at = next(place for place in numbers if place != signal)
        self.x, self.weights = operation.inputs[signal], operation.inputs[self._weights_at]

    @functools.cached_property
    def output(self) -> tf.Tensor:
        """The layer's output with all that folds into it, in the order of the product's."""
        return self._in_place(self._after[-1].outputs[0] if self._after else self.operation.outputs[0])

    @functools.cached_property
    def scale(self) -> tf.Tensor | None:
        """What the product is multiplied by, None for 1."""
        if not any(one.type in SCALES or one.type == "Sub" for one in self._after):
            return None
        product = self.operation.outputs[0]
        with tf.GradientTape() as tape:
            tape.watch(product)
            y = self._run(self._after, product)
        return tape.gradient(y, product)

    @functools.cached_property
    def bias(self) -> tf.Tensor:
        """What the outputs are where x is 0, in the product's order."""
        if self._before:
            bias = self.times(self._shift, self.weights)
        else:
            bias = tf.zeros_like(self.operation.outputs[0])
        return self._in_place(self._run(self._after, bias))

    @functools.cached_property
    def variable(self) -> tf.Tensor:
        """What goes into the product less what it is where the layer's own input is 0."""
        return self.x - self._shift if self._before else self.x

    def times(self, x: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """Returns the product of others."""
        arguments = list(self.operation.inputs)
        arguments[self._signal], arguments[self._weights_at] = x, weights
        return again(self.operation, *arguments)

    def back(self, weights: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
        """Returns the product of what is of the outputs' shape with the transposed of other weights."""
        with tf.GradientTape() as tape:
            tape.watch(self.x)
            y = self.times(self.x, weights)
        return tape.gradient(y, self.x, output_gradients=upstream)

    @functools.cached_property
    def at_places(self) -> bool:
        """Whether it sees each point or voxel, or its neighbourhood, and not all at once."""
        if self.operation.type not in ("MatMul", "BatchMatMulV2"):
            return True
        x, width = self.x, self._width
        while x.op.type in MOVES and x.op.inputs[0].shape.rank and x.op.inputs[0].shape[-1] == width:
            x = x.op.inputs[0]
        return x.shape.rank is None or any(size != 1 for size in x.shape[1:-1])

    @property
    def _width(self) -> int | None:
        """The numbers that a matrix product sums over, as its weights tell."""
        turned = "transpose_" if self.operation.type == "MatMul" else "adj_"
        turned += ("a" if turned == "transpose_" else "x", "b" if turned == "transpose_" else "y")[
            self._weights_at
        ]
        last = self._weights_at == 0
        return self.weights.shape[-1 if last != self.operation.get_attr(turned) else -2]

    @functools.cached_property
    def never_negative(self) -> bool:
        """Whether what goes into the product comes from a function without values below 0."""
        x = self.x
        while x.op.type in _KEEP_SIGNS:
            x = x.op.inputs[0]
        return not self._before and x.op.type in _ABOVE_ZERO

    def at_input(self, value: float) -> tf.Tensor:
        """Returns what goes into the product where all that comes to the operations before it is this."""
        return self._run(self.before, tf.fill(tf.shape(self.source), tf.constant(value, self.x.dtype)))

    @functools.cached_property
    def before(self) -> list[Any]:
        """The operations before the product, as far as they can fold into it."""
        chain: list[Any] = []
        tensor = self.x
        while _folds(tensor.op, self._varying):
            chain.insert(0, tensor.op)
            tensor = _argument(tensor.op, self._varying)
        return chain

    @property
    def source(self) -> tf.Tensor:
        """What goes into the first of these operations, or into the product."""
        return _argument(self.before[0], self._varying) if self.before else self.x

    @functools.cached_property
    def _before(self) -> list[Any]:
        if not any(one.type in _SHIFTS for one in self.before):
            return []
        return [] if self.source.op.type in PRODUCTS else self.before  # they fold into that one

    @functools.cached_property
    def _shift(self) -> tf.Tensor:
        return self._run(self._before, tf.zeros_like(self.source))

    @functools.cached_property
    def _after(self) -> list[Any]:
        chain: list[Any] = []
        last = self.operation
        while True:
            users = [one for one in last.outputs[0].consumers() if one.name in self._varying]
            if len(users) != 1 or not _folds(users[0], self._varying):
                break
            last = users[0]
            chain.append(last)
        while chain and chain[-1].type in MOVES:
            chain.pop()
        return chain

    def _run(self, chain: Sequence[Any], value: tf.Tensor) -> tf.Tensor:
        """Returns what operations, one after the other, make of a value; their other inputs stay."""
        for operation in chain:
            argument = _argument(operation, self._varying)
            value = again(operation, *(value if x is argument else x for x in operation.inputs))
            value = value[0] if isinstance(value, tuple) else value
        return value

    def _in_place(self, y: tf.Tensor) -> tf.Tensor:
        """Returns what is of the folded outputs' shape in the order of the product's."""
        moves = [one for one in self._after if one.type in MOVES]
        if not moves:
            return y
        product = self.operation.outputs[0]
        with tf.GradientTape() as tape:
            tape.watch(product)
            moved = self._run(moves, product)
        return tape.gradient(moved, product, output_gradients=y)


def _folds(operation: Any, varying: set[str]) -> bool:
    """Whether an operation moves, scales or shifts each number, whatever the others are."""
    if operation.name not in varying or operation.type not in MOVES | SCALES | _SHIFTS:
        return False
    if operation.type in MOVES:
        return True
    if sum(x.op.name in varying for x in operation.inputs) != 1:
        return False
    x = _argument(operation, varying)
    if operation.type == "RealDiv" and x is not operation.inputs[0]:
        return False
    return x.shape.rank is not None and x.shape.as_list() == operation.outputs[0].shape.as_list()


def _argument(operation: Any, varying: set[str]) -> tf.Tensor:
    return next(x for x in operation.inputs if x.op.name in varying)
