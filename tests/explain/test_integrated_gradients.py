"""Integrated gradients against integrals known in closed form."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.reference import networks
from tests.reference.networks import POINTS, VOXELS, assert_close
from tests.reference.precision import precision
from tfxai3d import explain
from tfxai3d.errors import UserError
from tfxai3d.explain.engine.quadrature import nodes_and_weights


def power(degree):
    """Returns a function of points whose first logit is the sum of the coordinates' powers."""
    return lambda x: tf.stack([tf.reduce_sum(x**degree, axis=(1, 2)), tf.reduce_sum(x, axis=(1, 2))], -1)


def integrated(function, **options):
    return explain.IntegratedGradients(function, data_kind="points", **options)


@pytest.mark.parametrize("steps", [2, 3, 5])
@pytest.mark.parametrize(
    ("rule", "order"),
    [
        ("trapezoid", lambda steps: 1),
        ("riemann_middle", lambda steps: 1),
        ("riemann_left", lambda steps: 0),
        ("riemann_right", lambda steps: 0),
        ("gauss_legendre", lambda steps: 2 * steps - 1),
    ],
)
def test_a_rule_integrates_polynomials_up_to_its_order(rule, order, steps):
    nodes, weights = nodes_and_weights(rule, steps)
    assert len(nodes) == len(weights) == steps
    for degree in range(order(steps) + 1):
        assert weights @ nodes**degree == pytest.approx(1 / (degree + 1), abs=1e-12)
    degree = order(steps) + 1
    assert abs(weights @ nodes**degree - 1 / (degree + 1)) > 1e-7


@pytest.mark.parametrize(("rule", "degree"), [("trapezoid", 2), ("riemann_middle", 2), ("gauss_legendre", 6)])
def test_attributions_of_polynomials_are_exact(rule, degree):
    explained = integrated(power(degree), steps=3, rule=rule, batch_size=4)(POINTS, 0)
    assert_close(explained.attributions, POINTS**degree)
    np.testing.assert_allclose(explained.convergence_delta, 0, atol=1e-4)
    beyond = integrated(power(degree + 2), steps=3, rule=rule)(POINTS, 0)
    expected = POINTS ** (degree + 2)
    assert np.abs(beyond.attributions - expected).max() > 1e-3 * expected.max()


def smooth_model():
    with precision():
        points = keras.Input((None, 3))
        x = keras.layers.Dense(16, "tanh", bias_initializer="normal")(points)
        x = keras.layers.Dense(16, "softplus")(keras.layers.GlobalAveragePooling1D()(x))
        return keras.Model(points, keras.layers.Dense(3)(x))


def test_attributions_of_a_smooth_model_sum_to_the_scores_difference():
    model = smooth_model()
    explained = integrated(model)(POINTS, target=1)
    scores, start = np.asarray(model(POINTS))[:, 1], np.asarray(model(np.zeros_like(POINTS)))[:, 1]
    delta = explained.attributions.sum(axis=(1, 2), dtype=float) - (scores - start)
    assert np.abs(delta).max() < 1e-3 * np.abs(scores - start).min()
    np.testing.assert_allclose(explained.convergence_delta, delta, atol=1e-6)
    assert explained.options == {"steps": 50, "rule": "gauss_legendre", "baseline": 0.0, "tolerance": None}


class TestTolerance:
    def test_steps_are_raised_until_it_is_met_for_each_example_on_its_own(self):
        # Steep places at different distances: what 3 steps can do differs from example to example.
        scale = np.array([0.1, 1, 8])[:, None, None]
        inputs = np.abs(POINTS[:3]) * scale

        def function(x):
            total = tf.reduce_sum(x, axis=(1, 2))
            return tf.stack([tf.sin(total / 40), total], axis=-1)

        plain = integrated(function, steps=3, rule="trapezoid")(inputs, 0)
        gain = np.sin(inputs.sum(axis=(1, 2)) / 40)
        close = np.abs(plain.convergence_delta) <= 1e-3 * np.abs(gain)
        assert close.any()
        assert not close.all()
        finer = {"rule": "trapezoid", "tolerance": 1e-3, "batch_size": 2}
        better = integrated(function, steps=3, **finer)(inputs, 0)
        assert (np.abs(better.convergence_delta) <= 1e-3 * np.abs(gain)).all()
        np.testing.assert_array_equal(better.attributions[close], plain.attributions[close])
        for i in np.flatnonzero(~close):
            assert not np.allclose(better.attributions[i], plain.attributions[i])

    def test_what_cannot_be_met_is_said(self):
        explainer = integrated(power(3), steps=2, rule="riemann_left", tolerance=1e-6)
        with pytest.warns(UserWarning, match=r"2 of 2 examples miss the tolerance 1e-06 after 128 steps"):
            explainer(np.abs(POINTS[:2]), 0)


class TestBaselines:
    @pytest.mark.parametrize(
        ("baseline", "said"),
        [
            (0.5, 0.5),
            (np.array([0.1, 0.2, 0.3]), "array (3,)"),
            (POINTS[4], "array (40, 3)"),
            (POINTS[3:], "distribution (2, 40, 3)"),
        ],
    )
    def test_each_form(self, baseline, said):
        # x^2 - b^2 for each baseline b; their mean over a distribution.
        explainer = integrated(power(2), steps=4, baseline=baseline, batch_size=3)
        several = np.asarray(baseline) if np.ndim(baseline) == 3 else np.asarray(baseline)[None]
        expected = np.mean([POINTS[:3] ** 2 - b**2 for b in several], axis=0)
        explained = explainer(POINTS[:3], 0)
        assert_close(explained.attributions, expected)
        np.testing.assert_allclose(explained.convergence_delta, 0, atol=1e-4)
        assert explainer.options()["baseline"] == said

    def test_the_empty_grid(self):
        explained = explain.IntegratedGradients(
            networks.function, steps=20, rule="gauss_legendre", baseline="empty", data_kind="voxels"
        )(VOXELS)
        assert not explained.attributions[VOXELS == 0].any()
        np.testing.assert_allclose(explained.convergence_delta, 0, atol=1e-4)

    @pytest.mark.parametrize(
        ("baseline", "message"),
        [
            ("empty", "'empty' for voxels; for points it is 'empty'"),
            ("black", "it is 'black'"),
            (None, "baseline must be"),
            ([[1], [1, 2]], "a number or an array of numbers"),
            (np.nan, "must be finite"),
            (np.zeros((1, 1, 2, 3)), "with 2 axes for one example of points or 3 for several"),
        ],
    )
    def test_mistakes(self, baseline, message):
        with pytest.raises(UserError, match=message):
            integrated(power(2), baseline=baseline)

    def test_a_baseline_of_another_size(self):
        with pytest.raises(UserError, match=r"baseline of shape \(7, 3\) does not fit examples \(40, 3\)"):
            integrated(power(2), baseline=np.zeros((7, 3)))(POINTS)


def test_a_target_function_that_is_not_linear_has_its_delta():
    explained = integrated(power(2), steps=40, rule="gauss_legendre", baseline=POINTS[3:])(
        POINTS[:2], lambda scores: tf.sin(scores[:, 0] / 10)
    )
    np.testing.assert_allclose(explained.convergence_delta, 0, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "simpson"}, "unknown rule 'simpson'; known are"),
        ({"steps": 1, "rule": "trapezoid"}, "steps must be at least 2 for the rule trapezoid, it is 1"),
        ({"steps": 0, "rule": "gauss_legendre"}, "steps must be at least 1"),
        ({"tolerance": 0}, "tolerance must be above 0, it is 0"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(UserError, match=message):
        integrated(power(2), **options)
