"""Features of networks that nobody here wrote: ordinary maxima, old layouts, names that repeat."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.reference.networks import POINTS, assert_close
from tests.reference.precision import precision
from tfxai3d import explain
from tfxai3d.errors import UserError
from tfxai3d.models.layers.max_over_points import max_over_points


class OwnMax(keras.layers.Layer):
    def call(self, x):
        return max_over_points(x)


class TensorFlowMax(keras.layers.Layer):
    def call(self, x):
        return tf.reduce_max(x, axis=1)


def network(pooling, points=None):
    """A PointNet of three layers, about half of whose channels no point activates."""
    with precision():
        clouds = keras.Input((points, 3))
        x = keras.layers.Dense(64, "relu", name="feat", bias_initializer=keras.initializers.Constant(-0.14))(
            clouds
        )
        return keras.Model(clouds, keras.layers.Dense(4, name="out")(pooling(x)), name="plain")


def ordinary(x):
    return keras.layers.GlobalMaxPooling1D()(x)


def mean(x):
    return keras.layers.GlobalAveragePooling1D()(x)


MAXIMA = {
    "GlobalMaxPooling1D": ordinary,
    "ops.max": lambda x: keras.ops.max(x, axis=1),
    "reduce_max": lambda x: TensorFlowMax()(x),
}


@pytest.mark.parametrize("name", MAXIMA)
def test_a_max_of_any_kind_gives_dead_channels_no_gradient(name):
    ours, theirs = network(lambda x: OwnMax()(x)), network(MAXIMA[name])
    dead = (np.asarray(keras.Model(ours.input, ours.get_layer("feat").output)(POINTS)) == 0).all(axis=1)
    assert 0.2 < dead.mean() < 0.8
    for method in (explain.PGradCAM, explain.GradCAM):
        expected, found = (
            method(model, layer="feat", data_kind="points")(POINTS, 1) for model in (ours, theirs)
        )
        assert_close(found.importance, expected.importance)
    without_heat = (
        explain.PGradCAM(theirs, layer="feat", data_kind="points")(POINTS, 1).importance == 0
    ).mean()
    assert without_heat > 0.3


def test_a_mean_over_the_points_keeps_its_gradient():
    model = network(mean)
    explained = explain.PGradCAM(model, layer="feat", data_kind="points")(POINTS, 1)
    features = np.asarray(keras.Model(model.input, model.get_layer("feat").output)(POINTS))
    weights = np.asarray(model.get_layer("out").kernel)[:, 1] / POINTS.shape[1]
    assert_close(explained.importance, np.maximum(weights.max() * features.sum(axis=-1), 0))


def test_features_in_the_layout_of_the_first_programs():
    """(B,N,1,K), by convolutions of one point."""
    flat = network(ordinary)
    with precision():
        clouds = keras.Input((None, 3))
        x = keras.ops.expand_dims(clouds, 2)
        x = keras.layers.Conv2D(64, 1, activation="relu", name="feat")(x)
        old = keras.Model(clouds, keras.layers.Dense(4)(keras.layers.GlobalMaxPooling2D()(x)), name="old")
    old.set_weights([w.reshape(v.shape) for w, v in zip(flat.get_weights(), old.weights, strict=True)])
    for name in ("grad_cam", "p_grad_cam", "critical_points", "feature_magnitude"):
        expected, found = (
            explain.get(name)(model, layer="feat", data_kind="points")(POINTS, 1).importance
            for model in (flat, old)
        )
        assert_close(found, expected)


class TestNames:
    def test_a_path_chooses_among_equal_ones(self):
        with precision():

            def backbone(name):
                inner = keras.Input((None, 6))
                return keras.Model(inner, keras.layers.Dense(8, "relu", name="top")(inner), name=name)

            clouds = keras.Input((None, 3))
            x = backbone("left")(keras.layers.Dense(6)(clouds))
            x = backbone("right")(keras.layers.Dense(6)(x))
            model = keras.Model(
                clouds, keras.layers.Dense(4)(keras.layers.GlobalMaxPooling1D()(x)), name="two"
            )
        with pytest.raises(
            UserError, match="'two' has 2 layers named 'top': give one of left/top, right/top"
        ):
            explain.GradCAM(model, layer="top", data_kind="points")
        by_path = explain.GradCAM(model, layer="right/top", data_kind="points")(POINTS, 1)
        by_model = explain.GradCAM(model, layer="right", data_kind="points")(POINTS, 1)
        assert_close(by_path.importance, by_model.importance)

    def test_those_that_fit_are_listed(self):
        model = network(ordinary)
        with pytest.raises(UserError, match=r"names no endpoint: give layer=, .*; features have feat$"):
            explain.GradCAM(model, data_kind="points")
        with pytest.raises(UserError, match="has no layers named 'nothing'; there are out, feat and more"):
            explain.GradCAM(model, layer="nothing", data_kind="points")


class Pair(keras.layers.Layer):
    def call(self, x):
        return x, 2 * x


def test_a_layer_that_gives_several_tensors_is_refused_in_one_sentence():
    with precision():
        clouds = keras.Input((None, 3))
        one, other = Pair(name="pair")(clouds)
        model = keras.Model(clouds, keras.layers.GlobalMaxPooling1D()(one + other), name="paired")
    with pytest.raises(UserError, match="layer 'pair' of model 'paired' gives no tensor of numbers"):
        explain.GradCAM(model, layer="pair", data_kind="points")(POINTS)
