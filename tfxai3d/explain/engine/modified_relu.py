"""Models whose ReLUs and ELUs pass gradients back by another rule: deconvnet, guided backpropagation."""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import keras
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.network import Network
from tfxai3d.explain.engine.overridden import overridden, register

BackwardRule = Literal["deconvnet", "guided"]
Range = tuple[float, float]
Slope = Callable[[tf.Tensor], tf.Tensor]
_SCOPE = "modified_activation"
_RELU: Range = (0.0, math.inf)
# Where each activation grows with slope 1.
_FUNCTIONS: dict[Any, Range] = {
    keras.activations.relu: _RELU,
    keras.activations.elu: _RELU,
    keras.activations.leaky_relu: _RELU,
    keras.activations.relu6: (0.0, 6.0),
    keras.ops.relu: _RELU,
    keras.ops.elu: _RELU,
    keras.ops.leaky_relu: _RELU,
    keras.ops.relu6: (0.0, 6.0),
    tf.nn.relu: _RELU,
    tf.nn.elu: _RELU,
    tf.nn.leaky_relu: _RELU,
    tf.nn.relu6: (0.0, 6.0),
}
# Keras's operations of functional graphs, which have no public names.
_OPERATIONS = {"Relu": _RELU, "Elu": _RELU, "LeakyRelu": _RELU, "Relu6": (0.0, 6.0)}
# The same in the graph, where a layer's own code calls them.
_IN_GRAPHS = {"Relu": _RELU, "Elu": _RELU, "LeakyRelu": _RELU, "Relu6": (0.0, 6.0)}
# Not activations of single neurons: their own derivative is right.
_PLAIN = (
    *(keras.activations.linear, keras.activations.softmax, keras.activations.log_softmax),
    *(keras.ops.softmax, keras.ops.log_softmax, tf.nn.softmax, tf.nn.log_softmax),
)
# Gates and heads: a factor or a probability, through which the gradient goes by their own derivative.
_GATES = (
    *(keras.activations.sigmoid, keras.activations.hard_sigmoid, keras.ops.sigmoid, keras.ops.hard_sigmoid),
    tf.nn.sigmoid,
)
_GATE, _GATE_SCOPE = "Sigmoid", f"{_SCOPE}_gate"
_GATE_OPERATIONS = ("Sigmoid", "HardSigmoid")
_WITHOUT_RULE = frozenset(("Selu", "Softplus", "Softsign", "Tanh", "Erf", "Erfc"))


def modified(network: Network, model: Any, rule: BackwardRule) -> Network:
    """Returns the network with other gradients: the same logits from the same variables.

    At each ReLU or ELU "deconvnet" passes the gradient back where it is above 0, "guided" where the input
    lies in the range of slope 1 as well; a PReLU's slope below 0 is a factor there. ReLUs and ELUs in a
    layer's own code are found in the graph. Softmax, pooling and normalisation keep their own gradients, and
    so do sigmoids, which are gates or heads: one warning names them.

    Args:
        network: What is explained.
        model: Its Keras model, which is left as it is.
        rule: "deconvnet" or "guided".

    Raises:
        UserError: If the model is no Keras model, or has an activation for which there is no rule.
    """

    def adjust(original: Any, copy: Any) -> None:
        where = f"layer {original.name!r} of {network.name}"
        span = _span(original)
        if span is not None:
            vars(copy)["call"] = _with_rule(copy.call, _within(span), rule)
            return
        if not isinstance(original, keras.Layer) and type(original).__name__ in _GATE_OPERATIONS:
            vars(copy)["call"] = _with_own_gradient(copy.call, f"{original.name}/")
            return
        if isinstance(original, keras.layers.PReLU):
            vars(copy)["call"] = _with_rule(copy.call, _slope(original), rule)
            return
        for name in _activation_attributes(original):
            function = getattr(original, name)
            if function in _FUNCTIONS:
                vars(copy)[name] = _with_rule(function, _within(_FUNCTIONS[function]), rule)
            elif function in _GATES:
                vars(copy)[name] = _with_own_gradient(function)
            elif function not in _PLAIN and not isinstance(function, keras.Layer):
                raise UserError(_no_rule(getattr(function, "__name__", repr(function)), where))

    gradients = {operation: f"tfxai3d_{rule}_{operation}" for operation in _IN_GRAPHS}
    replaced, graph = overridden(network, model, adjust, gradients)
    _check_graph(graph, network)
    return replaced


def _span(operation: Any) -> Range | None:
    """Returns the range of slope 1 of a layer or operation that is nothing but a ReLU or ELU."""
    if isinstance(operation, keras.layers.ReLU):
        return float(operation.threshold), math.inf if operation.max_value is None else operation.max_value
    if isinstance(operation, keras.layers.ELU | keras.layers.LeakyReLU):
        return _RELU
    return None if isinstance(operation, keras.Layer) else _OPERATIONS.get(type(operation).__name__)


def _activation_attributes(layer: Any) -> list[str]:
    """Returns the layer's attributes that hold activation functions, its class's included."""
    return [name for name in dir(layer) if name.endswith("activation") and callable(getattr(layer, name))]


def _within(span: Range) -> Slope:
    """Returns the function that is 1 inside of a range and 0 outside."""
    return lambda x: tf.cast((x > span[0]) & (x < span[1]), x.dtype)


def _slope(prelu: keras.layers.PReLU) -> Slope:
    """Returns the slope of a PReLU as a function of its input."""
    return lambda x: tf.where(x > 0, tf.ones_like(x), tf.cast(prelu.alpha, x.dtype))


def _passed(upstream: tf.Tensor, x: tf.Tensor, slope: Slope, rule: BackwardRule) -> tf.Tensor:
    """Returns the gradient that an activation with the input x passes back by the rule."""
    positive = tf.nn.relu(upstream)
    return positive * slope(x) if rule == "guided" else positive


def _with_rule(function: Callable[..., Any], slope: Slope, rule: BackwardRule) -> Callable[..., Any]:
    """Returns the function with the rule as its gradient."""

    def call(x: Any, *args: Any, **kwargs: Any) -> Any:
        @tf.custom_gradient
        def forward(x: tf.Tensor) -> tuple[tf.Tensor, Callable[..., Any]]:
            with tf.name_scope(_SCOPE):
                y = function(x, *args, **kwargs)

            def backward(upstream: tf.Tensor, variables: Any = ()) -> Any:
                passed = _passed(upstream, x, slope, rule)
                return (passed, [None] * len(variables)) if variables else passed

            return y, backward

        return forward(x)

    return call


def _with_own_gradient(function: Callable[..., Any], path: str = "") -> Callable[..., Any]:
    """Returns the function with its own gradient, also of the ReLUs that it is made of; `path` names it."""

    def call(x: Any) -> Any:
        graph = tf.compat.v1.get_default_graph()
        with (
            tf.name_scope(path + _GATE_SCOPE),
            graph.gradient_override_map({name: name for name in _IN_GRAPHS}),
        ):
            return function(x)

    return call


def _gradient(rule: BackwardRule, slope: Slope) -> Callable[[Any, tf.Tensor], tf.Tensor]:
    """Returns the gradient of an operation by the rule."""
    return lambda operation, upstream: _passed(upstream, operation.inputs[0], slope, rule)


for _rule in get_args(BackwardRule):
    register(f"tfxai3d_{_rule}_", {kind: _gradient(_rule, _within(at)) for kind, at in _IN_GRAPHS.items()})


def _check_graph(graph: Any, network: Network) -> None:
    """Warns of sigmoids, which keep their derivative.

    Raises:
        UserError: If some layer's code has an activation without a rule.
    """
    functions = graph.as_graph_def().library.function
    inner = [node for one in functions for node in one.node_def if _SCOPE not in node.name]
    reached = _before(graph.outputs)
    seen = [(op.type, op.name) for op in reached if _SCOPE not in op.name or _GATE_SCOPE in op.name]
    for kind, name in [*seen, *((node.op, node.name) for node in inner)]:
        if kind in _WITHOUT_RULE:
            raise UserError(_no_rule(kind, f"{name!r} of {network.name}"))
    for node in inner:
        if node.op in _IN_GRAPHS and "_gradient_op_type" not in node.attr:
            raise UserError(_no_rule(f"{node.op} of a function", f"{node.name!r} of {network.name}"))
    gates = list(
        dict.fromkeys(_layer_of(name) for kind, name in seen if kind == _GATE or _GATE_SCOPE in name)
    )
    if gates:
        warnings.warn(
            f"the sigmoids of {', '.join(gates)} in {network.name} keep their own derivative: no rule is "
            "published for gates and heads",
            stacklevel=4,
        )


def _layer_of(gate: str) -> str:
    """Returns the path of the layer that an operation of a gate is in."""
    return gate.partition(f"/{_GATE_SCOPE}")[0] if _GATE_SCOPE in gate else gate.rpartition("/")[0]


def _before(outputs: Sequence[tf.Tensor]) -> list[tf.Operation]:
    """Returns the operations that the outputs of a graph depend on."""
    waiting, found = [output.op for output in outputs], {}
    while waiting:
        operation = waiting.pop()
        if operation.name not in found:
            found[operation.name] = operation
            waiting += [x.op for x in operation.inputs]
    return list(found.values())


def _no_rule(activation: str, where: str) -> str:
    return (
        f"no rule for the activation {activation} in {where}: ReLU, ReLU6, leaky ReLU, PReLU and ELU have one"
    )
