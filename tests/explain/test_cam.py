"""p-grad-CAM and Grad-CAM against the formulas, and the contract of all explainers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.explain.reference import Reference
from tests.models.plain_pointnet import randomise
from tfxai3d import explain
from tfxai3d.errors import UserError
from tfxai3d.models import PointNet, split
from tfxai3d.models.endpoint import max_over_points

CLOUDS = np.random.default_rng(0).uniform(-1, 1, (3, 40, 3)).astype("float32")


@pytest.fixture(scope="module")
def full_model():
    model = PointNet(5)
    randomise(model, seed=2)
    return model


@pytest.fixture(scope="module", params=["basic", "full"])
def both(request, tiny_model):
    """A model and its reference."""
    model = tiny_model if request.param == "basic" else request.getfixturevalue("full_model")
    return model, Reference(model)


@pytest.fixture(scope="module")
def p_grad_cam(tiny_model):
    return explain.PGradCAM(tiny_model)


def assert_close(actual, expected, tolerance=1e-5):
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_p_grad_cam_equals_the_formula(both, pooling):
    model, reference = both
    explanation = explain.PGradCAM(model, pooling)(CLOUDS[:2], [0, 2])
    for i, target in enumerate((0, 2)):
        expected = reference.p_grad_cam(CLOUDS[i], target, pooling)
        assert expected.max() > 0
        assert_close(explanation.importance[i], expected)
        assert_close(explanation.scores[i], reference.gradient(CLOUDS[i], target)[2], 1e-4)


def test_grad_cam_equals_the_formula(tiny_model):
    reference = Reference(tiny_model)
    explanation = explain.GradCAM(tiny_model)(CLOUDS, [3, 1, 0])
    for i, target in enumerate((3, 1, 0)):
        assert_close(explanation.importance[i], reference.grad_cam(CLOUDS[i], target))


@pytest.mark.parametrize("name", explain.methods())
class TestContract:
    def test_explanation(self, tiny_model, name):
        explanation = explain.get(name)(tiny_model)(CLOUDS)
        np.testing.assert_array_equal(explanation.inputs, CLOUDS)
        assert explanation.attributions.shape == CLOUDS.shape
        assert explanation.importance.shape == CLOUDS.shape[:2]
        assert explanation.importance.dtype == np.float32
        assert explanation.importance.min() >= 0
        repeated = explanation.importance[..., None].repeat(3, -1)
        np.testing.assert_array_equal(explanation.attributions, repeated)
        assert_close(explanation.scores, tiny_model(CLOUDS), 1e-4)
        assert explanation.method == name
        assert explanation.class_names == tiny_model.class_names
        assert explanation.class_name(1) == "cup"

    def test_targets(self, tiny_model, name):
        method = explain.get(name)(tiny_model)
        predicted = method(CLOUDS)
        np.testing.assert_array_equal(predicted.target, predicted.predicted)
        again = method(CLOUDS, predicted.predicted)
        np.testing.assert_array_equal(again.importance, predicted.importance)
        one = method(CLOUDS, target=3)
        assert one.target.tolist() == [3, 3, 3]
        each = method(CLOUDS, target=[3, 0, 3])
        assert each.target.tolist() == [3, 0, 3]
        np.testing.assert_array_equal(each.importance[[0, 2]], one.importance[[0, 2]])
        assert not np.allclose(each.importance[1], one.importance[1])

    def test_the_batch_does_not_matter(self, tiny_model, name):
        clouds = np.random.default_rng(1).uniform(-1, 1, (7, 20, 3)).astype("float32")
        expected = explain.get(name)(tiny_model)(clouds)
        for batch_size in (1, 3, 7):
            backwards = explain.get(name)(tiny_model, batch_size=batch_size)(clouds[::-1])
            assert_close(backwards.importance[::-1], expected.importance)
            assert_close(backwards.scores[::-1], expected.scores, 1e-4)

    def test_the_model_sees_no_more_than_a_batch_and_is_traced_once(self, tiny_model, name):
        seen = []

        class Recording(explain.get(name)):
            def explain_batch(self, inputs, target):
                tf.py_function(lambda x: seen.append(len(x)), [inputs], [])
                return super().explain_batch(inputs, target)

        method = Recording(tiny_model, batch_size=2)
        for batch, points in ((1, 10), (5, 17), (2, 40)):
            method(np.zeros((batch, points, 3)))
        assert sorted(seen) == [1, 1, 2, 2, 2]
        assert method._compiled.experimental_get_tracing_count() == 1

    def test_the_model_is_left_alone(self, tiny_model, name):
        before = [weight.numpy() for weight in tiny_model.weights]
        explain.get(name)(tiny_model)(CLOUDS, 1)
        for old, weight in zip(before, tiny_model.weights, strict=True):
            np.testing.assert_array_equal(old, weight)

    @pytest.mark.parametrize(
        ("inputs", "target", "message"),
        [
            (CLOUDS[0], None, "inputs must be points"),
            (CLOUDS[..., :2], None, "inputs must be points"),
            (CLOUDS[:0], None, "inputs must be points"),
            (CLOUDS[:, :0], None, "inputs must be points"),
            (np.full((1, 10, 3), np.nan), None, "NaN or infinite"),
            (np.full((1, 10, 3), np.inf), None, "NaN or infinite"),
            ([[[1, 2, 3]], [[1]]], None, "no array of numbers"),
            ("points", None, "no array of numbers"),
            (CLOUDS, 5, r"0\.\.4"),
            (CLOUDS, -1, r"0\.\.4"),
            (CLOUDS, [0, 1, 5], r"0\.\.4"),
            (CLOUDS, [0, 1], "one class or 3"),
            (CLOUDS, 1.0, "one class or 3"),
            (CLOUDS, "chair", "one class or 3"),
        ],
    )
    def test_mistakes(self, tiny_model, name, inputs, target, message):
        with pytest.raises(UserError, match=message) as caught:
            explain.get(name)(tiny_model)(inputs, target)
        assert "\n" not in str(caught.value)

    def test_a_batch_has_at_least_one_example(self, tiny_model, name):
        with pytest.raises(UserError, match="batch_size"):
            explain.get(name)(tiny_model, batch_size=0)


@settings(deadline=None, max_examples=10)
@given(st.permutations(range(40)))
def test_permuting_the_points_permutes_the_heat(p_grad_cam, order):
    expected = p_grad_cam(CLOUDS[:1], 0).importance[:, order]
    assert_close(p_grad_cam(CLOUDS[:1, order], 0).importance, expected)


@settings(deadline=None, max_examples=10)
@given(st.lists(st.integers(0, 19), min_size=1, max_size=40))
def test_duplicated_points_share_the_heat(p_grad_cam, extra):
    index = np.array([*range(20), *extra])
    explanation = p_grad_cam(CLOUDS[:1, :20][:, index], 0)
    for i in range(20):
        assert_close(explanation.importance[0, index == i], explanation.importance[0, i])
    split_heat = p_grad_cam(CLOUDS[:1, :20], 0).importance[0]
    # Each channel's gradient is shared equally, so the weights, and the heats, are divided by the copies.
    copies = np.bincount(index)
    assert_close(explanation.importance[0, :20] * copies, split_heat)


def test_the_gradient_of_the_max_goes_to_the_winners_in_equal_shares():
    features = tf.constant([[[1.0, 2.0, 0.0, 5.0], [1.0, 0.0, 0.0, 1.0], [0.5, 2.0, 0.0, 2.0]]])
    with tf.GradientTape() as tape:
        tape.watch(features)
        top = max_over_points(features)
        score = tf.reduce_sum(top * [1.0, 10.0, 100.0, -1.0])
    assert top.numpy().tolist() == [[1, 2, 0, 5]]
    gradient = tape.gradient(score, features)[0].numpy().tolist()
    assert gradient == [[0.5, 5, 0, -1], [0.5, 0, 0, 0], [0, 5, 0, 0]]


def test_a_point_that_wins_nothing_has_no_heat(tiny_model):
    cloud = np.concatenate([CLOUDS[:1], CLOUDS[:1].mean(axis=1, keepdims=True).repeat(5, axis=1)], axis=1)
    parts = split(tiny_model)
    features = parts.features(cloud)[0].numpy()
    wins = ((features == features.max(axis=0)) & (features > 0)).any(axis=1)
    heat = explain.PGradCAM(tiny_model)(cloud, 0).importance[0]
    assert not wins.all()
    assert not heat[~wins].any()


def test_the_two_halves_of_a_model_are_the_model(both):
    model, reference = both
    parts = split(model)
    features = parts.features(CLOUDS)
    assert features.shape == (3, 40, 1024)
    assert_close(features, reference.plain_features(CLOUDS), 1e-4)
    assert_close(parts.head(features), model(CLOUDS))


class TestModelsWithoutTheEndpoint:
    def test_no_such_layer(self):
        points = keras.Input((None, 3))
        with pytest.raises(UserError, match="no endpoint point_features"):
            explain.PGradCAM(keras.Model(points, keras.layers.GlobalMaxPooling1D()(points)))

    def test_a_layer_of_another_kind(self):
        points = keras.Input((None, 3))
        features = keras.layers.Dense(4, name="point_features")(points)
        with pytest.raises(UserError, match="no endpoint point_features"):
            explain.GradCAM(keras.Model(points, keras.layers.GlobalMaxPooling1D()(features)))


def test_pooling_is_max_or_mean(tiny_model):
    assert explain.PGradCAM(tiny_model, "mean").options() == {"pooling": "mean"}
    with pytest.raises(UserError, match="pooling must be 'max' or 'mean', it is 'sum'"):
        explain.PGradCAM(tiny_model, "sum")


def test_scores_that_are_no_numbers_are_refused():
    model = PointNet(2, "basic")
    model.get_layer("logits").bias.assign([np.nan, 0])
    with pytest.raises(UserError, match="scores are not finite"):
        explain.PGradCAM(model)(CLOUDS[:1], 0)


def test_methods_by_name():
    assert explain.methods() == sorted(explain.methods())
    assert {"grad_cam", "p_grad_cam"} <= set(explain.methods())
    assert explain.get("p_grad_cam") is explain.PGradCAM
    assert explain.get("grad_cam") is explain.GradCAM
    with pytest.raises(UserError, match=r"unknown method 'lime'; known are .*p_grad_cam"):
        explain.get("lime")
