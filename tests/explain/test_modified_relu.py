"""Guided backpropagation and deconvnet against slow references of two kinds.

One walks a plain network layer by layer in NumPy; the other overrides the gradients of TensorFlow's own Relu
and Elu operations, and so knows nothing of Keras's layers.
"""

import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.reference import networks
from tests.reference.backward_rules import METHODS, OfItsOwn, rule, summed
from tests.reference.networks import POINTS, VOXELS, assert_close
from tests.reference.plain_pointnet import copy_weights, plain_pointnet
from tests.reference.precision import precision
from tfxai3d import explain
from tfxai3d.errors import UserError

# --- PointNet, layer by layer


def forward(model, x):
    """Returns the input of each layer of a plain basic PointNet for one cloud, and the logits."""
    inputs = []
    for layer in model.layers[1:]:
        inputs.append(x)
        if isinstance(layer, keras.layers.Dense):
            x = x @ layer.kernel.numpy() + (layer.bias.numpy() if layer.use_bias else 0)
        elif isinstance(layer, keras.layers.BatchNormalization):
            x = (x - layer.moving_mean) / np.sqrt(layer.moving_variance + layer.epsilon)
            x = np.asarray(x * layer.gamma + layer.beta)
        elif isinstance(layer, keras.layers.ReLU):
            x = np.maximum(x, 0)
        elif isinstance(layer, keras.layers.GlobalMaxPooling1D):
            x = x.max(axis=0)
    return inputs, x


def backward(model, inputs, gradient, name):
    """Returns the gradient of one cloud by the rule, layer by layer."""
    winners = None
    for layer, x in reversed(list(zip(model.layers[1:], inputs, strict=True))):
        if isinstance(layer, keras.layers.Dense):
            gradient = gradient @ layer.kernel.numpy().T
        elif isinstance(layer, keras.layers.BatchNormalization):
            gradient = gradient * layer.gamma.numpy() / np.sqrt(layer.moving_variance + layer.epsilon)
        elif isinstance(layer, keras.layers.GlobalMaxPooling1D):
            winners = gradient  # the ReLU below decides who is nearest to winning a channel
        elif isinstance(layer, keras.layers.ReLU):
            if winners is not None:
                gradient = np.where(x == x.max(axis=0), winners, 0)
                winners = None
            gradient = rule(name, gradient, x > 0)
    return gradient


@pytest.mark.parametrize("name", METHODS)
def test_pointnet_with_its_fast_max_equals_the_layers_one_by_one(name):
    model = networks.pointnet()
    with precision():
        plain = plain_pointnet(4, "basic")
    copy_weights(model, plain)
    explained = METHODS[name](model)(POINTS[:2], [0, 3])
    for i, target in enumerate((0, 3)):
        inputs, logits = forward(plain, POINTS[i])
        assert_close(explained.scores[i], logits)
        expected = backward(plain, inputs, np.eye(4)[target], name)
        assert np.abs(expected).max() > 0
        assert_close(explained.attributions[i], expected)


# --- all networks, operation by operation


for _name in METHODS:
    tf.RegisterGradient(f"Test{_name}")(
        lambda op, upstream, name=_name: tf.where(
            (upstream > 0) & ((op.inputs[0] > 0) | (name == "deconvnet")), upstream, tf.zeros_like(upstream)
        )
    )


def overridden(model, inputs, target, name):
    """Returns the gradient of a model in which every Relu and Elu operation follows the rule."""

    @tf.function
    def gradient(x):
        override = dict.fromkeys(("Relu", "Elu"), f"Test{name}")
        with tf.compat.v1.get_default_graph().gradient_override_map(override):
            scores = model(x, training=False)
        return tf.gradients(tf.reduce_sum(tf.gather(scores, target, batch_dims=1)), x)[0]

    return gradient(tf.constant(inputs))


@pytest.mark.parametrize(
    ("build", "inputs", "name"),
    [
        (lambda: networks.pointnet("full"), POINTS[:2], "guided"),
        (networks.pointnet2, POINTS[:2], "deconvnet"),
        (networks.vrn, VOXELS[:2], "guided"),
        (networks.foreign, POINTS[:2], "guided"),
        (networks.foreign, POINTS[:2], "deconvnet"),
    ],
    ids=["pointnet", "pointnet2", "vrn", "foreign guided", "foreign deconvnet"],
)
def test_every_network_equals_overridden_operations(build, inputs, name):
    model = build()
    kind = "voxels" if inputs.ndim == 5 else "points"
    explained = METHODS[name](model, data_kind=kind)(inputs, [1, 3])
    expected = overridden(model, inputs, [1, 3], name)
    assert np.abs(expected).max() > 0
    assert_close(explained.attributions, expected)


def test_the_rules_differ():
    methods = (explain.VanillaGradient, explain.GuidedBackprop, explain.Deconvnet)
    one, two, three = (m(networks.foreign(), data_kind="points")(POINTS, 1).attributions for m in methods)
    assert not np.allclose(one, two)
    assert not np.allclose(one, three)
    assert not np.allclose(two, three)


# --- single activations

ACTIVATIONS = {
    "relu layer": (lambda: keras.layers.ReLU(), 0, np.inf),
    "threshold": (lambda: keras.layers.ReLU(threshold=0.3), 0.3, np.inf),
    "max_value": (lambda: keras.layers.ReLU(max_value=0.5), 0, 0.5),
    "all three": (lambda: keras.layers.ReLU(0.9, 0.2, 0.3), 0.3, 0.9),
    "leaky": (lambda: keras.layers.LeakyReLU(0.3), 0, np.inf),
    "elu layer": (lambda: keras.layers.ELU(0.7), 0, np.inf),
    "activation": (lambda: keras.layers.Activation("relu6"), 0, 6),
    "argument": (lambda: keras.layers.Dense(3, "elu", kernel_initializer="identity"), 0, np.inf),
    "layer as argument": (
        lambda: keras.layers.Dense(3, keras.layers.ReLU(max_value=0.5), kernel_initializer="identity"),
        0,
        0.5,
    ),
    "operation": (lambda: keras.ops.relu, 0, np.inf),
    "function": (lambda: keras.layers.Activation(tf.nn.leaky_relu), 0, np.inf),
}


@pytest.mark.parametrize(("make", "low", "high"), ACTIVATIONS.values(), ids=ACTIVATIONS.keys())
def test_one_activation(make, low, high):
    with precision():
        model = summed(make())
    upstream = model.get_layer("logits").kernel.numpy()[:, 1]
    for name, method in METHODS.items():
        explained = method(model, data_kind="points")(POINTS, 1)
        assert_close(explained.scores, model(POINTS))
        expected = rule(name, np.broadcast_to(upstream, POINTS.shape), (low < POINTS) & (high > POINTS))
        assert_close(explained.attributions, expected)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.parts = [keras.layers.Dense(5), {"act": keras.layers.ReLU(), "out": keras.layers.Dense(2)}]

    def call(self, points):
        return keras.ops.sum(self.parts[1]["out"](self.parts[1]["act"](self.parts[0](points))), axis=1)


def test_a_subclassed_model():
    with precision():
        model = Subclassed()
        model(POINTS)
    explained = explain.GuidedBackprop(model, data_kind="points")(POINTS, 1)
    assert_close(explained.attributions, overridden(model, POINTS, [1] * 5, "guided"))


@pytest.mark.parametrize(
    ("activation", "message"),
    [
        (keras.layers.Dense(3, "tanh", name="bend"), "activation tanh in layer 'bend'"),
        (keras.layers.Activation("silu", name="bend"), "activation silu in layer 'bend'"),
        (keras.layers.Activation(lambda x: x**3, name="bend"), "activation <lambda> in layer 'bend'"),
        (OfItsOwn(name="hidden_function"), "activation Relu of a function in"),
        (OfItsOwn(name="hidden_tanh"), "activation Tanh in .*hidden_tanh"),
    ],
)
@pytest.mark.parametrize("method", METHODS.values())
def test_an_activation_without_a_rule_is_named(method, activation, message):
    with pytest.raises(UserError, match=message) as caught:
        method(summed(activation), data_kind="points")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "bfloat16"])
def test_half_precision(policy):
    # Numbers that all precisions hold exactly.
    points = keras.Input((None, 3))
    x = keras.layers.Dense(4, "relu", dtype=policy)(points)
    x = keras.layers.Activation("relu", dtype=policy)(keras.ops.sum(x, axis=1))
    model = keras.Model(points, keras.layers.Dense(2, dtype=policy)(x))
    rng = np.random.default_rng(0)
    model.set_weights([rng.integers(-2, 3, weight.shape) for weight in model.weights])
    inputs = rng.integers(-2, 3, (3, 4, 3)).astype("float32")
    for name, method in METHODS.items():
        explained = method(model, data_kind="points")(inputs, 1)
        kernels = [weight.numpy() for weight in model.weights]
        hidden = inputs @ kernels[0] + kernels[1]
        top = rule(name, kernels[2][:, 1], np.maximum(hidden, 0).sum(axis=1) > 0)
        expected = rule(name, top[:, None], hidden > 0) if name == "guided" else rule(name, top, True)
        expected = np.broadcast_to(expected, hidden.shape) @ kernels[0].T
        np.testing.assert_array_equal(explained.attributions, expected)


def test_weights_are_shared_not_copied():
    with precision():
        model = summed(keras.layers.Dense(3, "relu"))
    method = explain.GuidedBackprop(model, data_kind="points")
    before = method(POINTS, 0)
    model.get_layer("logits").kernel.assign(-model.get_layer("logits").kernel)
    assert not np.allclose(method(POINTS, 0).attributions, before.attributions)


def test_threads_explain_one_model_at_once():
    model = networks.foreign()
    makers = [explain.VanillaGradient, explain.GuidedBackprop] * 2
    expected = [make(model, data_kind="points")(POINTS, 1).attributions for make in makers[:2]] * 2
    found = [None] * len(makers)

    def work(i):
        found[i] = makers[i](model, data_kind="points")(POINTS, 1).attributions

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(makers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other)
