"""SavedModels of ordinary networks pass the check of operations, and answer as the network does."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from tests.reference import networks
from tests.reference.networks import assert_close
from tests.reference.precision import precision
from tfxai3d import explain, serve
from tfxai3d.models.saved_model.trust import check_saved_model

RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(2, 20, 3)).astype("float32")
VOXELS = RNG.random((2, 8, 8, 8, 1)).astype("float32")


def functional():
    points = keras.Input((None, 3))
    x = layers.BatchNormalization()(layers.Dense(6)(points))
    x = layers.Concatenate()([layers.ReLU()(x), layers.LeakyReLU()(x)])
    return keras.Model(points, layers.Dense(3)(layers.GlobalMaxPooling1D()(x)))


def sequential():
    rows = [layers.Conv1D(6, 1, activation="elu"), layers.LayerNormalization(), layers.GaussianNoise(0.1)]
    end = [layers.GlobalAveragePooling1D(), layers.Dropout(0.3), layers.Dense(3, activation="softmax")]
    return keras.Sequential([keras.Input((20, 3)), *rows, *end])


def subclassed():
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.rows, self.end = layers.Dense(5, "gelu"), layers.Dense(1, "sigmoid")

        def call(self, points, training=False):
            return self.end(ops.max(self.rows(points), axis=1))

    return Subclassed()


def nested():
    inner = keras.Sequential([keras.Input((None, 6)), layers.Dense(8, "silu")])
    points = keras.Input((None, 3))
    x = layers.GlobalMaxPooling1D()(inner(layers.Dense(6, "softplus")(points)))
    return keras.Model(points, layers.Dense(3)(x))


def two_inputs():
    points, voxels = keras.Input((20, 3), name="points"), keras.Input((8, 8, 8, 1), name="voxels")
    x = layers.Concatenate()([layers.GlobalMaxPooling1D()(points), layers.Flatten()(voxels)])
    return keras.Model({"points": points, "voxels": voxels}, layers.Dense(3)(x))


def segmentation():
    points = keras.Input((20, 3))
    rows = layers.Dense(6, "relu")(points)
    whole = layers.RepeatVector(20)(layers.GlobalMaxPooling1D()(rows))
    return keras.Model(points, layers.Dense(4, "softmax")(layers.Concatenate()([rows, whole])))


def volumes():
    down = [layers.Conv3D(4, 3, padding="same"), layers.BatchNormalization(), layers.MaxPooling3D()]
    up = [layers.Conv3DTranspose(2, 2, strides=2), layers.AveragePooling3D(2), layers.UpSampling3D()]
    end = [layers.ZeroPadding3D(), layers.Flatten(), layers.Dense(3)]
    return keras.Sequential([keras.Input((8, 8, 8, 1)), *down, *up, *end])


def images():
    rows = [layers.Reshape((8, 8, 8)), layers.Conv2D(4, 3), layers.DepthwiseConv2D(3), layers.MaxPooling2D()]
    more = [layers.SeparableConv2D(4, 2), layers.GroupNormalization(2), layers.Resizing(4, 4)]
    return keras.Sequential([keras.Input((8, 8, 8, 1)), *rows, *more, layers.Flatten(), layers.Dense(3)])


def recurrent():
    rows = [layers.LSTM(4, return_sequences=True), layers.Bidirectional(layers.GRU(3))]
    return keras.Sequential([keras.Input((20, 3)), *rows, layers.Dense(3)])


def attention():
    points = keras.Input((20, 3))
    rows = layers.Dense(8)(points)
    rows = layers.Add()([rows, layers.MultiHeadAttention(2, 4)(rows, rows)])
    return keras.Model(points, layers.Dense(3)(layers.GlobalAveragePooling1D()(rows)))


def edge_convolution():
    class EdgeConv(layers.Layer):
        def build(self, shape):
            self.dense = layers.Dense(6, "relu")
            self.dense.build((None, None, None, 2 * shape[-1]))

        def call(self, points):
            squares = ops.sum(points**2, axis=-1, keepdims=True)
            distances = squares - 2 * points @ ops.transpose(points, (0, 2, 1))
            near = ops.top_k(-distances - ops.transpose(squares, (0, 2, 1)), 5)[1]
            flat = ops.reshape(near, (-1, near.shape[1] * 5, 1))
            rows = ops.take_along_axis(points, ops.tile(flat, (1, 1, points.shape[-1])), axis=1)
            rows = ops.reshape(rows, (-1, near.shape[1], 5, points.shape[-1]))
            centres = ops.repeat(points[:, :, None], 5, axis=2)
            return ops.max(self.dense(ops.concatenate([centres, rows - centres], axis=-1)), axis=2)

    rows = [EdgeConv(), EdgeConv(), layers.GlobalMaxPooling1D()]
    return keras.Sequential([keras.Input((20, 3)), *rows, layers.Dense(3)])


def mixed():
    with precision("mixed_float16"):
        return functional()


def compiled():
    model = functional()
    model.compile("adam", "mse")
    model.fit(POINTS, np.zeros((2, 3)), verbose=0)
    return model


NETWORKS = {
    builder.__name__: builder
    for builder in (
        functional, sequential, subclassed, nested, two_inputs, segmentation, volumes, images, recurrent,
        attention, edge_convolution, mixed, compiled,
    )
}  # fmt: skip
INPUTS = {"volumes": VOXELS, "images": VOXELS, "two_inputs": {"points": POINTS, "voxels": VOXELS}}


@pytest.mark.parametrize("writer", ["export", "save"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_keras_model(name, writer, tmp_path):
    model, inputs = NETWORKS[name](), INPUTS.get(name, POINTS)
    expected = np.asarray(model(inputs))
    if writer == "export":
        model.export(str(tmp_path / "1"), verbose=False)
    else:
        tf.saved_model.save(model, str(tmp_path / "1"))
    check_saved_model(tmp_path / "1")
    signature = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    given = {array.ndim: array for array in (inputs.values() if isinstance(inputs, dict) else [inputs])}
    wanted = signature.structured_input_signature[1]
    (answer,) = signature(
        **{key: tf.constant(given[spec.shape.rank]) for key, spec in wanted.items()}
    ).values()
    assert_close(answer, expected, 1e-2 if name == "mixed" else 1e-4)
    if name in ("functional", "nested", "edge_convolution", "compiled"):
        assert_close(serve.load(tmp_path / "1", "points")(POINTS), expected, 1e-4)


def test_a_module(tmp_path):
    class Module(tf.Module):
        def __init__(self):
            super().__init__()
            self.weights, self.calls = tf.Variable(tf.ones((3, 4))), tf.Variable(0)
            self.generator = tf.random.Generator.from_seed(1)

        @tf.function(input_signature=[tf.TensorSpec((None, None, 3))])
        def __call__(self, points):
            self.calls.assign_add(1)
            total = tf.zeros((tf.shape(points)[0], 4))
            for i in tf.range(tf.shape(points)[1]):
                if self.calls < 0:
                    tf.print("unlikely", i)
                total += points[:, i] @ self.weights
            tf.debugging.assert_all_finite(total, "not finite")
            return total + 0 * self.generator.normal((4,))

    module = Module()
    tf.saved_model.save(module, str(tmp_path / "1"))
    loaded = serve.load(tmp_path / "1", "points")
    assert_close(loaded(POINTS), POINTS.sum(axis=1, keepdims=True)[:, 0].sum(-1, keepdims=True) * np.ones(4))


def test_the_gradient_of_a_branch(tmp_path):
    """It has to know which branch was taken, and what was computed there."""

    class Branch(layers.Layer):
        def call(self, rows):
            return tf.cond(
                tf.reduce_sum(rows) > 0, lambda: tf.exp(tf.sin(rows)), lambda: tf.tanh(rows) * rows
            )

    points = keras.Input((None, 3))
    rows = layers.GlobalMaxPooling1D()(Branch()(layers.Dense(4)(points)))
    model = keras.Model(points, layers.Dense(3)(rows))
    serve.export(model, tmp_path / "1", ["vanilla_gradient"], data_kind="points")
    for inputs in (POINTS, -POINTS):
        ours = serve.load(tmp_path / "1").explainer("vanilla_gradient")(inputs, 1)
        theirs = explain.VanillaGradient(model, data_kind="points")(inputs, 1)
        assert_close(ours.attributions, theirs.attributions, 1e-4)


def test_a_keras_2_model(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keras2 = pytest.importorskip("tf_keras")
    points = keras2.Input((20, 3))
    rows = keras2.layers.BatchNormalization()(keras2.layers.LSTM(4, return_sequences=True)(points))
    model = keras2.Model(points, keras2.layers.Dense(3)(keras2.layers.GlobalMaxPooling1D()(rows)))
    model.compile("adam", "mse")
    model.save(tmp_path / "1", save_format="tf")
    assert_close(serve.load(tmp_path / "1", "points")(POINTS), model(POINTS), 1e-4)


@pytest.mark.parametrize("name", ["pointnet2", "vrn"])  # PointNet's: test_saved_model
def test_all_explanations(name, tmp_path):
    """Every method of this kind of data; the graphs have loops, random numbers and gradients."""
    model = getattr(networks, name)()
    options = {"steps": 2, "samples": 2, "batch_size": 2}
    methods = set(explain.method_names()) - (
        {"critical_points", "point_saliency"} if name == "vrn" else set()
    )
    explainers = [explain.create(method, model, **options) for method in sorted(methods)]
    serve.export(model, tmp_path / "1", explainers)
    inputs = networks.VOXELS[:1] if name == "vrn" else networks.POINTS[:1]
    loaded = serve.load(tmp_path / "1")
    assert_close(loaded(inputs), model(inputs))
    assert loaded.methods.keys() == methods
    explainer = loaded.explainer("smooth_grad")
    assert explainer(inputs, 0).importance.shape == inputs.shape[:-1]
