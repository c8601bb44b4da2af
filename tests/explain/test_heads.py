"""What a model returns, in all forms of it: the same logits are explained, and probabilities are its own."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.explainers.cases import NEED_FEATURES, OPTIONS
from tests.reference.networks import POINTS, assert_close
from tests.reference.precision import precision
from tfxai3d import evaluate, explain, serve
from tfxai3d.errors import UserError
from tfxai3d.results import heads

COLUMNS = {"logits": 4, "softmax": 4, "sigmoids": 5, "sigmoid": 1, "linear": 1}
ACTIVATIONS = {
    "logits": "linear",
    "softmax": "softmax",
    "sigmoids": "sigmoid",
    "sigmoid": "sigmoid",
    "linear": "linear",
}
HEADS = {
    "logits": "logits",
    "softmax": "probabilities",
    "sigmoids": "sigmoids",
    "sigmoid": "binary",
    "linear": "regression",
}


@functools.cache
def bare(columns):
    """A Keras model of points without an activation at its end."""
    with precision():
        points = keras.Input((None, 3))
        x = keras.layers.Dense(8, "relu", name="rows", bias_initializer="normal")(points)
        x = keras.layers.Dense(columns)(keras.layers.GlobalMaxPooling1D()(x))
        return keras.Model(points, x, name="bare")


class Subclassed(keras.Model):
    """Its activation is in the code, so that only the graph shows it."""

    def __init__(self, columns, activation, **kwargs):
        super().__init__(**kwargs)
        self.inner, self.last = bare(columns), activation

    def call(self, points):
        return self.last(self.inner(points))


def activated(case, form="layer"):
    """The same with an activation at its end: a layer, an operation, a nested model, or code."""
    model, activation = bare(COLUMNS[case]), ACTIVATIONS[case]
    with precision():
        if form == "layer":
            return keras.Model(model.input, keras.layers.Activation(activation)(model.output), name="ended")
        if form == "operation":
            return keras.Model(model.input, getattr(keras.ops, activation)(model.output), name="ended")
        if form == "nested":
            inner = keras.Sequential([keras.Input((COLUMNS[case],)), keras.layers.Activation(activation)])
            return keras.Model(model.input, inner(model.output), name="ended")
        code = {"softmax": tf.nn.softmax, "sigmoid": tf.sigmoid, "linear": tf.identity}[activation]
        if form == "callable":
            return lambda points: code(model(points))
        ended = Subclassed(COLUMNS[case], code)
        ended(POINTS)
        return ended


def expected_scores(case):
    z = np.asarray(bare(COLUMNS[case])(POINTS))
    return np.concatenate([-z, z], axis=1) if case == "sigmoid" else z


@pytest.mark.parametrize(
    ("case", "form"),
    [(case, "layer") for case in COLUMNS]
    + [("softmax", form) for form in ("operation", "nested", "subclassed", "callable")]
    + [("sigmoid", "operation"), ("sigmoid", "subclassed"), ("linear", "callable")],
)
def test_the_scores_before_the_activation_are_explained(case, form):
    explained = explain.VanillaGradient(activated(case, form), data_kind="points")(POINTS, 0)
    assert explained.options == ({} if case == "logits" else {"head": HEADS[case]})
    assert_close(explained.scores, expected_scores(case))
    expected = explain.VanillaGradient(bare(COLUMNS[case]), data_kind="points")(POINTS, 0).attributions
    assert_close(explained.attributions, -expected if case == "sigmoid" else expected)


@pytest.mark.parametrize("method", ["grad_cam", "integrated_gradients", "mean_field_shapley", "smooth_grad"])
def test_by_other_methods(method):
    options = OPTIONS.get(method, {}) | ({"layer": "rows"} if method in NEED_FEATURES else {})

    def attributions(model):
        return explain.get(method)(model, data_kind="points", **options)(POINTS[:2], 1).attributions

    form = "subclassed" if method == "integrated_gradients" else "layer"
    assert_close(attributions(activated("softmax", form)), attributions(bare(4)))
    if method == "integrated_gradients":
        assert_close(
            attributions(activated("sigmoid")),
            explain.IntegratedGradients(bare(1), data_kind="points", **options)(POINTS[:2]).attributions,
        )


def test_point_saliency_is_of_the_loss():
    """Against the loss written down: -log p of the class, -log(1 - p) of class 0."""
    for case, label in (("softmax", 2), ("sigmoid", 0), ("sigmoid", 1), ("sigmoids", 3)):
        model, x = activated(case), tf.constant(POINTS)
        with tf.GradientTape() as tape:
            tape.watch(x)
            p = model(x)
            p = tf.concat([1 - p, p], axis=1) if case == "sigmoid" else p
            loss = -tf.math.log(p[:, label])
        offset = POINTS - np.median(POINTS, axis=1, keepdims=True)
        terms = -tape.gradient(loss, x) * offset * np.linalg.norm(offset, axis=-1, keepdims=True)
        explained = explain.PointSaliency(model, data_kind="points")(POINTS, label)
        assert_close(explained.attributions, terms)


class TestTwoClassesOfOneColumn:
    def test_are_told_by_the_sign(self):
        z = np.asarray(bare(1)(POINTS))[:, 0]
        z0 = z.mean()
        with precision():
            model = keras.Model(bare(1).input, keras.ops.sigmoid(bare(1).output - z0))
        explained = explain.VanillaGradient(model, data_kind="points")(POINTS)
        np.testing.assert_array_equal(explained.predicted, z > z0)
        assert len(set(explained.predicted)) == 2
        result = evaluate.classify(model, POINTS, np.zeros(5, int))
        p = model.predict(POINTS, verbose=0)[:, 0]
        np.testing.assert_allclose(result.probabilities, np.stack([1 - p, p], axis=1), atol=1e-6)

    def test_need_a_head_or_two_names_where_the_column_is_a_logit(self):
        value = explain.VanillaGradient(bare(1), data_kind="points")(POINTS)
        assert value.class_name(0) == "value"
        for options in ({"head": "binary"}, {"class_names": ("cup", "chair")}):
            net = explain.network(bare(1), "points", **options)
            explained = explain.VanillaGradient(net)(POINTS, 0)
            assert_close(explained.attributions, -value.attributions)
            assert explained.options == {"head": "binary"}


class TestAHeadThatIsSaid:
    def test_must_be_known_and_possible(self):
        with pytest.raises(UserError, match="head 'softmax': must be one of logits"):
            explain.network(bare(4), "points", head="softmax")
        with pytest.raises(UserError, match="'ended' ends in 'probabilities', which can be taken for 'regre"):
            explain.network(activated("softmax"), "points", head="logits")

    def test_can_be_the_probability_itself(self):
        model, x = activated("softmax"), tf.constant(POINTS)
        with tf.GradientTape() as tape:
            tape.watch(x)
            p = model(x)[:, 1]
        explained = explain.VanillaGradient(model, data_kind="points", head="regression")(POINTS, 1)
        assert_close(explained.attributions, tape.gradient(p, x))

    def test_is_kept_by_all_that_is_made_of_it(self):
        net = explain.network(bare(5), "points", head="sigmoids", class_names=list("abcde"))
        assert explain.network(explain.GradCAM(net, layer="rows")).head == "sigmoids"
        p = 1 / (1 + np.exp(-np.asarray(bare(5)(POINTS))))
        result = evaluate.classify(net, POINTS, np.zeros(5, int))
        np.testing.assert_allclose(result.probabilities, p, atol=1e-6)

    def test_names_must_be_as_many_as_classes(self):
        with pytest.raises(UserError, match="class_names names 3 of 4 classes of model 'bare'"):
            explain.network(bare(4), "points", class_names=("a", "b", "c"))


def own_probabilities(model, case):
    p = np.asarray(model(POINTS))
    p = np.exp(p) / np.exp(p).sum(axis=1, keepdims=True) if case == "logits" else p
    return np.concatenate([1 - p, p], axis=1) if case == "sigmoid" else p


@pytest.mark.parametrize("case", ["logits", "softmax", "sigmoids", "sigmoid"])
def test_probabilities_are_the_model_s_own_wherever_they_are_told(case, tmp_path):
    model = activated(case)
    expected, labels = own_probabilities(model, case), np.array([0, 1, 0, 1, 1])
    rows = np.arange(5)
    serve.export(model, tmp_path / "1", ["vanilla_gradient"], data_kind="points")
    served = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"](
        points=tf.constant(POINTS)
    )
    np.testing.assert_allclose(served["probabilities"], expected, atol=1e-6)
    np.testing.assert_allclose(served["probability"], expected.max(axis=1), atol=1e-6)
    np.testing.assert_array_equal(served["class"], expected.argmax(axis=1))
    loaded = serve.load(tmp_path / "1")
    assert loaded.network.head == HEADS[case]
    for known in (model, loaded, activated(case, "subclassed")):
        result = evaluate.classify(known, POINTS, labels)
        np.testing.assert_allclose(result.probabilities, expected, atol=1e-6)
        np.testing.assert_array_equal(result.predicted, expected.argmax(axis=1))
    explainer = explain.VanillaGradient(loaded)
    *_, runs = evaluate.drop_clouds(
        evaluate.Recomputed(explainer), POINTS, labels, evaluate.by_count(5), steps=1
    )
    first = [run.steps[0] for run in runs]
    np.testing.assert_allclose([step.confidence for step in first], expected[rows, labels], atol=1e-6)
    np.testing.assert_allclose([step.loss for step in first], -np.log(expected[rows, labels]), atol=1e-5)
    unrotated = evaluate.RotationTest(explainer, np.eye(3)[None], vote=True)
    for i in rows:
        right, loss = unrotated(POINTS[i], labels[i])
        assert right == (expected[i].argmax() == labels[i])
        np.testing.assert_allclose(loss, -np.log(expected[i, labels[i]]), atol=1e-5)
    voted = evaluate.vote(model, [POINTS, POINTS], labels)
    np.testing.assert_allclose(voted.probabilities, expected, atol=1e-6)
    exclusive = case in ("logits", "softmax")
    again = evaluate.with_temperature(evaluate.classify(model, POINTS, labels), 2.0)
    z = np.log(expected) - (0 if exclusive else np.log(1 - expected))
    warmer = np.exp(z / 2) if exclusive else 1 / (1 + np.exp(-z / 2))
    warmer = warmer / warmer.sum(axis=1, keepdims=True) if exclusive else warmer
    np.testing.assert_allclose(again.probabilities, warmer, atol=1e-6)


def test_a_value_is_nowhere_called_a_probability(tmp_path):
    model = bare(1)
    serve.export(model, tmp_path / "1", ["vanilla_gradient"], data_kind="points")
    loaded = tf.saved_model.load(str(tmp_path / "1"))
    served = loaded.signatures["serving_default"](points=tf.constant(POINTS))
    assert list(served) == ["value"]
    assert_close(served["value"], model(POINTS))
    assert serve.load(tmp_path / "1").network.head == "regression"
    rated = evaluate.Recomputed(explain.VanillaGradient(model, data_kind="points"))
    for ask in (
        lambda: evaluate.classify(model, POINTS, np.zeros(5, int)),
        lambda: next(evaluate.drop_clouds(rated, POINTS, np.zeros(5, int), evaluate.by_count(5))),
        lambda: evaluate.RotationTest(rated.explainer, np.eye(3)[None])(POINTS[0], 0),
    ):
        with pytest.raises(UserError, match="needs a model of classes, and this one returns a value"):
            ask()


def test_numbers_that_look_like_probabilities_in_one_place_only():
    """Logits between 0 and 1 here, but not of larger clouds."""
    explained = explain.VanillaGradient(lambda x: tf.reduce_mean(x**2, axis=1), data_kind="points")(POINTS)
    assert "head" not in explained.options
    assert heads.told_by(np.array([[0.2, 0.3]]), "hidden") == ("sigmoids", True)
    assert heads.told_by(np.array([[0.2, 0.8]])) == ("probabilities", True)
    assert heads.told_by(np.array([[0.2, 0.9]])) == ("logits", False)
