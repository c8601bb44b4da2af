"""Networks whose operations pass something else back than derivatives, and what is found in their graphs."""

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.network import Network
from tfxai3d.explain.engine.several_inputs import held_now, holding
from tfxai3d.explain.engine.shadow import shadow

#: Operations of one number each that have a value for every number.
UNARY = frozenset(
    (
        *("Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Sigmoid", "Tanh", "Softplus", "Softsign"),
        *("Erf", "Exp", "Square", "Sqrt", "Rsqrt", "Log", "Abs"),
    )
)
#: Operations that move numbers or take weighted sums of them.
LINEAR = frozenset(
    (
        *("Identity", "Cast", "Reshape", "Transpose", "ExpandDims", "Squeeze", "Pack", "Unpack", "Tile"),
        *("ConcatV2", "Split", "SplitV", "Slice", "StridedSlice", "Pad", "PadV2", "GatherV2", "GatherNd"),
        *("Add", "AddV2", "AddN", "Sub", "Neg", "BiasAdd", "Sum", "Mean", "AvgPool", "AvgPool3D"),
        *("Conv2D", "Conv3D", "RealDiv", "SpaceToBatchND", "BatchToSpaceND", "BroadcastTo"),
    )
)


def overridden(
    network: Network, model: Any, adjust: Callable[[Any, Any], None], gradients: Mapping[str, str]
) -> tuple[Network, Any]:
    """Returns the network with other gradients of some operations, and its graph.

    It is traced once, for all that is looked up in the graph and for all explanations; and as a graph of its
    own, because only the gradient of a whole function looks at what is overridden.

    Args:
        network: What is explained.
        model: Its Keras model, which is left as it is.
        adjust: What its shadow is made with, see `shadow`.
        gradients: Names of registered gradients, by the type of the operation.

    Raises:
        UserError: If the model is no Keras model, or as `adjust` does.
    """
    if not isinstance(model, keras.Model):
        raise UserError(f"{network.name} must be a Keras model, for its operations are looked for inside")
    copy = shadow(model, adjust)

    def call(inputs: tf.Tensor, held: dict[str, tf.Tensor]) -> tf.Tensor:
        graph = tf.compat.v1.get_default_graph()
        with keras.StatelessScope(), graph.gradient_override_map(dict(gradients)), holding(held):
            return network.scores(copy(network.arguments(inputs), training=False))

    spec = tf.TensorSpec((None, *network.layout.usual()), network.dtype)
    others = dict(network.several.specs) if network.several else {}
    traced = tf.function(call, input_signature=[spec, others], autograph=False)
    replaced = dataclasses.replace(
        network, function=lambda inputs: traced(inputs, dict(held_now()) if others else {})
    )
    return replaced, traced.get_concrete_function().graph


def register(prefix: str, rules: Mapping[str, Callable[..., Any]]) -> dict[str, str]:
    """Registers gradients of operations, by type, and returns their names, which begin with the prefix."""
    for kind, rule in rules.items():
        _register(prefix + kind, rule)
    return {kind: prefix + kind for kind in rules}


def _register(name: str, rule: Callable[..., Any]) -> None:
    @tf.RegisterGradient(name)
    def gradient(operation: Any, *upstream: tf.Tensor) -> Any:
        # Without an operation where a SavedModel is written, which asks for the form alone.
        return upstream[0] if operation is None else rule(operation, *upstream)


def between(graph: Any, choices: bool = True) -> set[str]:
    """Returns the names of the operations that lie between the inputs and the outputs, by numbers.

    Args:
        graph: The graph of a function.
        choices: Whether numbers lie between that decide an index alone, such as distances of the nearest.
    """

    def counts(x: tf.Tensor) -> bool:
        return choices or x.dtype.is_floating

    after = {graph.inputs[0].op.name}
    for operation in graph.get_operations():  # they come in the order in which they were made
        depends = any(x.op.name in after for x in operation.inputs if counts(x))
        if depends and any(y.dtype.is_floating for y in operation.outputs):
            after.add(operation.name)
    before: set[str] = set()
    waiting = [output.op for output in graph.outputs]
    while waiting:
        operation = waiting.pop()
        if operation.name in after and operation.name not in before:
            before.add(operation.name)
            waiting += [x.op for x in operation.inputs if counts(x)]
    return before


def ruled(
    method: str, network: Network, graph: Any, names: set[str], kinds: frozenset[str]
) -> Iterator[tuple[Any, list[bool]]]:
    """Yields the operations of these names, and which of their inputs have such a name as well.

    Raises:
        UserError: If one of them is of no such kind.
    """
    for operation in graph.get_operations():
        if operation.name not in names or operation.type == "Placeholder":
            continue
        if operation.type not in kinds:
            raise UserError(f"{method} has no rule for the operation {described(operation, network)}")
        yield operation, [x.op.name in names for x in operation.inputs]


def described(operation: Any, network: Network) -> str:
    """Returns the operation's type, its name, and the model's."""
    return f"{operation.type}, {operation.name!r} of {network.name}"


def again(operation: Any, *arguments: tf.Tensor) -> tf.Tensor:
    """Returns what the operation makes of other arguments."""
    function = getattr(tf.raw_ops, operation.type)
    names = list(inspect.signature(function).parameters)
    given: dict[str, Any] = {}
    left = list(arguments)
    for place, argument in enumerate(operation.op_def.input_arg):
        name = argument.name if argument.name in names else names[place]  # some are renamed in Python
        many = operation.get_attr(argument.number_attr) if argument.number_attr else None
        given[name] = left.pop(0) if many is None else [left.pop(0) for _ in range(many)]
    for name in names:
        if name not in given and name in operation.node_def.attr:
            given[name] = operation.get_attr(name)
    return function(**given)
