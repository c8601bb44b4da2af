"""The matrix of the conformance suite: which methods, which models, and what cannot be."""

import dataclasses
import functools

import keras
import numpy as np
import tensorflow as tf

from tests.reference import networks
from tests.reference.networks import POINTS, VOXELS
from tests.reference.precision import precision
from tfxai3d import explain

MODELS = {
    "pointnet": (networks.pointnet, "points", POINTS),
    "pointnet2": (networks.pointnet2, "points", POINTS),
    "resnet3d": (networks.resnet3d, "voxels", VOXELS),
    "vrn": (networks.vrn, "voxels", VOXELS),
    "foreign": (networks.foreign, "points", POINTS),
    "function": (lambda: networks.function, "voxels", VOXELS),
}
METHODS = explain.method_names()
SLOW = {"pointnet2", "resnet3d", "vrn"}
FEW = {"num_clusters": 4, "block_size": 8, "budget": 16}
OPTIONS = {
    "integrated_gradients": {"steps": 3},
    "expected_gradients": {"samples": 3},
    "kernel_shap": FEW,
    "leave_one_out": {"block_size": 8},
    "lime": FEW,
    "mean_field_shapley": {"nodes": 3},
    "occlusion": {"size": 0.5},
    "rise": FEW,
    "shapley_sampling": {**FEW, "budget": 32},
    "smooth_grad": {"samples": 3},
    "var_grad": {"samples": 3},
}
SEEDED = ("expected_gradients", "lime", "rise", "smooth_grad", "var_grad")
NEED_FEATURES = {"critical_points", "feature_magnitude", "grad_cam", "p_grad_cam"}
NEED_KERAS = {*NEED_FEATURES, "deconvnet", "deep_lift", "guided_backprop", "lrp"}
POINTS_ONLY = {"critical_points", "point_saliency"}
NEED_NO_GRADIENT = {"kernel_shap", "leave_one_out", "lime", "occlusion", "rise", "shapley_sampling"}
WHATEVER_THE_TARGET = {"critical_points", "feature_magnitude"}
ONE_A_POINT = NEED_FEATURES  # the attributions repeat the importance


def cannot(method, model):
    """Returns why a method cannot explain a model."""
    if MODELS[model][1] == "voxels" and method in POINTS_ONLY:
        return f"{method} explains points, .* takes voxels"
    if model == "function" and method in NEED_KERAS:
        return "must be a Keras model"
    return None


def make(method, model, batch_size=2, **more):
    """Returns the explainer, with few steps or samples; or raises what it raises."""
    build, kind, _ = MODELS[model]
    options = OPTIONS.get(method, {}) | more
    if model in ("foreign", "function"):
        options["data_kind"] = kind
    if model == "foreign" and method in NEED_FEATURES:
        options["layer"] = "rows"
    explainer = explain.get(method)(build(), batch_size=batch_size, **options)
    if model in SLOW and method not in NEED_KERAS:
        explainer.network = traced(model)
    return explainer


@functools.cache
def traced(model):
    """Returns a slower model as a compiled function: tracing it for each method would take minutes."""
    network = explain.VanillaGradient(MODELS[model][0]()).network
    signature = [tf.TensorSpec((None, *network.shape), network.dtype)]
    return dataclasses.replace(network, function=tf.function(network.function, input_signature=signature))


def eagerly(explainer, inputs, target=None):
    """Returns the parts, computed outside of any `tf.function` of the explainer's."""
    target = [-1] * len(inputs) if target is None else target
    dtype = explainer.network.dtype
    return explainer.explain_batch(tf.constant(inputs, dtype), tf.constant(target, tf.int32))


@functools.cache
def logits(model):
    """Returns what the model itself says, in inference mode."""
    build, _, inputs = MODELS[model]
    return np.asarray(build()(inputs))


@functools.cache
def normed():
    """A Keras model whose layers act otherwise in training: Dropout, and BatchNorm with statistics."""
    with precision():
        points = keras.Input((None, 3))
        x = keras.layers.Dense(8, name="rows")(points)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization(name="norm")(x))
        x = keras.layers.GlobalMaxPooling1D()(keras.layers.Dropout(0.5)(x))
        model = keras.Model(points, keras.layers.Dense(4)(x), name="normed")
    norm = model.get_layer("norm")
    norm.moving_mean.assign(np.linspace(-0.3, 0.3, 8))
    norm.moving_variance.assign(np.linspace(0.5, 2, 8))
    return model


def state(model):
    """Returns everything that hangs on a model and its layers, by identity, and its weights' values."""
    layers = model._flatten_layers() if hasattr(model, "_flatten_layers") else []
    attributes = {
        (layer.path, name): tuple(value) if isinstance(value, list) else value
        for layer in layers
        for name, value in vars(layer).items()
        if name not in ("_called", "_loss_ids")  # what any call sets
    }
    return attributes, [np.asarray(weight).copy() for weight in getattr(model, "weights", [])]
