"""Maps of networks in half precision are those of the same weights in float32, within 1 %."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.explainers.cases import METHODS, NEED_FEATURES, OPTIONS
from tests.reference.networks import POINTS
from tests.reference.precision import precision
from tfxai3d import explain, serve

VOLUME = np.random.default_rng(3).normal(size=(1, 41, 41, 41, 1)).astype("float32")
CLOUDS = POINTS[:2].astype("float32")


def of_points(policy):
    with precision("float32"):
        keras.config.set_dtype_policy(policy)
        keras.config.set_floatx("float32" if "mixed" in policy else policy)
        points = keras.Input((None, 3))
        x = keras.layers.BatchNormalization()(keras.layers.Dense(16, name="first")(points))
        x = keras.layers.Dense(16, "relu", name="rows")(keras.layers.ReLU()(x))
        return keras.Model(points, keras.layers.Dense(3)(keras.layers.GlobalMaxPooling1D()(x)))


def of_volumes(policy):
    """41 x 41 x 41 voxels are more than the largest number of float16."""
    with precision("float32"):
        keras.config.set_dtype_policy(policy)
        voxels = keras.Input((41, 41, 41, 1))
        x = keras.layers.Conv3D(4, 3, padding="same", activation="relu", name="rows")(voxels)
        return keras.Model(voxels, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling3D()(x)))


def pair(build, policy):
    """Returns the network in half precision, and in float32 with the weights that it has left."""
    half, full = build(policy), build("float32")
    full.set_weights([np.asarray(weight, "float32") for weight in half.get_weights()])
    return half, full


def explained(model, method, inputs, kind):
    options = OPTIONS.get(method, {}) | ({"layer": "rows"} if method in NEED_FEATURES else {})
    return explain.get(method)(model, data_kind=kind, **options)(inputs, 1)


def assert_near(half, full):
    assert half.scores.dtype == np.float32
    for name in ("scores", "attributions", "importance"):
        one, other = getattr(half, name), getattr(full, name)
        assert np.abs(other).max() > 0
        np.testing.assert_allclose(one, other, rtol=0.01, atol=0.01 * np.abs(other).max())


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16", "bfloat16"])
def test_points(policy):
    half, full = pair(of_points, policy)
    few = ("vanilla_gradient", "grad_cam", "mean_field_shapley", "guided_backprop")
    for method in METHODS if policy == "mixed_float16" else few:
        assert_near(*(explained(model, method, CLOUDS, "points") for model in (half, full)))
    assert half.get_layer("first").compute_dtype == policy.removeprefix("mixed_")  # it is what it was


def test_volumes():
    half, full = pair(of_volumes, "mixed_float16")
    for method in ("gradient_times_input", "grad_cam", "feature_magnitude"):
        assert_near(*(explained(model, method, VOLUME, "voxels") for model in (half, full)))


def test_logits_of_float16_also_in_a_signature(tmp_path):
    weights = tf.constant(np.random.default_rng(0).normal(size=(3, 4)), tf.float16)

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.float16)])
    def narrow(points):
        return tf.reduce_max(tf.nn.relu(points @ weights), axis=1)

    def full(points):
        return tf.reduce_max(tf.nn.relu(points @ tf.cast(weights, tf.float32)), axis=1)

    module = tf.Module()
    module.call = narrow
    signature = narrow.get_concrete_function()
    tf.saved_model.save(module, str(tmp_path / "theirs"), signatures=signature)
    theirs = serve.load(tmp_path / "theirs", "points")
    serve.export(theirs, tmp_path / "ours", ["integrated_gradients"], data_kind="points")
    expected = explained(full, "integrated_gradients", CLOUDS, "points")
    assert_near(explained(theirs, "integrated_gradients", CLOUDS, "points"), expected)
    ours = serve.load(tmp_path / "ours").explainer("integrated_gradients")(CLOUDS, 1)
    assert_near(ours, explain.IntegratedGradients(full, data_kind="points")(CLOUDS, 1))
