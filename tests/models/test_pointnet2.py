import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from tests.reference import plain_pointnet2 as plain
from tests.reference.layered_pointnet2 import Gather, layered_pointnet2
from tests.reference.plain_pointnet import copy_weights, dense_norm_relu, key, randomise
from tests.reference.precision import precision
from tfxai3d.errors import UserError
from tfxai3d.explain.engine.layer_output import LayerOutput
from tfxai3d.explain.engine.network import network
from tfxai3d.models import PointNet2, pointnet2
from tfxai3d.models.layers import neighbors
from tfxai3d.models.layers.set_abstraction import Group, NeighborDense, NeighborMax
from tfxai3d.models.layers.shared_mlp import SharedDense
from tfxai3d.training import compile_classifier, fit_resumable

ROOT = Path(__file__).parents[2]
SMALL = (
    (24, (pointnet2.Scale(0.5, 8, (8, 8, 12)),)),
    (10, (pointnet2.Scale(0.8, 6, (12, 8, 16)), pointnet2.Scale(1.0, 8, (8, 12, 16)))),
)


def cloud(batch, points, seed=0, dtype="float32"):
    return np.random.default_rng(seed).uniform(-0.7, 0.7, (batch, points, 3)).astype(dtype)


@pytest.fixture
def small(monkeypatch):
    """Makes "ssg" a network of a few centroids, whose second level has two scales."""
    monkeypatch.setitem(pointnet2._LEVELS, "ssg", SMALL)


def step(net, x, labels, training=True):
    """Returns the gradients of the loss with respect to every weight and the input."""
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = loss_of(net, x, labels, training)
    names = [*map(key, net.trainable_variables), "x"]
    return dict(zip(names, tape.gradient(loss, [*net.trainable_variables, x]), strict=True))


def loss_of(net, x, labels, training=True):
    return ops.mean(ops.sparse_categorical_crossentropy(labels, net(x, training=training), from_logits=True))


@pytest.mark.parametrize("variant", ["ssg", "msg"])
def test_equals_the_paper_written_out_in_numpy(variant):
    net = PointNet2(5, variant)
    randomise(net)
    x = cloud(1, 600)
    expected = plain.logits(net, x)
    np.testing.assert_allclose(net(x), expected, atol=2e-4 * np.abs(expected).max())


def test_numbers_of_weights():
    def matrices(net):
        return sum(int(np.prod(v.shape)) for v in net.trainable_variables if len(v.shape) > 1)

    shapes = [variable.shape for variable in PointNet2(40).weights]
    assert [variable.shape for variable in PointNet2(40, density=0.1).weights] == shapes
    assert matrices(PointNet2(40)) == 1_465_664
    # By hand: each scale's MLP, the last set abstraction of 643 inputs, and the head.
    first = 3 * 32 + 32 * 32 + 32 * 64 + 3 * 64 + 64 * 64 + 64 * 128 + 3 * 64 + 64 * 96 + 96 * 128
    second = 323 * 64 + 64 * 64 + 64 * 128 + 2 * (323 * 128 + 128 * 128 + 128 * 256)
    third = 643 * 256 + 256 * 512 + 512 * 1024
    assert matrices(PointNet2(40, "msg")) == first + second + third + 1024 * 512 + 512 * 256 + 256 * 40


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("training", [True, False])
def test_a_set_abstraction_equals_plain_keras(training, dtype):
    with precision(dtype):
        ours, other = _set_abstractions(dtype)
    points = cloud(3, 40, dtype=dtype)
    index = neighbors.ball_query(points, points[:, :9], 0.5, 6)  # some balls are not full
    features = np.random.default_rng(1).normal(size=(3, 40, 4)).astype(dtype)
    got, expected = (
        _outcome(net, [features, points, points[:, :9]], index, training) for net in (ours, other)
    )
    rtol = {"float32": 2e-5, "float64": 1e-10}[dtype]
    assert got.keys() == expected.keys()
    if dtype == "float32":  # rounding may make another neighbour the winner of a max, and take its gradient
        expected = {name: value for name, value in expected.items() if name == "out" or "after/" in name}
    for name, value in expected.items():
        value = np.asarray(value)
        np.testing.assert_allclose(
            got[name], value, rtol=rtol, atol=10 * rtol * np.abs(value).max(), err_msg=name
        )


@pytest.mark.parametrize("variant", ["ssg", "msg"])
def test_equals_the_network_layer_by_layer_in_plain_keras(variant):
    net, other = PointNet2(5, variant), layered_pointnet2(5, variant)
    randomise(net)
    copy_weights(net, other)
    x = cloud(2, 300)
    expected = np.asarray(other(x))
    np.testing.assert_allclose(net(x), expected, atol=2e-4 * np.abs(expected).max())


def _set_abstractions(dtype):
    """Returns our layers and the plain ones as models with equal random weights."""
    shapes = {"features": (None, 4), "points": (None, 3), "centroids": (9, 3)}
    inputs = [keras.Input(shape, dtype=dtype, name=name) for name, shape in shapes.items()]
    inputs.append(keras.Input((9, 6), dtype="int32", name="index"))
    features, points, centroids, index = inputs
    x = NeighborDense(8, name="a")(inputs)
    ours = keras.Model(inputs, NeighborMax(16, name="c")(SharedDense(8, name="b")(x)))
    y = keras.layers.Concatenate()([Group()(points, centroids, index), Gather()(features, index)])
    y = dense_norm_relu(dense_norm_relu(dense_norm_relu(y, 8, "a"), 8, "b"), 16, "c")
    other = keras.Model(inputs, _Max()(y))
    randomise(ours)
    copy_weights(ours, other)
    return ours, other


class _Max(keras.layers.Layer):
    def call(self, x):
        return ops.max(x, axis=2)


def _outcome(model, arrays, index, training):
    """Returns the output, all gradients by name, and the moving statistics after the call."""
    arrays = [tf.constant(array) for array in arrays]
    with tf.GradientTape() as tape:
        tape.watch(arrays)
        out = model([*arrays, index], training=training)
        loss = tf.reduce_sum(out * tf.cast(np.random.default_rng(0).normal(size=out.shape), out.dtype))
    names = [*map(key, model.trainable_variables), "features", "points", "centroids"]
    found = dict(zip(names, tape.gradient(loss, [*model.trainable_variables, *arrays]), strict=True))
    return {"out": out} | found | {f"after/{key(v)}": v for v in model.non_trainable_variables}


def test_order_of_the_points_matters_only_through_point_0_and_full_balls():
    net = PointNet2(4)
    randomise(net)
    few, many = cloud(1, 30), cloud(1, 600)
    order = np.concatenate([[0], 1 + np.random.default_rng(1).permutation(29)])
    np.testing.assert_allclose(net(few[:, order]), net(few), atol=1e-4)  # no ball can overflow
    order = np.concatenate([[0], 1 + np.random.default_rng(1).permutation(599)])
    np.testing.assert_array_equal(net.centroids(many[:, order]), net.centroids(many))
    assert not np.allclose(net.centroids(many[:, ::-1]), net.centroids(many))


@pytest.mark.parametrize("training", [True, False])
def test_coinciding_points_give_finite_gradients(small, training):
    net = PointNet2(3, dropout=0.0)
    labels = np.array([0, 2])
    for x in (np.zeros((2, 30, 3), "float32"), np.repeat(cloud(2, 3), 10, axis=1)):
        gradients = step(net, x, labels, training)
        assert all(np.isfinite(value).all() for value in gradients.values())
        assert all(np.isfinite(value).all() for value in net.weights)


def test_endpoint_and_the_way_back_to_the_points(small):
    net = PointNet2(3)
    randomise(net)
    x = cloud(2, 70)
    features, logits = LayerOutput(network(net), net)(tf.constant(x))
    assert features.shape == (2, 10, 1024)
    np.testing.assert_allclose(logits, net(x), atol=1e-4)
    centroids = np.asarray(net.centroids(x))
    assert all((centroids[i, :, None] == x[i]).all(-1).any(-1).all() for i in range(2))
    heat = np.random.default_rng(0).uniform(size=(2, 10)).astype("float32")
    carried = np.asarray(net.to_points(heat, x))
    expected = [plain.interpolate(x[i], centroids[i], heat[i][:, None])[:, 0] for i in range(2)]
    np.testing.assert_allclose(carried, expected, rtol=1e-4)


def test_options(small):
    net = PointNet2(2, dropout=0.1)
    assert (PointNet2(2).dropout, net.get_layer("head_1_dropout").rate) == (0.5, 0.1)
    for density in (0, -0.5, 2):
        with pytest.raises(UserError, match=f"density {density}: must be above 0 and at most 1"):
            PointNet2(3, density=density)


def test_density_scales_centroids_and_neighbours(small):
    half = PointNet2(3, density=0.5)
    index = {name: half.get_layer(f"{name}_query").output.shape[1:] for name in ("sa1", "sa2_0", "sa2_1")}
    assert index == {"sa1": (12, 4), "sa2_0": (5, 3), "sa2_1": (5, 4)}
    whole = PointNet2(3)
    randomise(whole)
    half.set_weights(whole.get_weights())
    x = cloud(2, 40)
    assert not np.allclose(half(x), whole(x))
    sparse = PointNet2(3, density=1e-6)  # one centroid and one neighbour at least
    sparse.set_weights(whole.get_weights())
    assert np.isfinite(sparse(x)).all()


def test_a_training_goes_on_at_another_density(small, tmp_path):
    x, one_hot = cloud(8, 40), np.eye(4, dtype="float32")[np.arange(8) % 4]
    for density, epochs in ((0.5, 1), (1.0, 2)):
        keras.utils.set_random_seed(epochs)
        net = PointNet2(4, density=density)
        compile_classifier(net, steps=4, warmup_steps=1)
        net.run_eagerly = True
        batches = tf.data.Dataset.from_tensor_slices((x, one_hot)).batch(4)
        before = [variable.numpy().copy() for variable in net.trainable_variables]
        history = fit_resumable(net, lambda epoch, batches=batches: batches, epochs, tmp_path)
    assert [record["epoch"] for record in history] == [1, 2]
    assert int(net.optimizer.iterations) == 4
    with np.load(tmp_path / "checkpoints" / "epoch-0001.npz") as store:
        saved = store["0000"]
    assert not np.array_equal(saved, before[0])
    np.testing.assert_allclose(net.trainable_variables[0], saved, atol=0.02)  # from there it went on


def test_exported(small, tmp_path):
    net = PointNet2(3, class_names=("a", "b", "c"))
    randomise(net)
    net.export(tmp_path / "exported", verbose=False)
    served = tf.saved_model.load(tmp_path / "exported")
    for points in (30, 300):
        np.testing.assert_allclose(served.serve(cloud(1, points)), net(cloud(1, points)), atol=1e-5)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_trains_and_keeps_the_coordinates_exact(small, policy):
    with precision(policy):
        net = PointNet2(4)
    net.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert not net.jit_compile
    x, labels = cloud(8, 40), np.arange(8) % 4
    history = net.fit(x, labels, batch_size=4, epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert all(np.isfinite(w).all() for w in net.weights)
    probe = keras.Model(net.inputs, net.get_layer("sa1_centroids").output)
    np.testing.assert_array_equal(probe(x), np.stack([c[plain.farthest_points(c, 24)] for c in x]))


def test_runs_and_trains_on_jax(small, tmp_path):
    pytest.importorskip("jax")
    net = PointNet2(3, dropout=0.0)
    randomise(net)
    x, labels = cloud(2, 40), np.array([0, 2])
    np.savez(
        tmp_path / "in.npz", x=x, labels=labels, **{f"w{i:03d}": w for i, w in enumerate(net.get_weights())}
    )
    script = f"""
import keras, numpy as np
from tfxai3d.models import PointNet2, pointnet2
Scale = pointnet2.Scale
pointnet2._LEVELS["ssg"] = {SMALL!r}
store = np.load("in.npz")
net = PointNet2(3, dropout=0.0)
net.set_weights([store[name] for name in sorted(store.files) if name[0] == "w"])
logits = net.predict(store["x"], verbose=0)
net.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
loss = net.train_on_batch(store["x"], store["labels"])
np.savez("out.npz", logits=logits, loss=loss, backend=keras.backend.backend())
"""
    environment = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True)
    out = np.load(tmp_path / "out.npz")
    assert out["backend"] == "jax"
    np.testing.assert_allclose(out["logits"], net(x), atol=1e-4)
    assert float(out["loss"]) == pytest.approx(float(loss_of(net, x, labels)), rel=1e-4)
