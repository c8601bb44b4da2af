"""Tiny networks of all kinds that people build, none of them ours: the rows of the conformance table."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tests.reference.precision import precision
from tfxai3d import explain

L = keras.layers
RNG = np.random.default_rng(6)
POINTS = RNG.normal(size=(2, 12, 3))
VOLUMES = RNG.normal(size=(2, 4, 4, 4, 1))


@dataclasses.dataclass(frozen=True)
class Case:
    """A network, what it is given, and what is asked.

    Attributes:
        model: The network.
        inputs: Two examples.
        target: What is explained.
        layer: Its layer of features, if it names its layers.
        dtype: What it computes in.
        fixed: The inputs that are held.
        scores: Maps inputs to the scores before any activation; by default what the network returns.
    """

    model: Any
    inputs: np.ndarray
    target: Any = 1
    layer: str | None = "rows"
    dtype: str = "float64"
    fixed: Mapping[str, Any] | None = None
    scores: Callable[[np.ndarray], np.ndarray] | None = None

    @property
    def kind(self):
        """Of the data."""
        return "points" if self.inputs.ndim == 3 else "voxels"


def rows(x, units=8, **options):
    return L.Dense(units, "relu", bias_initializer="normal", name="rows", **options)(x)


def of_points(units=3, activation=None, channels=3):
    points = keras.Input((None, channels))
    x = L.GlobalMaxPooling1D()(rows(points))
    return keras.Model(points, L.Dense(units, activation)(L.Dense(6, "relu")(x)))


def of_voxels(shape):
    voxels = keras.Input(shape)
    x = L.Conv3D(4, 3, padding="same", activation="relu", name="rows")(voxels)
    return keras.Model(voxels, L.Dense(3)(L.GlobalAveragePooling3D()(x)))


class Subclassed(keras.Model):
    """Layers as attributes, the ReLU in the code."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first, self.last = L.Dense(8, bias_initializer="normal", name="rows"), L.Dense(3)

    def call(self, points):
        return self.last(tf.reduce_max(tf.nn.relu(self.first(points)), axis=1))


class EdgeConv(L.Layer):
    """The differences to the nearest points, as in DGCNN."""

    def call(self, points):
        squared = tf.reduce_sum((points[:, :, None] - points[:, None]) ** 2, axis=-1)
        near = tf.gather(points, tf.math.top_k(-squared, 4).indices, batch_dims=1)
        centre = tf.repeat(points[:, :, None], 4, axis=2)
        return tf.concat([centre, near - centre], axis=-1)


def edge_conv():
    points = keras.Input((12, 3))
    x = L.Dense(8, "relu", bias_initializer="normal")(EdgeConv()(points))
    x = rows(keras.ops.max(x, axis=2))
    return keras.Model(points, L.Dense(3)(L.GlobalMaxPooling1D()(x)))


def nested():
    inner = keras.Sequential(
        [keras.Input((None, 3)), L.Dense(8, "relu", bias_initializer="normal", name="rows")]
    )
    points = keras.Input((None, 3))
    middle = keras.Model(points, L.GlobalMaxPooling1D()(inner(points)))
    again = keras.Input((None, 3))
    return keras.Model(again, L.Dense(3)(middle(again)))


def sequential():
    dense = L.Dense(8, "relu", bias_initializer="normal", name="rows")
    return keras.Sequential([keras.Input((None, 3)), dense, L.GlobalMaxPooling1D(), L.Dense(3)])


def two_inputs():
    points, category = keras.Input((None, 3), name="points"), keras.Input((4,), name="category")
    x = keras.ops.concatenate([L.GlobalMaxPooling1D()(rows(points)), category], axis=-1)
    return keras.Model([points, category], L.Dense(3)(x))


def segments():
    points = keras.Input((None, 3))
    x = rows(points)
    whole = L.GlobalMaxPooling1D(keepdims=True)(x)
    return keras.Model(points, L.Dense(3)(L.Dense(6, "relu")(x + whole)))


def segments_voxels():
    voxels = keras.Input((4, 4, 4, 1))
    x = L.Conv3D(4, 3, padding="same", activation="relu", name="rows")(voxels)
    return keras.Model(voxels, L.Conv3D(3, 1)(x))


def channels_first():
    voxels = keras.Input((2, 3, 4, 5))
    x = L.Conv3D(4, 3, padding="same", activation="relu", data_format="channels_first", name="rows")(voxels)
    return keras.Model(voxels, L.Dense(3)(L.GlobalAveragePooling3D(data_format="channels_first")(x)))


def mixed():
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("mixed_float16")
    return of_points()


def subclassed():
    model = Subclassed()
    model(POINTS)
    return model


def smooth(points):
    mean = tf.reduce_mean(points, axis=1)
    return tf.stack([mean[:, 0], tf.sin(mean[:, 1]) * mean[:, 2], mean[:, 1] ** 2], axis=-1)


def logits(model):
    """Returns what a functional model computes before its last activation, from its weights."""
    last = model.layers[-1]
    before = keras.Model(model.input, last.input)
    return lambda x: np.asarray(before(x)) @ last.kernel.numpy() + last.bias.numpy()


def two_sided(model):
    return lambda x: np.concatenate([-logits(model)(x), logits(model)(x)], axis=-1)


def mean_at(model, places):
    return lambda x: np.asarray(model(x)).reshape(len(x), -1, 3)[:, places].mean(axis=1)


def cases(tmp_path):
    """Returns functions that make each case, by name."""
    mask = np.arange(12) < 5

    def of(build, *arguments, **options):
        return lambda: Case(build(*arguments), **({"inputs": POINTS} | options))

    def activated(units, activation, scores):
        def make():
            model = of_points(units, activation)
            return Case(model, POINTS, scores=scores(model))

        return make

    def regions(build, inputs, region, places):
        def make():
            model = build()
            return Case(model, inputs, explain.Region(1, region), scores=mean_at(model, places))

        return make

    def saved():
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
        model = of_points()
        model.export(str(tmp_path / "saved"), verbose=False)
        return Case(tf.saved_model.load(str(tmp_path / "saved")), POINTS, layer=None, dtype="float32",
                    scores=lambda x: np.asarray(model(x)))  # fmt: skip

    held = np.eye(4)[2]

    def two():
        model = two_inputs()

        def scores(x):
            return np.asarray(model([x, np.repeat(held[None], len(x), axis=0)]))

        return Case(model, POINTS, fixed={"category": held}, scores=scores)

    return {
        "functional": of(of_points),
        "Sequential": of(sequential),
        "subclassed": of(subclassed),
        "nested twice": of(nested),
        "two inputs": two,
        "softmax": activated(3, "softmax", logits),
        "one sigmoid": activated(1, "sigmoid", two_sided),
        "five sigmoids": activated(5, "sigmoid", logits),
        "regression": of(of_points, 1, target=None),
        "segmentation of points": regions(segments, POINTS, mask, slice(0, 5)),
        "segmentation of voxels": regions(segments_voxels, VOLUMES, (1, 2, 3), slice(27, 28)),
        "2 channels": of(of_voxels, (4, 4, 4, 2), inputs=RNG.normal(size=(2, 4, 4, 4, 2))),
        "4 channels": of(of_voxels, (5, 5, 5, 4), inputs=RNG.normal(size=(2, 5, 5, 5, 4))),
        "xyz + normals": of(of_points, 3, None, 6, inputs=RNG.normal(size=(2, 12, 6))),
        "not a cube": of(of_voxels, (3, 4, 5, 1), inputs=RNG.normal(size=(2, 3, 4, 5, 1))),
        "channels first": of(channels_first, inputs=RNG.normal(size=(2, 2, 3, 4, 5))),
        "mixed_float16": of(mixed, dtype="float32"),
        "SavedModel": saved,
        "callable": of(lambda: smooth, layer=None),
        "EdgeConv": of(edge_conv),
    }  # fmt: skip


NAMES = list(cases(None))


def made(name, tmp_path):
    with precision():
        return cases(tmp_path)[name]()
