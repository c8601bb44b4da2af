"""SavedModels that others wrote: explained, or refused in one line."""

import contextlib
import functools
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.reference import networks
from tests.reference.networks import POINTS, assert_close
from tfxai3d import explain, serve
from tfxai3d.errors import UserError

CLOUDS = POINTS.astype(np.float32)


def test_a_keras_export(tmp_path):
    model = networks.foreign()
    model.export(str(tmp_path / "a"), verbose=False)
    loaded = serve.load(tmp_path / "a", data_kind="points")
    assert loaded.methods == {}
    for method in ("vanilla_gradient", "point_saliency"):
        ours = loaded.explainer(method)(POINTS, 1)  # in the file's float64
        theirs = explain.get(method)(model, data_kind="points")(POINTS, 1)
        assert_close(ours.attributions, theirs.attributions)
    assert_close(loaded(POINTS), model(POINTS))
    for method, lacking in (("grad_cam", "the features of a layer"), ("deconvnet", "a gradient rule")):
        with pytest.raises(UserError, match=f"no signature explain_{method}, and {method} needs {lacking}"):
            loaded.explainer(method)
    # Exported again, with the explanations that go through it.
    serve.export(loaded, tmp_path / "b", ["vanilla_gradient"])
    again = serve.load(tmp_path / "b").explainer("vanilla_gradient")(POINTS, 1)
    assert_close(again.attributions, loaded.explainer("vanilla_gradient")(POINTS, 1).attributions)


def test_a_module_without_signatures(tmp_path):
    module = tf.Module()
    module.__call__ = tf.function(
        lambda points: tf.reduce_sum(points, axis=1), [tf.TensorSpec((None, None, 3))]
    )
    tf.saved_model.save(module, str(tmp_path))
    explained = serve.load(tmp_path, "points").explainer("gradient_times_input")(CLOUDS, 2)
    assert_close(explained.attributions, CLOUDS * [0, 0, 1])


def test_without_the_gradients_of_its_own_operations(tmp_path):
    def call(points):
        with tf.compat.v1.get_default_graph().gradient_override_map({"Tanh": "TheirOwn"}):
            return {"logits": tf.reduce_sum(tf.tanh(points), axis=1)}

    module = tf.Module()
    module.call = tf.function(call, [tf.TensorSpec((None, None, 3))])
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(module, str(tmp_path), {"serving_default": module.call}, options)
    explainer = serve.load(tmp_path, "points").explainer("vanilla_gradient")
    with pytest.raises(UserError, match=r"an operation that has no gradient \(.*Tanh\)\)$"):
        explainer(CLOUDS, 0)


def test_of_another_kind(tmp_path):
    module = tf.Module()
    module.call = tf.function(lambda images: images[:, 0, 0], [tf.TensorSpec((None, 8, 8, 3))])
    tf.saved_model.save(module, str(tmp_path), {"serving_default": module.call})
    with pytest.raises(UserError, match=r"8, 8, 3.* points .* of floating point"):
        serve.load(tmp_path, "points")
    serve.load(tmp_path, "voxels")  # a volume without channels could be just so


def test_what_is_refused(tmp_path):
    with pytest.raises(UserError, match="no SavedModel"):
        serve.load(tmp_path)
    module = tf.Module()
    module.call = tf.function(
        lambda points: tf.numpy_function(lambda x: x[:, 0], [points], tf.float32),
        [tf.TensorSpec((None, None, 3))],
    )
    tf.saved_model.save(module, str(tmp_path / "python"), {"serving_default": module.call})
    with pytest.raises(UserError, match="holds the operation PyFunc"):
        serve.load(tmp_path / "python", "points")
    module.call = tf.function(
        lambda points: {"y": points, "z": tf.io.read_file("/etc/passwd")},
        [tf.TensorSpec((None, None, 3))],
    )
    tf.saved_model.save(module, str(tmp_path / "reader"), {"serving_default": module.call})
    with pytest.raises(UserError, match="holds the operation ReadFile"):
        serve.load(tmp_path / "reader", "points")
    for stream, refused in ((f"file://{tmp_path / 'log'}", True), (sys.stderr, False)):
        say = functools.partial(tf.print, "x", output_stream=stream)
        module.call = tf.function(
            lambda points: (say(), points[:, 0])[1],  # noqa: B023 - traced in this turn
            [tf.TensorSpec((None, None, 3))],
        )
        tf.saved_model.save(module, str(tmp_path / "printer"), {"serving_default": module.call})
        with pytest.raises(UserError, match="operation PrintV2") if refused else contextlib.nullcontext():
            serve.load(tmp_path / "printer", "points")
