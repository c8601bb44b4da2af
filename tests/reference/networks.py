"""Tiny networks for the tests of the explainers, in float64: there rounding decides no tie or arg-max."""

import functools
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

import tfxai3d.models.vrn as vrn_module
from tests.reference.plain_pointnet import randomise
from tests.reference.precision import precision
from tfxai3d.models import VRN, PointNet, PointNet2, ResNet3D

SIZE = 16
POINTS = np.random.default_rng(0).uniform(-0.5, 0.5, (5, 40, 3))
VOXELS = (np.random.default_rng(1).random((5, SIZE, SIZE, SIZE, 1)) < 0.2).astype(float)


def _balanced(model, inputs):
    """Gives the model random statistics under which no class is ahead whatever the input."""
    randomise(model, seed=1)
    for variable in model.weights:
        if variable.path.endswith("gamma"):  # else the input would hardly matter beside the biases
            variable.assign(3 * variable)
    bias = model.get_layer("logits").bias
    logits = np.asarray(model(inputs))
    bias.assign(bias - logits.mean(axis=0))
    return model


@functools.cache
def pointnet(variant="basic"):
    with precision():
        return _balanced(PointNet(4, variant, class_names=("chair", "cup", "lamp", "sofa")), POINTS)


@functools.cache
def pointnet2():
    with precision():
        return _balanced(PointNet2(4, density=0.06), POINTS)


@functools.cache
def vrn():
    """A VRN of one stage with one block: all its kinds of layers, in a tenth of the time."""
    with precision(), mock.patch.object(vrn_module, "KEEP", ((0.6,),)):
        return _balanced(VRN(4, width=0.125, size=SIZE), VOXELS)


@functools.cache
def resnet3d():
    with precision():
        return _balanced(ResNet3D(4, width=0.125, size=SIZE, mean=0.2, std=0.4), VOXELS)


@functools.cache
def foreign():
    """A Keras model of points from another house: nested, one activation used twice, no endpoint."""
    with precision():
        activation = keras.layers.Activation("relu", name="shared_relu")
        points = keras.Input((None, 3))
        x = keras.layers.Dense(6, bias_initializer="normal")(points)
        x = keras.layers.Dense(6, bias_initializer="normal")(activation(x))
        inner = keras.Sequential([keras.Input((None, 6)), keras.layers.Dense(8, "elu", name="rows")])
        x = keras.layers.GlobalMaxPooling1D()(inner(activation(x)))
        return keras.Model(points, keras.layers.Dense(4)(x), name="foreign")


def function(voxels):
    """A smooth function of voxels that is no Keras model."""
    mass = tf.reduce_sum(voxels, axis=(2, 3, 4)) / SIZE
    return tf.stack([mass[:, 0], mass[:, 1] * mass[:, 2], tf.sin(mass[:, 3]), mass[:, 4] ** 2], axis=-1)


def assert_close(actual, expected, tolerance=1e-5):
    """Compares arrays, relative to the largest number; explanations are stored in float32."""
    expected = np.asarray(expected, dtype=float)
    atol = tolerance * max(np.abs(expected).max(initial=0), 1e-12)
    np.testing.assert_allclose(np.asarray(actual, dtype=float), expected, rtol=tolerance, atol=atol)
