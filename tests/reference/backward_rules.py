"""The rules of guided backpropagation and deconvnet, and small models to see them act on."""

import keras
import tensorflow as tf

from tfxai3d import explain

METHODS = {"guided": explain.GuidedBackprop, "deconvnet": explain.Deconvnet}


def rule(name, upstream, active):
    return upstream * (upstream > 0) * (active if name == "guided" else True)


def summed(activation):
    """Returns a model whose logits are weighted sums of the activated coordinates."""
    points = keras.Input((None, 3))
    x = keras.ops.sum(activation(points), axis=1)
    return keras.Model(points, keras.layers.Dense(2, name="logits")(x))


class OfItsOwn(keras.layers.Layer):
    """A layer whose activation nobody can see from outside."""

    def call(self, x):
        return HIDDEN[self.name](x)


HIDDEN = {
    "hidden_relu": tf.nn.relu,
    "hidden_elu": keras.ops.elu,
    "hidden_relu6": lambda x: keras.ops.relu6(4 * x),
    "hidden_tanh": keras.ops.tanh,
    "hidden_function": tf.function(tf.nn.relu),
}
