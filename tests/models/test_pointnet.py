import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from tests.reference.plain_pointnet import copy_weights, key, plain_pointnet, randomise
from tfxai3d.models import PointNet
from tfxai3d.models.layers.t_net import Transform


def cloud(batch, points, seed=0, dtype="float32"):
    return np.random.default_rng(seed).uniform(-1, 1, (batch, points, 3)).astype(dtype)


@pytest.fixture(scope="module")
def model():
    net = PointNet(10)
    randomise(net)
    return net


def step(net, x, labels, training):
    """Returns logits and the gradients of the whole loss with respect to every weight and the input."""
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = net(x, training=training)
        loss = ops.mean(ops.sparse_categorical_crossentropy(labels, logits, from_logits=True))
        loss += sum(net.losses)
    names = [*map(key, net.trainable_variables), "x"]
    return logits, dict(zip(names, tape.gradient(loss, [*net.trainable_variables, x]), strict=True))


def assert_equal_step(variant, training, dtype, rtol, gradient_rtol):
    keras.utils.set_random_seed(0)
    ours, plain = PointNet(10, variant, dropout=0.0), plain_pointnet(10, variant, dropout=0.0)
    randomise(ours)
    copy_weights(ours, plain)
    x, labels = cloud(4, 45, dtype=dtype), np.arange(4)
    logits, gradients = step(ours, x, labels, training)
    expected_logits, expected = step(plain, x, labels, training)
    np.testing.assert_allclose(logits, expected_logits, rtol=rtol, atol=rtol * np.abs(expected_logits).max())
    errors = {name: np.linalg.norm(gradients[name] - value) for name, value in expected.items()}
    norms = {name: np.linalg.norm(value) for name, value in expected.items()}
    whole, error = (np.linalg.norm(list(values.values())) for values in (norms, errors))
    if dtype == "float64":
        for name in expected:
            assert errors[name] <= gradient_rtol * (norms[name] + 1e-2 * whole), name
    assert error <= gradient_rtol * whole
    for a, b in zip(statistics(ours), statistics(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


def statistics(net):
    return [value for _, value in sorted((key(v), np.asarray(v)) for v in net.weights if "moving" in v.path)]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("variant", ["full", "basic"])
def test_equals_the_plain_network_in_float32(variant, training):
    # Rounding, another on each processor, lets other points win a max, and BatchNorm over a batch of 4
    # amplifies it; float64 below is exact.
    rtol, gradient_rtol = (1e-2, 0.2) if training else (1e-4, 2e-2)
    assert_equal_step(variant, training, "float32", rtol, gradient_rtol)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("variant", ["full", "basic"])
def test_equals_the_plain_network_in_float64(float64, variant, training):
    assert_equal_step(variant, training, "float64", 1e-9, 5e-9)


@settings(deadline=None, max_examples=8)
@given(st.randoms(use_true_random=False), st.integers(1, 70))
def test_the_order_of_the_points_does_not_matter(model, random, points):
    x = cloud(2, points, seed=points)
    order = random.sample(range(points), points)
    np.testing.assert_allclose(model(x), model(x[:, order]), atol=1e-4)


def test_t_nets_start_as_the_identity():
    net = PointNet(5)
    for name, width in (("input_transform", 3), ("feature_transform", 64)):
        layer = net.get_layer(name)
        probe = keras.Model(net.input, [layer.input[0], layer.output])
        before, after = probe(cloud(2, 12))
        assert before.shape[-1] == width
        np.testing.assert_array_equal(before, after)
    net(cloud(2, 12))
    assert float(sum(net.losses)) == 0.0


def test_orthogonality_loss_is_half_the_squared_defect():
    offset = np.random.default_rng(0).normal(size=(3, 16)).astype("float32")
    layer = Transform(regularizer=1e-3)
    layer(np.zeros((3, 5, 4), "float32"), offset)
    matrices = offset.reshape(3, 4, 4) + np.eye(4)
    norms = [np.linalg.norm(np.eye(4) - t @ t.T) ** 2 for t in matrices]
    assert float(layer.losses[0]) == pytest.approx(1e-3 / 2 * np.mean(norms), rel=1e-5)
    assert not Transform().losses


def test_numbers_of_parameters():
    assert PointNet(40).count_params() == plain_pointnet(40).count_params() == 3_486_129
    assert PointNet(40, "basic").count_params() == plain_pointnet(40, "basic").count_params() == 821_736
