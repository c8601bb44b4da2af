"""VRN against a slow NumPy forward, its stochastic depth, its gradients, and its files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from tfxai3d.data import coarsen
from tfxai3d.models import VRN, from_preset, save_preset, vrn
from tfxai3d.models.layers.fused_norm import FusedBatchNormalization
from tfxai3d.models.layers.pooling3d import HalvingPool3D
from tfxai3d.models.layers.stochastic_depth import StochasticDepth
from tfxai3d.training import compile_classifier, fit_resumable

WIDTH = 0.125  # 4 channels, the narrowest


def voxels(count, seed=0):
    return (np.random.default_rng(seed).random((count, 32, 32, 32, 1)) < 0.1).astype("float32")


def randomise(model, seed=0):
    """Gives every BatchNorm a state other than the identity."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if variable.name == "moving_variance":
            variable.assign(rng.uniform(0.5, 2.0, variable.shape))
        elif variable.name in ("gamma", "beta", "moving_mean"):
            variable.assign(rng.normal(0.5, 0.5, variable.shape))


@pytest.fixture(scope="module")
def net():
    model = VRN(5, WIDTH, class_names=tuple("abcde"))
    randomise(model)
    return model


def drops(model):
    return [layer for layer in model.layers if isinstance(layer, StochasticDepth)]


def force(model, keep):
    """Makes every branch certain to be kept, or nearly certain to be dropped, in training."""
    for layer in drops(model):
        layer.keep = keep


# --- structure


@pytest.fixture(scope="module")
def published():
    return VRN(10)


def test_the_published_network_has_13_829_792_convolution_weights(published):
    kernels = [v for v in published.trainable_variables if v.name == "kernel" and len(v.shape) == 5]
    assert sum(int(np.prod(v.shape)) for v in kernels) == 13_829_792
    assert len(kernels) == 1 + 12 * 5 + 4 * 4 + 1
    layers = published._flatten_layers()
    assert sum(type(layer) is keras.layers.Conv3D for layer in layers) == len(kernels)
    assert not any(v.name == "bias" and "logits" not in v.path for v in published.weights)


@pytest.mark.parametrize("size", [16, 48])
def test_the_weights_fit_grids_of_every_size(published, size, monkeypatch):
    monkeypatch.setattr(vrn, "_orthogonal", lambda gain=1.0: keras.initializers.Zeros())  # saves seconds
    other = VRN(10, size=size)
    assert [variable.shape for variable in other.weights] == [
        variable.shape for variable in published.weights
    ]
    assert other.output.shape == (None, 10)
    half = size // 16
    assert other.get_layer("voxel_features").output.shape == (None, half, half, half, 512)


@pytest.mark.parametrize("size", [0, 8, 24, 40])
def test_a_size_that_cannot_be_halved_four_times_is_refused(size):
    with pytest.raises(ValueError, match=f"size {size}: must be a multiple of 16"):
        VRN(3, WIDTH, size=size)


def test_shapes_names_and_keep_probabilities(published):
    layers = {layer.name: layer for layer in published.layers}
    assert published.output.shape == (None, 10)
    assert [layers[f"halving_{i}_join"].output.shape[1:] for i in range(4)] == [
        (16, 16, 16, 64), (8, 8, 8, 128), (4, 4, 4, 256), (2, 2, 2, 512)
    ]  # fmt: skip
    assert layers["voxel_features"].output.shape == (None, 2, 2, 2, 512)
    assert (published.data_kind, published.endpoint) == ("voxels", "voxel_features")
    keeps = [layer.keep for layer in drops(published)]
    assert keeps == [0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.5, 0.45, 0.4, 0.35, 0.3, 0.25, 0.5]
    assert "halving_2_out_norm" not in layers
    assert [f"halving_{i}_out_elu" in layers for i in range(4)] == [False, False, False, True]
    names = ["/".join(variable.path.split("/")[-2:]) for variable in published.weights]
    assert len(set(names)) == len(names)  # presets store weights by these


def test_kernels_start_orthogonal(published):
    for name, gain in (("conv0", 1.0), ("halving_1_max", 2**0.5)):
        kernel = np.asarray(published.get_layer(name).kernel).reshape(-1, published.get_layer(name).filters)
        gram = kernel.T @ kernel if len(kernel) >= kernel.shape[1] else kernel @ kernel.T
        np.testing.assert_allclose(gram, gain**2 * np.eye(len(gram)), atol=1e-4)


@pytest.mark.parametrize("width", [0, 0.1, 0.3, -1])
def test_a_width_without_whole_channels_is_refused(width):
    with pytest.raises(ValueError, match="width"):
        VRN(3, width)


# --- against NumPy


def elu(x):
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def conv(x, kernel, stride=1):
    """3^3 or 1^3 convolution with zeros around, at every `stride`-th position."""
    half = kernel.shape[0] // 2
    padded = np.pad(x, [(0, 0), *[(half, half)] * 3, (0, 0)])
    size = x.shape[1]
    total = 0.0
    for i, j, k in np.ndindex(kernel.shape[:3]):
        total = total + padded[:, i : i + size, j : j + size, k : k + size] @ kernel[i, j, k]
    return total[:, ::stride, ::stride, ::stride]


def pool(x, reduce, filler):
    padded = np.pad(x, [(0, 0), *[(1, 1)] * 3, (0, 0)], constant_values=filler)
    size = x.shape[1]
    shifted = [padded[:, i : i + size, j : j + size, k : k + size] for i, j, k in np.ndindex(3, 3, 3)]
    return reduce(np.stack(shifted), axis=0)[:, ::2, ::2, ::2]


def norm(x, weights, name, training):
    gamma, beta, mean, variance = (
        weights[f"{name}_norm/{role}"] for role in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    if training:
        mean, variance = x.mean(axis=(0, 1, 2, 3)), x.var(axis=(0, 1, 2, 3))
    return (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta


def block(x, shortcut, weights, name, scale, training):
    def rest(y, layer):
        return elu(norm(y, weights, f"{name}{layer}", training))

    u = rest(x, "")
    a = rest(conv(u, weights[f"{name}_a0/kernel"]), "_a0")
    a = conv(rest(conv(a, weights[f"{name}_a1/kernel"]), "_a1"), weights[f"{name}_a2/kernel"])
    b = conv(rest(conv(u, weights[f"{name}_b0/kernel"]), "_b0"), weights[f"{name}_b1/kernel"])
    return shortcut + scale * np.concatenate([a, b], axis=-1)


def halving(x, weights, stage, training):
    name = f"halving_{stage}"
    u = elu(norm(x, weights, name, training))
    x = np.concatenate(
        [
            conv(u, weights[f"{name}_conv3/kernel"], 2),
            conv(u, weights[f"{name}_conv1/kernel"], 2),
            pool(conv(u, weights[f"{name}_max/kernel"]), np.max, -np.inf),
            pool(conv(u, weights[f"{name}_average/kernel"]), np.mean, 0.0),
        ],
        axis=-1,
    )
    x = x if stage == 2 else norm(x, weights, f"{name}_out", training)
    return elu(x) if stage == 3 else x


def plain_vrn(model, x, training):
    """The whole network, slowly; in training no block is dropped."""
    weights = {"/".join(v.path.split("/")[-2:]): np.asarray(v, np.float64) for v in model.weights}
    x = conv(x.astype(np.float64) * (model.occupied + 1) - 1, weights["conv0/kernel"])
    for stage in range(4):
        start = x
        for i in range(3):
            name = f"block_{stage}_{i}"
            scale = 1.0 if training else model.get_layer(name).keep
            shortcut = start if model.published_shortcut and (stage, i) == (2, 2) else x
            x = block(x, shortcut, weights, name, scale, training)
        x = halving(x, weights, stage, training)
    x = elu(
        x + (1.0 if training else 0.5) * norm(conv(x, weights["conv17/kernel"]), weights, "conv17", training)
    )
    x = norm(x.mean(axis=(1, 2, 3), keepdims=True), weights, "pool", training)
    x = elu(norm(x @ weights["head/kernel"], weights, "head", training))
    return x[:, 0, 0, 0] @ weights["logits/kernel"] + weights["logits/bias"]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("options", [{}, {"occupied": 3.0, "published_shortcut": True}])
def test_equals_numpy(float64, options, training):
    model = VRN(5, WIDTH, **options)
    randomise(model)
    x = voxels(2)
    expected = plain_vrn(model, x, training)
    if training:
        force(model, 1.0)
    np.testing.assert_allclose(model(x, training=training), expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode", ["max", "average"])
def test_pools_pad_every_side_and_averages_count_it(mode, dtype):
    x = np.random.default_rng(0).normal(-1.0, 1.0, (2, 8, 6, 4, 3)).astype(dtype)
    expected = np.empty((2, 4, 3, 2, 3))
    for i, j, k in np.ndindex(4, 3, 2):
        window = x[
            :, max(2 * i - 1, 0) : 2 * i + 2, max(2 * j - 1, 0) : 2 * j + 2, max(2 * k - 1, 0) : 2 * k + 2
        ]
        whole = window.max(axis=(1, 2, 3)) if mode == "max" else window.sum(axis=(1, 2, 3)) / 27
        expected[:, i, j, k] = whole
    layer = HalvingPool3D(mode, dtype=dtype)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5)
    assert layer.compute_output_shape(x.shape) == expected.shape
    assert HalvingPool3D.from_config(layer.get_config()).mode == mode
    with pytest.raises(ValueError, match="mode 'mean'"):
        HalvingPool3D("mean")


def test_fused_norm_is_keras_norm():
    x = tf.constant(np.random.default_rng(0).normal(2.0, 3.0, (3, 4, 4, 4, 5)).astype("float32"))
    weights = tf.constant(np.random.default_rng(1).normal(size=x.shape).astype("float32"))
    results = []
    for kind in (FusedBatchNormalization, keras.layers.BatchNormalization):
        layer = kind(momentum=0.9)
        layer.build(x.shape)
        randomise(layer)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_sum(y * weights)
        gradients = tape.gradient(loss, [x, *layer.trainable_variables])
        results.append([y, *gradients, *layer.variables, layer(x)])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


# --- stochastic depth


def small_drop(keep, counter=None):
    inputs = keras.Input((3,))
    y = keras.layers.BatchNormalization(momentum=0.5)(inputs)
    y = keras.layers.Dense(3)(y if counter is None else counter(y))
    return StochasticDepth(keras.Model(inputs, y), keep, seed=1)


class Counter(keras.layers.Layer):
    """Counts its executions, in a graph too."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def call(self, x):
        def count():
            self.calls += 1
            return np.float32(0)

        return x + tf.ensure_shape(tf.numpy_function(count, [], tf.float32), ())

    def compute_output_shape(self, shape):
        return shape


@pytest.mark.parametrize("graph", [False, True])
def test_a_dropped_branch_is_neither_computed_nor_remembered(graph):
    counter = Counter()
    drop = small_drop(0.4, counter)
    x = np.random.default_rng(0).normal(3.0, 1.0, (8, 3)).astype("float32")
    moving = drop.branch.non_trainable_variables

    def step(x):
        with tf.GradientTape() as tape:
            y = drop(x, x, training=True)
            loss = tf.reduce_sum(y**2)
        return y, tape.gradient(loss, drop.trainable_variables)

    step = tf.function(step) if graph else step
    step(tf.constant(x))
    counter.calls = kept = 0
    for _ in range(100):
        x = x + 1  # or the statistics would converge
        before = [variable.numpy().copy() for variable in moving]
        y, gradients = step(tf.constant(x))
        unchanged = all(np.array_equal(a, b) for a, b in zip(before, moving, strict=True))
        if np.array_equal(y, x):
            assert unchanged
            assert not any(np.any(gradient) for gradient in gradients if gradient is not None)
        else:
            kept += 1
            assert not unchanged
            np.testing.assert_allclose(moving[0], before[0] / 2 + x.mean(0) / 2, rtol=1e-4)
            assert all(np.any(gradient) for gradient in gradients)
    assert counter.calls == kept
    assert 25 <= kept <= 55


def test_inference_is_the_expectation_over_the_draws():
    drop = small_drop(0.7)
    x = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    expected = x + 0.7 * np.asarray(drop.branch(x))
    np.testing.assert_allclose(drop(x, x), expected, rtol=1e-5)
    again = StochasticDepth.from_config(drop.get_config())
    again.set_weights(drop.get_weights())
    np.testing.assert_allclose(again(x, x), expected, rtol=1e-5)
    with pytest.raises(ValueError, match="keep 0"):
        StochasticDepth(drop.branch, 0)


def test_equal_seeds_draw_equally_and_a_batch_is_dropped_as_a_whole():
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    draws = []
    for _ in range(2):
        drop = small_drop(0.5)
        outputs = [np.asarray(drop(x, x, training=True)) for _ in range(20)]
        draws.append([np.array_equal(y, x) for y in outputs])
        assert all((y == x).all() or (y != x).any(axis=1).all() for y in outputs)
    assert draws[0] == draws[1]
    assert 0 < sum(draws[0]) < 20


# --- gradients


def test_gradients_equal_finite_differences(float64):
    model = VRN(3, WIDTH)
    randomise(model)
    force(model, 0.6)
    # Not binary: with equal values in its windows a max pool has no derivative.
    x, labels = np.random.default_rng(2).random((2, 32, 32, 32, 1)), np.array([0, 2])
    variables = model.trainable_variables
    rng = np.random.default_rng(1)
    directions = [rng.normal(size=variable.shape) for variable in variables]
    towards = rng.normal(size=x.shape)

    def loss(inputs):
        for i, layer in enumerate(drops(model)):  # the same draws each time
            layer.seed_generator.state.assign([i, 0])
        logits = model(inputs, training=True)
        return ops.mean(ops.sparse_categorical_crossentropy(labels, logits, from_logits=True))

    tensor = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        value = loss(tensor)
    # A dropped branch has no gradient.
    *gradients, d_x = (0.0 if g is None else g for g in tape.gradient(value, [*variables, tensor]))
    slopes = [float(np.sum(g * d)) for g, d in zip([*gradients, d_x], [*directions, towards], strict=True)]
    weights, ends = [variable.numpy().copy() for variable in variables], []
    for step in (1e-6, -1e-6):
        for variable, weight, direction in zip(variables, weights, directions, strict=True):
            variable.assign(weight + step * direction)
        ends.append(float(loss(x + step * towards)))
    assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(sum(slopes), rel=1e-4)


# --- files, precision, backends


def test_config_round_trip(net):
    again = VRN.from_config(net.get_config())
    assert again.get_config() == net.get_config()
    assert [w.shape for w in again.weights] == [w.shape for w in net.weights]


def test_keras_file_round_trip(net, tmp_path):
    net.save(tmp_path / "vrn.keras")
    again = keras.models.load_model(tmp_path / "vrn.keras")
    assert isinstance(again, VRN)
    assert again.class_names == tuple("abcde")
    np.testing.assert_array_equal(again(voxels(2)), net(voxels(2)))


def test_preset_round_trip(net, tmp_path):
    save_preset(net, tmp_path, {})
    again = from_preset(tmp_path)
    for ours, theirs in zip(net.weights, again.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-3)
    np.testing.assert_allclose(again(voxels(2)), net(voxels(2)), atol=0.02)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["config"].pop("size") == 32
    (tmp_path / "config.json").write_text(json.dumps(config))  # as before there was a size
    assert from_preset(tmp_path).get_config() == again.get_config()


@pytest.mark.filterwarnings("ignore:Gradients do not exist")  # of the dropped blocks
def test_a_training_goes_on_with_finer_grids(tmp_path):
    x, one_hot = voxels(4), np.eye(2, dtype="float32")[np.arange(4) % 2]
    for size, epochs in ((16, 1), (32, 2)):
        model = VRN(2, WIDTH, size=size)
        compile_classifier(model, steps=4, warmup_steps=1)
        model.run_eagerly = True
        batches = tf.data.Dataset.from_tensor_slices((coarsen(x, size), one_hot)).batch(2)
        history = fit_resumable(model, lambda epoch, batches=batches: batches, epochs, tmp_path)
    assert [record["epoch"] for record in history] == [1, 2]
    assert int(model.optimizer.iterations) == 4
    with np.load(tmp_path / "checkpoints" / "epoch-0001.npz") as store:
        np.testing.assert_allclose(model.trainable_variables[0], store["0000"], atol=0.02)  # it went on from


def test_trains_in_a_graph_without_xla():
    keras.utils.set_random_seed(0)
    model = VRN(2, WIDTH)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = [w.numpy().copy() for w in model.trainable_variables]
    history = model.fit(voxels(8), np.arange(8) % 2, batch_size=4, epochs=2, verbose=0)
    assert not model.jit_compile
    assert np.isfinite(history.history["loss"]).all()
    assert any(np.any(a != b) for a, b in zip(before, model.trainable_variables, strict=True))


def test_mixed_precision_keeps_float32_logits():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = VRN(2, WIDTH)
    finally:
        keras.config.set_dtype_policy("float32")
    logits = model(voxels(2), training=True)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert np.isfinite(logits).all()


JAX = """
import sys
import keras, numpy as np
from tfxai3d.models import VRN
model = VRN(5, 0.125)
model.load_weights(sys.argv[1])
x = np.load(sys.argv[2])
np.save(sys.argv[3], np.asarray(model(x)))
drop = model.get_layer("block_3_2")
drop.keep = 0.5
model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
assert model.jit_compile and keras.backend.backend() == "jax"
seen = set()
for _ in range(12):
    before = [np.array(v) for v in drop.branch.variables]
    assert np.isfinite(model.train_on_batch(x, np.arange(len(x))))
    changed = [np.any(a != b) for a, b in zip(before, drop.branch.variables)]
    assert all(changed) or not any(changed), changed
    seen.add(any(changed))
assert seen == {True, False}
"""


@pytest.mark.slow
def test_the_same_code_trains_on_jax(net, tmp_path):
    pytest.importorskip("jax")
    net.save_weights(tmp_path / "vrn.weights.h5")
    np.save(tmp_path / "x.npy", voxels(2))
    root = Path(__file__).parents[2]
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(root)}
    arguments = [str(tmp_path / name) for name in ("vrn.weights.h5", "x.npy", "out.npy")]
    done = subprocess.run(
        [sys.executable, "-c", JAX, *arguments], env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), net(voxels(2)), rtol=1e-3, atol=1e-3)
