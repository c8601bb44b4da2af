"""Models whose ReLUs and ELUs pass gradients back by another rule: deconvnet, guided backpropagation."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal

import keras
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.network import ANY_SHAPE, Network
from tfxai3d.explain.engine.shadow import shadow

BackwardRule = Literal["deconvnet", "guided"]
Range = tuple[float, float]
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
# Not activations of single neurons: their own derivative is right.
_PLAIN = (keras.activations.linear, keras.activations.softmax, keras.activations.log_softmax)
_GRAPH_ACTIVATIONS = frozenset(
    ("Relu", "Relu6", "Elu", "Selu", "LeakyRelu", "Softplus", "Softsign", "Tanh", "Sigmoid", "Erf", "Erfc")
)


def modified(network: Network, model: Any, rule: BackwardRule) -> Network:
    """Returns the network with other gradients: the same logits from the same variables.

    At each ReLU or ELU "deconvnet" passes the gradient back where it is above 0, "guided" where the input
    lies in the range of slope 1 as well. Softmax, pooling and normalisation keep their own gradients.

    Args:
        network: What is explained.
        model: Its Keras model, which is left as it is.
        rule: "deconvnet" or "guided".

    Raises:
        UserError: If the model is no Keras model, or has an activation for which there is no rule.
    """
    if not isinstance(model, keras.Model):
        raise UserError(f"{network.name} must be a Keras model: its activations are looked for inside")

    def adjust(original: Any, copy: Any) -> None:
        where = f"layer {original.name!r} of {network.name}"
        span = _span(original)
        if span is not None:
            vars(copy)["call"] = _with_rule(copy.call, span, rule)
            return
        for name in _activation_attributes(original):
            function = getattr(original, name)
            if function in _FUNCTIONS:
                vars(copy)[name] = _with_rule(function, _FUNCTIONS[function], rule)
            elif function not in _PLAIN and not isinstance(function, keras.Layer):
                raise UserError(_no_rule(getattr(function, "__name__", repr(function)), where))

    copy = shadow(model, adjust)

    def call(inputs: tf.Tensor) -> Any:
        with keras.StatelessScope():
            return copy(inputs, training=False)

    shape = network.shape or ANY_SHAPE[network.kind]
    # Traced once, for the check and for all explanations.
    function = tf.function(
        call, input_signature=[tf.TensorSpec((None, *shape), network.dtype)], autograph=False
    )
    _check_graph(function.get_concrete_function().graph, network)
    return dataclasses.replace(network, function=function)


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


def _with_rule(function: Callable[..., Any], span: Range, rule: BackwardRule) -> Callable[..., Any]:
    """Returns the function with the rule as its gradient."""
    low, high = span

    def call(x: Any, *args: Any, **kwargs: Any) -> Any:
        @tf.custom_gradient
        def forward(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
            with tf.name_scope(_SCOPE):
                y = function(x, *args, **kwargs)

            def backward(upstream: tf.Tensor) -> tf.Tensor:
                passes = upstream > 0
                if rule == "guided":
                    passes = passes & (x > low) & (x < high)
                return tf.where(passes, upstream, tf.zeros_like(upstream))

            return y, backward

        return forward(x)

    return call


def _check_graph(graph: tf.Graph, network: Network) -> None:
    """Raises a UserError if some layer's code has an activation that was not found among the attributes."""
    content = graph.as_graph_def()
    for nodes in (content.node, *(function.node_def for function in content.library.function)):
        for node in nodes:
            if node.op in _GRAPH_ACTIVATIONS and _SCOPE not in node.name:
                raise UserError(_no_rule(node.op, f"{node.name!r} of {network.name}"))


def _no_rule(activation: str, where: str) -> str:
    return f"no rule for the activation {activation} in {where}: ReLU, ReLU6, leaky ReLU and ELU have one"
