"""What every explainer must keep for every kind of model: see `tfxai3d.explain.Explainer`."""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf

from tests.explain import networks
from tests.explain.networks import POINTS, VOXELS, assert_close
from tfxai3d import explain
from tfxai3d.errors import UserError

MODELS = {
    "pointnet": (networks.pointnet, "points", POINTS),
    "pointnet2": (networks.pointnet2, "points", POINTS),
    "vrn": (networks.vrn, "voxels", VOXELS),
    "foreign": (networks.foreign, "points", POINTS),
    "function": (lambda: networks.function, "voxels", VOXELS),
}
SLOW = {"pointnet2", "vrn"}
OPTIONS = {
    "integrated_gradients": {"steps": 3},
    "expected_gradients": {"samples": 3},
    "smooth_grad": {"samples": 3},
    "var_grad": {"samples": 3},
}
NEED_FEATURES = {"critical_points", "feature_magnitude", "grad_cam", "p_grad_cam"}
NEED_KERAS = {*NEED_FEATURES, "deconvnet", "guided_backprop"}
POINTS_ONLY = {"critical_points", "point_saliency"}
WHATEVER_THE_TARGET = {"critical_points", "feature_magnitude"}
ONE_A_POINT = NEED_FEATURES  # the attributions repeat the importance


def make(method, model, batch_size=2, **more):
    build, kind, _ = MODELS[model]
    options = OPTIONS.get(method, {}) | more
    if model in ("foreign", "function"):
        options["data_kind"] = kind
    if model == "foreign" and method in NEED_FEATURES:
        options["layer"] = "rows"
    return explain.get(method)(build(), batch_size=batch_size, **options)


@functools.cache
def traced(model):
    """Returns a slower model as a compiled function: tracing it for each method would take minutes."""
    network = explain.VanillaGradient(MODELS[model][0]()).network
    signature = [tf.TensorSpec((None, *network.shape), network.dtype)]
    return dataclasses.replace(network, function=tf.function(network.function, input_signature=signature))


@functools.cache
def logits(model):
    build, _, inputs = MODELS[model]
    return np.asarray(build()(inputs))


def cannot(method, model):
    """Returns why a method cannot explain a model."""
    if model == "function" and method in NEED_KERAS:
        return "must be a Keras model"
    if MODELS[model][1] == "voxels" and method in POINTS_ONLY:
        return "points"
    return None


def state(model):
    """Returns everything that hangs on a model and its layers, by identity, and its weights' values."""
    layers = model._flatten_layers() if hasattr(model, "_flatten_layers") else []
    attributes = {
        (layer.path, name): tuple(value) if isinstance(value, list) else value
        for layer in layers
        for name, value in vars(layer).items()
        if name not in ("_called", "_loss_ids")  # what any call sets
    }
    return attributes, [np.asarray(weight).copy() for weight in getattr(model, "weights", [])]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("method", explain.methods())
def test_contract(method, model):
    build, kind, inputs = MODELS[model]
    reason = cannot(method, model)
    if reason:
        with pytest.raises(UserError, match=reason) as caught:
            make(method, model)(inputs)
        assert "\n" not in str(caught.value)
        return
    network = build()
    before, weights = state(network)
    explainer = make(method, model)
    if model in SLOW and method not in NEED_KERAS:
        explainer.network = traced(model)
    explained = explainer(inputs)  # batches of 2, 2 and 1

    # Shapes, dtypes, values
    for name in ("inputs", "attributions", "importance"):
        value = getattr(explained, name)
        assert value.shape == (inputs.shape[:-1] if name == "importance" else inputs.shape)
        assert value.dtype == np.float32
        assert np.isfinite(value).all()
    assert explained.kind == kind
    assert explained.method == method
    assert len(np.unique(explained.importance)) > 1
    assert_close(explained.scores, logits(model))
    np.testing.assert_array_equal(explained.target, explained.predicted)
    if method in ONE_A_POINT:
        repeated = explained.importance[..., None].repeat(inputs.shape[-1], -1)
        np.testing.assert_array_equal(explained.attributions, repeated)

    # Other containers, one example, another order
    alone = explainer(tf.constant(inputs[3:4]), [explained.target[3]])
    assert_close(alone.importance[0], explained.importance[3])
    backwards = explainer(inputs[::-1].tolist() if model == "foreign" else inputs[::-1])
    assert_close(backwards.attributions[::-1], explained.attributions)
    streamed = explain.stream(explainer, tf.data.Dataset.from_tensor_slices(inputs).batch(2))
    again = np.concatenate([batch.attributions for batch in streamed])
    np.testing.assert_array_equal(again, explained.attributions)

    # Eager, all at once; of the slower networks it would tell nothing new
    if model not in SLOW:
        whole = make(method, model, batch_size=5)
        parts = whole.explain_batch(tf.constant(inputs, explainer.network.dtype), tf.fill([len(inputs)], -1))
        assert_close(parts.attributions, explained.attributions)
        assert_close(parts.importance, explained.importance)

    # The model is what it was
    after, weights_after = state(network)
    assert before.keys() == after.keys()
    assert [key for key in before if before[key] is not after[key] and before[key] != after[key]] == []
    for old, new in zip(weights, weights_after, strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("method", explain.methods())
def test_inside_a_function_of_the_user(method):
    explainer = make(method, "foreign")
    inputs = tf.constant(POINTS[:3])

    @tf.function
    def heat(inputs, target):
        return explainer.explain_batch(inputs, target).importance * 2

    target = tf.constant([0, 1, 2])
    assert_close(heat(inputs, target) / 2, explainer.explain_batch(inputs, target).importance)


@pytest.mark.parametrize("method", sorted(set(explain.methods()) - WHATEVER_THE_TARGET))
def test_each_example_has_its_target(method):
    explainer = make(method, "foreign")
    one, each = (
        explainer.explain_batch(tf.constant(POINTS[:3]), tf.constant(target)).attributions.numpy()
        for target in ([3, 3, 3], [3, 0, 3])
    )
    assert_close(each[[0, 2]], one[[0, 2]])
    assert not np.allclose(each[1], one[1])


@pytest.mark.parametrize("method", ["smooth_grad", "var_grad", "expected_gradients"])
def test_a_seed_decides(method):
    def attributions(seed):
        target = tf.fill([len(POINTS)], -1)
        return make(method, "foreign", seed=seed).explain_batch(tf.constant(POINTS), target).attributions

    np.testing.assert_array_equal(attributions(7), attributions(7))
    assert not np.allclose(attributions(7), attributions(8))


@pytest.mark.parametrize("method", explain.methods())
def test_no_batch_is_larger_than_asked_and_one_trace_serves_all(method):
    seen = []

    class Recording(explain.get(method)):
        traces = 0

        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            inner = self.network.function

            def recorded(inputs):
                tf.py_function(lambda x: seen.append(len(x)), [inputs], [])
                return inner(inputs)

            self.network = dataclasses.replace(self.network, function=recorded)

        def explain_batch(self, inputs, target):
            type(self).traces += 1
            return super().explain_batch(inputs, target)

    options = OPTIONS.get(method, {}) | ({"layer": "rows"} if method in NEED_FEATURES else {})
    explainer = Recording(networks.foreign(), batch_size=2, data_kind="points", **options)
    for count, points in ((1, 10), (5, 7), (2, 24)):
        explainer(POINTS[:count, :points])
    assert Recording.traces == 1
    if method not in NEED_FEATURES:  # those run the model with their own copy
        assert max(seen) == 2


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


@pytest.mark.parametrize("method", explain.methods())
def test_mistakes(method):
    explainer = make(method, "foreign")
    for inputs, target, message in MISTAKES:
        with pytest.raises(UserError, match=message) as caught:
            explainer(inputs, target)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="batch_size must be at least 1, it is 0"):
        make(method, "foreign", batch_size=0)


def test_methods_by_name():
    assert explain.methods() == sorted(explain.methods())
    assert {explain.get(name).method for name in explain.methods()} == set(explain.methods())
    assert explain.get("p_grad_cam") is explain.PGradCAM
    with pytest.raises(UserError, match=r"unknown method 'lime'; known are .*p_grad_cam"):
        explain.get("lime")
