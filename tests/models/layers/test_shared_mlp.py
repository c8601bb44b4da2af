import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.reference.plain_pointnet import copy_weights, dense_norm_relu, key, randomise
from tests.reference.precision import precision
from tfxai3d.models.layers.shared_mlp import SharedDense, SharedDenseMax

TOLERANCE = {"float32": 1e-5, "float64": 1e-11}


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    with precision(request.param):
        yield request.param


def networks(layer_type, dtype, channels=6, units=20):
    """Returns our layer and the plain ones as models with equal random weights, gamma < 0 among them."""
    points = keras.Input((None, channels), dtype=dtype)
    ours = keras.Model(points, layer_type(units, name="layer")(points))
    y = dense_norm_relu(points, units, "layer")
    y = keras.layers.GlobalMaxPooling1D()(y) if layer_type is SharedDenseMax else y
    plain = keras.Model(points, y)
    randomise(ours)
    copy_weights(ours, plain)
    assert np.sum(ours.get_layer("layer").gamma < 0) > 3
    return ours, plain


def outcome(model, x, training):
    """Returns the output, the gradients by name, and the moving statistics after the call."""
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        out = model(x, training=training)
        weights = np.random.default_rng(0).normal(size=out.shape)
        loss = tf.reduce_sum(out * tf.cast(weights, out.dtype))
    names = [*map(key, model.trainable_variables), "x"]
    found = dict(zip(names, tape.gradient(loss, [*model.trainable_variables, x]), strict=True))
    return {"out": out} | found | {f"after/{key(v)}": v for v in model.non_trainable_variables}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("points", [1, 13, 32])
@pytest.mark.parametrize("layer_type", [SharedDense, SharedDenseMax])
def test_equals_dense_batchnorm_relu(layer_type, points, training, dtype):
    ours, plain = networks(layer_type, dtype)
    x = np.random.default_rng(points).normal(0.3, 1.0, (4, points, 6)).astype(dtype)
    got, expected = outcome(ours, x, training), outcome(plain, x, training)
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        value, rtol = np.asarray(value), TOLERANCE[dtype]
        np.testing.assert_allclose(
            got[name], value, rtol=rtol, atol=10 * rtol * np.abs(value).max(), err_msg=name
        )


def test_features_are_the_plain_form_of_the_max():
    layer = SharedDenseMax(9)
    x = np.random.default_rng(0).normal(size=(3, 11, 4)).astype("float32")
    for training in (False, True):
        top, features = layer(x, training=training), layer.features(x, training=training)
        assert features.shape == (3, 11, 9)
        np.testing.assert_allclose(top, np.max(features, axis=1), atol=1e-5)


def test_a_constant_channel_gives_finite_gradients():
    ours, plain = networks(SharedDenseMax, "float32")
    x = np.full((2, 16, 6), 0.7, "float32")
    got, expected = outcome(ours, x, True), outcome(plain, x, True)
    assert all(np.isfinite(value).all() for value in got.values())
    np.testing.assert_allclose(got["out"], expected["out"], atol=1e-3)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "bfloat16"])
def test_statistics_are_float32_at_least(policy):
    layer = SharedDense(8, dtype=policy)
    reference = SharedDense(8)
    x = np.random.default_rng(0).normal(size=(2, 64, 4)).astype("float32")
    reference.build(x.shape)
    layer.build(x.shape)
    layer.set_weights(reference.get_weights())
    out = layer(x, training=True)
    assert keras.backend.standardize_dtype(out.dtype) == layer.compute_dtype
    np.testing.assert_allclose(np.asarray(out, "float32"), reference(x, training=True), atol=0.05)
    np.testing.assert_allclose(
        np.asarray(layer.moving_variance, "float32"), reference.moving_variance, rtol=0.02
    )


@pytest.mark.parametrize("layer_type", [SharedDense, SharedDenseMax])
def test_config_round_trip(layer_type):
    layer = layer_type(7, momentum=0.8, epsilon=1e-4, name="some")
    again = layer_type.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert layer.compute_output_shape((None, None, 3))[-1] == 7
