"""An answer is finite or an error that counts; a map that is zero everywhere says why."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.reference.networks import POINTS
from tfxai3d import explain, serve
from tfxai3d.errors import UserError


class LengthOf(keras.layers.Layer):
    """The length of each point, a root at 0 for the point at the origin."""

    def call(self, points):
        return keras.ops.concatenate([points, keras.ops.norm(points, axis=-1, keepdims=True)], axis=-1)


@pytest.fixture(scope="module")
def with_root():
    points = keras.Input((None, 3))
    x = keras.layers.GlobalAveragePooling1D()(keras.layers.Dense(8, "elu", name="rows")(LengthOf()(points)))
    return keras.Model(points, keras.layers.Dense(2)(x), name="rooted")


CLOUDS = np.concatenate([np.zeros((2, 1, 3)), POINTS[:2, :7]], axis=1).astype("float32")


@pytest.mark.parametrize("method", ["vanilla_gradient", "gradient_times_input", "integrated_gradients"])
def test_what_is_not_finite_is_counted(with_root, method):
    explainer = explain.create(method, with_root, data_kind="points", steps=3)
    with pytest.raises(UserError, match=rf"{method} of model 'rooted': \d+ of 48 attributions .* root at 0"):
        explainer(CLOUDS, 0)
    if method != "integrated_gradients":
        assert np.isfinite(explainer(CLOUDS[:, 1:], 0).importance).all()


def test_a_signature_refuses_it_too(with_root, tmp_path):
    serve.export(with_root, tmp_path / "saved", ["vanilla_gradient"], data_kind="points")
    signature = tf.saved_model.load(str(tmp_path / "saved")).signatures["explain_vanilla_gradient"]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"of.*48.*attributions are not finite"):
        signature(points=tf.constant(CLOUDS), target=tf.constant([0, 0]))
    explainer = serve.load(tmp_path / "saved").explainer("vanilla_gradient")
    with pytest.raises(UserError, match=r"SavedModel .*of.*48.*root at 0") as caught:
        explainer(CLOUDS, 0)
    assert "\n" not in str(caught.value)
    assert np.isfinite(explainer(CLOUDS[:, 1:], 0).importance).all()


def test_a_map_of_zeros_says_why():
    with pytest.warns(UserWarning, match=r"vanilla_gradient: 2 of 2 maps are zero everywhere: the score"):
        explain.VanillaGradient(lambda x: tf.reduce_sum(0 * x, axis=1), data_kind="points")(CLOUDS, 0)


def test_grad_cam_of_evidence_against_the_target():
    points = keras.Input((None, 3))
    x = keras.layers.Dense(4, "relu", kernel_initializer="ones", name="rows")(points)
    x = keras.layers.Dense(2, kernel_initializer=keras.initializers.Constant(-1.0))(
        keras.layers.GlobalAveragePooling1D()(x)
    )
    explainer = explain.GradCAM(keras.Model(points, x), layer="rows", data_kind="points")
    with pytest.warns(UserWarning, match=r"1 of 1 maps are zero everywhere: .* against the target"):
        explainer(np.abs(CLOUDS[:1, 1:]), 0)
