"""What can be explained: kinds of data, kinds of models."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.reference import networks
from tests.reference.networks import POINTS, VOXELS, assert_close
from tests.reference.precision import precision
from tfxai3d import explain
from tfxai3d.errors import UserError


class Linear(tf.Module):
    """Points to two logits: weighted sums of the coordinates."""

    def __init__(self):
        super().__init__()
        self.weights = tf.Variable([[1.0, 2.0], [3.0, -1.0], [0.0, 0.5]])

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.float32)])
    def __call__(self, points):
        return tf.reduce_sum(points @ self.weights, axis=1)

    @tf.function(input_signature=[tf.TensorSpec((None, 40, 3), tf.float32, name="cloud")])
    def forty(self, cloud):
        return {"logits": self(cloud), "features": cloud}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    folder, module = tmp_path_factory.mktemp("saved"), Linear()
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.forty})
    return tf.saved_model.load(str(folder))


def test_a_loaded_saved_model_and_its_signature(loaded):
    expected = np.broadcast_to([2, -1, 0.5], POINTS.shape)
    for model in (loaded, loaded.forty, loaded.signatures["serving_default"]):
        explained = explain.IntegratedGradients(model, steps=4, batch_size=3, data_kind="points")(POINTS, 1)
        assert_close(explained.attributions, expected * POINTS)
        np.testing.assert_allclose(explained.convergence_delta, 0, atol=1e-4)


def test_an_object_that_has_only_signatures(loaded):
    class Signatures:
        signatures = loaded.signatures
        data_kind = "points"

    explained = explain.VanillaGradient(Signatures())(POINTS, 0)
    assert_close(explained.attributions, np.broadcast_to([1.0, 3, 0], POINTS.shape))


def test_a_keras_export(tmp_path):
    points = keras.Input((None, 3))
    model = keras.Model(points, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling1D()(points)))
    model.export(str(tmp_path), verbose=False)
    explained = explain.VanillaGradient(tf.saved_model.load(str(tmp_path)), data_kind="points")(POINTS, 1)
    expected = explain.VanillaGradient(model, data_kind="points")(POINTS, 1)
    assert_close(explained.attributions, expected.attributions)


class TestDataKind:
    def test_is_never_guessed(self):
        for model in (networks.foreign(), networks.function):
            with pytest.raises(UserError, match=r"data_kind must be 'points' or 'voxels': .* does not say"):
                explain.VanillaGradient(model)
        with pytest.raises(UserError, match="it is 'clouds'"):
            explain.VanillaGradient(networks.foreign(), data_kind="clouds")

    def test_travels_with_our_models(self):
        assert explain.VanillaGradient(networks.vrn()).network.kind == "voxels"
        assert explain.VanillaGradient(networks.pointnet2()).network.kind == "points"

    def test_must_be_that_of_the_model(self):
        said = r"'voxels' means voxels \(B,D,H,W,C\) or \(B,D,H,W\), model 'foreign' takes"
        with pytest.raises(UserError, match=said):
            explain.VanillaGradient(networks.foreign(), data_kind="voxels")

    def test_the_size_of_the_grid_must_be_that_of_the_model(self):
        with pytest.raises(UserError, match=r"must be voxels \(B,16,16,16,1\), they are \(5, 16, 16, 8, 1\)"):
            explain.VanillaGradient(networks.vrn())(VOXELS[:, :, :, :8])


def two_inputs():
    first, second = keras.Input((None, 3), name="a"), keras.Input((None, 3), name="b")
    return keras.Model([first, second], keras.layers.GlobalMaxPooling1D()(first + second), name="two")


class SignatureOfTwo(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec((None, 3)), tf.TensorSpec((None, 3))])
    def both(self, a, b):
        return {"logits": a + b}


class Unbuilt(keras.Model):
    def call(self, points):
        return keras.layers.Dense(2)(points)


def test_models_that_will_not_do(tmp_path):
    with pytest.raises(UserError, match="'unbuilt' has no weights yet: call it once"):
        explain.VanillaGradient(Unbuilt(), data_kind="points")
    with pytest.raises(UserError, match=r"model 'two' takes a .* of which several can be points"):
        explain.VanillaGradient(two_inputs(), data_kind="points")
    with pytest.raises(UserError, match="model 'str' is neither a Keras model nor callable"):
        explain.VanillaGradient("chair", data_kind="points")
    module = SignatureOfTwo()
    tf.saved_model.save(module, str(tmp_path), signatures=module.both)
    with pytest.raises(UserError, match=r"takes a \(None, 3\), b .* none can be points .*: give input_name"):
        explain.VanillaGradient(
            tf.saved_model.load(str(tmp_path)).signatures["serving_default"], data_kind="points"
        )


def test_layers_are_in_inference_mode_frozen_or_not():
    with precision():
        points = keras.Input((None, 3))
        x = keras.layers.Dense(8)(points)
        x = keras.layers.Dropout(0.5)(keras.layers.BatchNormalization(name="norm")(x))
        x = keras.layers.GlobalAveragePooling1D()(keras.layers.ReLU()(x))
        model = keras.Model(points, keras.layers.Dense(2)(x))
    norm = model.get_layer("norm")
    norm.moving_mean.assign(np.linspace(-1, 1, 8))
    norm.moving_variance.assign(np.linspace(0.5, 2, 8))
    statistics = [np.asarray(weight).copy() for weight in norm.weights]
    alone = explain.VanillaGradient(model, data_kind="points")
    expected = alone(POINTS[:1], 0).attributions[0]
    assert_close(alone(POINTS, 0).attributions[0], expected)  # no statistics of the batch, no dropout
    model.trainable = False
    frozen = explain.VanillaGradient(model, data_kind="points")(POINTS, 0).attributions[0]
    np.testing.assert_array_equal(frozen, alone(POINTS, 0).attributions[0])
    for old, weight in zip(statistics, norm.weights, strict=True):
        np.testing.assert_array_equal(old, weight)


def test_no_loss_of_a_traced_call_is_left_on_the_model():
    model = networks.pointnet("full")  # its transform adds a loss whenever it is called
    model(POINTS[:1])
    before = [float(loss) for loss in model.losses]
    explain.VanillaGradient(model)(POINTS[:2])
    assert [float(loss) for loss in model.losses] in ([], before)  # numbers, not tensors of a graph
    assert before
