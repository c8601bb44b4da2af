"""What every explainer must keep for every kind of model: see `tfxai3d.explain.Explainer`.

`explainer(...)` runs inside the explainer's own `tf.function`, in batches of 2, `eagerly(...)` outside of it.
"""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.explainers.cases import (
    METHODS,
    MODELS,
    NEED_FEATURES,
    ONE_A_POINT,
    OPTIONS,
    SEEDED,
    WHATEVER_THE_TARGET,
    cannot,
    eagerly,
    logits,
    make,
    normed,
    state,
)
from tests.reference import networks
from tests.reference.networks import POINTS, assert_close
from tfxai3d import explain
from tfxai3d.errors import UserError


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("method", METHODS)
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
    explained = explainer(inputs)  # an odd number: batches of 2, 2 and 1

    # Shapes, dtypes, values
    for name in ("inputs", "attributions", "importance"):
        value = getattr(explained, name)
        assert value.shape == (inputs.shape[:-1] if name == "importance" else inputs.shape)
        assert value.dtype == np.float32
        assert np.isfinite(value).all()
    assert explained.kind == kind
    assert explained.method == method
    assert explained.title == explainer.title
    assert len(np.unique(explained.importance)) > 1
    assert_close(explained.scores, logits(model))
    np.testing.assert_array_equal(explained.target, explained.predicted)
    if method in ONE_A_POINT:
        repeated = explained.importance[..., None].repeat(inputs.shape[-1], -1)
        np.testing.assert_array_equal(explained.attributions, repeated)

    # One example, as a tensor; many, in another order; batches of a data set
    alone = explainer(tf.constant(inputs[3:4]), [explained.target[3]])
    assert_close(alone.importance[0], explained.importance[3])
    order = [4, 3, 2, 1, 0, 0, 2, 4, 1, 3, 3]
    many = explainer(inputs[order].tolist() if model == "foreign" else inputs[order])
    assert_close(many.attributions, explained.attributions[order])
    assert_close(many.scores, explained.scores[order])
    streamed = explain.stream(explainer, tf.data.Dataset.from_tensor_slices(inputs).batch(2))
    again = np.concatenate([batch.attributions for batch in streamed])
    np.testing.assert_array_equal(again, explained.attributions)

    # Eager, all at once
    explainer.batch_size = 5
    parts = eagerly(explainer, inputs)
    assert_close(parts.attributions, explained.attributions)
    assert_close(parts.importance, explained.importance)

    # The model is what it was
    after, weights_after = state(network)
    assert before.keys() == after.keys()
    assert [key for key in before if before[key] is not after[key] and before[key] != after[key]] == []
    for old, new in zip(weights, weights_after, strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("method", METHODS)
def test_layers_are_in_inference_mode_frozen_or_not(method):
    # The contract's models show it in their scores, which must be those of inference; here the gradients too.
    model = normed()
    options = OPTIONS.get(method, {}) | ({"layer": "rows"} if method in NEED_FEATURES else {})
    weights = [np.asarray(weight).copy() for weight in model.weights]

    def attributions(inputs):
        explainer = explain.get(method)(model, data_kind="points", **options)
        return eagerly(explainer, inputs, [0] * len(inputs)).attributions

    whole = attributions(POINTS)
    assert_close(attributions(POINTS[:1])[0], whole[0])  # no statistics of the batch, no dropout
    model.trainable = False
    try:
        np.testing.assert_array_equal(attributions(POINTS), whole)
    finally:
        model.trainable = True
    for old, weight in zip(weights, model.weights, strict=True):
        np.testing.assert_array_equal(old, weight)


@pytest.mark.parametrize("method", METHODS)
def test_inside_a_function_of_the_user(method):
    explainer = make(method, "foreign")
    inputs = tf.constant(POINTS[:3])

    @tf.function
    def heat(inputs, target):
        return explainer.explain_batch(inputs, target).importance * 2

    target = tf.constant([0, 1, 2])
    assert_close(heat(inputs, target) / 2, explainer.explain_batch(inputs, target).importance)


@pytest.mark.parametrize("method", sorted(set(METHODS) - WHATEVER_THE_TARGET))
def test_each_example_has_its_target(method):
    explainer = make(method, "foreign")
    one, each = (
        eagerly(explainer, POINTS[:3], target).attributions.numpy() for target in ([3, 3, 3], [3, 0, 3])
    )
    assert_close(each[[0, 2]], one[[0, 2]])
    assert not np.allclose(each[1], one[1])


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("method", SEEDED)
def test_a_seed_decides(method, model):
    inputs = MODELS[model][2][:2]
    first, again, other = (eagerly(make(method, model, seed=seed), inputs).attributions for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


@pytest.mark.parametrize("method", METHODS)
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


def test_methods_by_name():
    assert sorted(METHODS) == METHODS
    assert {explain.get(name).method for name in METHODS} == set(METHODS)
    assert explain.get("p_grad_cam") is explain.PGradCAM
    with pytest.raises(UserError, match=r"unknown method 'lemon'; known are .*p_grad_cam"):
        explain.get("lemon")
