"""What every explainer says of a user's mistake: one clear line."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.explainers.cases import (
    METHODS,
    NEED_FEATURES,
    NEED_KERAS,
    NEED_NO_GRADIENT,
    OPTIONS,
    make,
)
from tests.reference.networks import POINTS, VOXELS
from tests.reference.precision import precision
from tfxai3d import explain
from tfxai3d.errors import UserError

MISTAKES = [
    (POINTS[0], None, r"must be points \(B,N,3\), they are \(40, 3\)"),
    (POINTS[..., :2], None, "must be points"),
    (VOXELS, None, "must be points"),
    (POINTS[:0], None, "must be points"),
    (POINTS[:, :0], None, "must be points"),
    (np.full((1, 10, 3), np.nan), None, "NaN or infinite"),
    (np.full((1, 10, 3), np.inf), None, "NaN or infinite"),
    ([[[1, 2, 3]], [[1]]], None, "no array of numbers"),
    ("points", None, "no array of numbers"),
    (POINTS, 4, r"0\.\.3"),
    (POINTS, -1, r"0\.\.3"),
    (POINTS, [0, 1, 2, 3, 4], r"0\.\.3"),
    (POINTS, [0, 1], "one class or 5"),
    (POINTS, 1.0, "one class or 5"),
    (POINTS, "chair", "one class or 5"),
]


@pytest.mark.parametrize("method", METHODS)
def test_inputs_and_targets(method):
    explainer = make(method, "foreign")
    for inputs, target, message in MISTAKES:
        with pytest.raises(UserError, match=message) as caught:
            explainer(inputs, target)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="batch_size must be at least 1, it is 0"):
        make(method, "foreign", batch_size=0)


class Rounded(keras.layers.Layer):
    """Cuts off the gradient."""

    def call(self, x):
        return keras.ops.cast(keras.ops.cast(100 * x, "int32"), x.dtype)


def not_differentiable():
    with precision():
        points = keras.Input((None, 3))
        x = keras.layers.Dense(4, "relu")(Rounded()(points))
        return keras.Model(points, keras.layers.GlobalMaxPooling1D()(x), name="rounded")


# The others explain features or pools inside the model, whose gradient is not cut off.
@pytest.mark.parametrize(
    "method", sorted(set(METHODS) - NEED_FEATURES - NEED_NO_GRADIENT - {"mean_field_shapley"})
)
def test_a_model_that_is_not_differentiable_at_its_input(method):
    explainer = explain.get(method)(not_differentiable(), data_kind="points", **OPTIONS.get(method, {}))
    with pytest.raises(UserError, match="'rounded' is not differentiable at its input") as caught:
        explainer(POINTS[:2])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", sorted(NEED_NO_GRADIENT))
def test_methods_that_take_points_away_need_no_gradient(method):
    explainer = explain.get(method)(not_differentiable(), data_kind="points", **OPTIONS[method])
    assert np.isfinite(explainer(POINTS[:2]).importance).all()


def test_a_model_of_integers():
    tokens = keras.Input((None, 3), dtype="int32")
    x = keras.layers.Reshape((-1, 12))(keras.layers.Embedding(8, 4)(tokens))
    model = keras.Model(tokens, keras.layers.GlobalMaxPooling1D()(x), name="tokens")
    with pytest.raises(UserError, match="'tokens' is not differentiable at its input"):
        explain.VanillaGradient(model, data_kind="points")(np.zeros((1, 5, 3)))


@pytest.mark.parametrize("method", sorted(set(METHODS) - NEED_KERAS - {"mean_field_shapley"}))
def test_a_softmax_that_cannot_be_undone_is_warned_of_once(method, tmp_path):
    points = keras.Input((None, 3))
    x = keras.layers.GlobalMaxPooling1D()(keras.layers.Dense(6)(points))
    sure = keras.Model(points, keras.layers.Dense(4, "softmax")(x))
    sure.export(str(tmp_path), verbose=False)
    explainer = explain.get(method)(
        tf.saved_model.load(str(tmp_path)), data_kind="points", **OPTIONS.get(method, {})
    )
    with pytest.warns(UserWarning, match="returns probabilities, and what goes into its softmax") as caught:
        explainer(POINTS[:2])
    assert len(caught) == 1
    assert caught[0].filename == __file__  # the warning points at the user's line
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        explainer(POINTS[:2])


@pytest.mark.parametrize("method", sorted(NEED_KERAS))
def test_a_function_where_a_keras_model_is_needed(method):
    with pytest.raises(UserError, match="must be a Keras model") as caught:
        explain.get(method)(lambda points: tf.reduce_sum(points, axis=1), data_kind="points")
    assert "\n" not in str(caught.value)
