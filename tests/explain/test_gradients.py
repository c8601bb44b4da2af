"""The gradient methods against finite differences and against answers known in closed form."""

import warnings

import numpy as np
import pytest
import tensorflow as tf

from tests.reference import networks
from tests.reference.networks import POINTS, VOXELS, assert_close
from tfxai3d import explain
from tfxai3d.errors import UserError
from tfxai3d.explain.engine.network import network


def difference(model, inputs, direction, step=1e-8):
    """Returns the derivative of all logits along a direction (B,C), by central differences.

    The step is so small that hardly ever a ReLU or a max changes sides within it.
    """
    ahead, behind = (np.asarray(model(inputs + sign * step * direction)) for sign in (1, -1))
    return (ahead - behind) / (2 * step)


@pytest.mark.parametrize(
    ("build", "inputs"),
    [
        (lambda: networks.pointnet("full"), POINTS[:2]),
        (networks.pointnet2, POINTS[:2]),
        (networks.vrn, VOXELS[:2]),
    ],
    ids=["pointnet", "pointnet2", "vrn"],
)
def test_vanilla_equals_finite_differences(build, inputs):
    model, target = build(), np.array([1, 3])
    explained = explain.VanillaGradient(model)(inputs, target)
    slopes = np.abs(explained.attributions).max()
    assert slopes > 0
    # A random direction, in which every coordinate of every point has its part.
    direction = np.random.default_rng(2).normal(size=inputs.shape)
    expected = difference(model, inputs, direction)[[0, 1], target]
    along = np.sum(explained.attributions * direction, axis=tuple(range(1, inputs.ndim)), dtype=float)
    np.testing.assert_allclose(along, expected, rtol=1e-4, atol=1e-4 * slopes)


def test_importance_is_the_length_of_a_points_gradient_and_the_size_of_a_voxels():
    points = explain.VanillaGradient(networks.foreign(), data_kind="points")(POINTS)
    np.testing.assert_allclose(points.importance, np.linalg.norm(points.attributions, axis=-1), rtol=1e-5)
    voxels = explain.VanillaGradient(networks.function, data_kind="voxels")(VOXELS)
    np.testing.assert_array_equal(voxels.importance, np.abs(voxels.attributions[..., 0]))


def test_gradient_times_input_is_zero_in_empty_voxels():
    vanilla = explain.VanillaGradient(networks.function, data_kind="voxels")(VOXELS[:1], 1)
    masked = explain.GradientTimesInput(networks.function, data_kind="voxels")(VOXELS[:1], 1)
    assert_close(masked.attributions, vanilla.attributions * VOXELS[:1])
    assert not masked.attributions[VOXELS[:1] == 0].any()
    assert vanilla.attributions[VOXELS[:1] == 0].any()


def squares(points):
    return tf.stack([tf.reduce_sum(points**2, axis=(1, 2)), tf.reduce_sum(points, axis=(1, 2))], axis=-1)


def draws(shape, samples, seed):
    return np.stack([tf.random.stateless_normal(shape, [seed, i], alg="philox") for i in range(samples)])


def test_smooth_grad_and_var_grad_of_a_square():
    # The gradient of x^2 is 2x, so the noise n adds 2n: its mean and its variance are those of the noise.
    spread = np.ptp(POINTS[:2], axis=(1, 2))[:, None, None]
    noise = 2 * 0.1 * spread * draws(POINTS.shape[1:], 8, 3)[:, None]
    options = {"samples": 8, "noise": 0.1, "seed": 3, "batch_size": 3, "data_kind": "points"}
    smooth = explain.SmoothGrad(squares, **options)(POINTS[:2], 0)
    assert_close(smooth.attributions, 2 * POINTS[:2] + noise.mean(axis=0))
    varied = explain.VarGrad(squares, **options)(POINTS[:2], 0)
    assert_close(varied.attributions, noise.var(axis=0), 1e-4)
    assert_close(explain.VarGrad(squares, **options)(POINTS[:2], 1).attributions, np.zeros((2, 40, 3)))


def test_expected_gradients_of_a_square():
    # (x - b) * 2 (b + a (x - b)), drawn as the seed says; their sum is the score's difference in the mean.
    baselines = POINTS[2:]
    explainer = explain.ExpectedGradients(squares, baselines, samples=4000, seed=5, data_kind="points")
    explained = explainer(POINTS[:2], 0)
    expected = POINTS[:2] ** 2 - (baselines**2).mean(axis=0)
    np.testing.assert_allclose(explained.attributions, expected, atol=0.15)
    gain = (POINTS[:2] ** 2).sum(axis=(1, 2)) - (baselines**2).sum(axis=(1, 2)).mean()
    delta = explained.attributions.sum(axis=(1, 2)) - gain
    np.testing.assert_allclose(explained.convergence_delta, delta, atol=1e-3)
    assert explainer.options() == {"baselines": "distribution (3, 40, 3)", "samples": 4000, "seed": 5}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: explain.SmoothGrad(squares, samples=0, data_kind="points"), "samples must be at least 1"),
        (lambda: explain.SmoothGrad(squares, noise=0, data_kind="points"), "noise must be above 0, it is 0"),
        (lambda: explain.VarGrad(squares, noise=np.nan, data_kind="points"), "noise must be above 0"),
        (lambda: explain.ExpectedGradients(squares, samples=0, data_kind="points"), "samples must be"),
    ],
)
def test_options_that_make_no_sense(make, message):
    with pytest.raises(UserError, match=message):
        make()


class TestNotDifferentiable:
    @pytest.mark.parametrize(
        "cut",
        [
            lambda x: tf.cast(tf.cast(100 * x, tf.int32), tf.float32),
            tf.stop_gradient,
            lambda x: tf.zeros_like(x),
            lambda x: tf.ensure_shape(tf.numpy_function(lambda a: a, [x], tf.float32), x.shape),
        ],
        ids=["integers", "stopped", "constant", "numpy"],
    )
    def test_one_line_says_so(self, cut):
        explainer = explain.VanillaGradient(lambda x: squares(cut(x)), data_kind="points")
        with pytest.raises(UserError, match="not differentiable at its input") as caught:
            explainer(POINTS)
        assert "\n" not in str(caught.value)


class TestScores:
    def test_probabilities_are_warned_of_once(self):
        hidden = tf.function(lambda x: tf.nn.softmax(squares(x)))
        explainer = explain.VanillaGradient(hidden, data_kind="points")
        with pytest.warns(UserWarning, match="returns probabilities"):
            explainer(POINTS)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            explainer(POINTS)

    def test_no_numbers(self):
        explainer = explain.VanillaGradient(lambda x: squares(x) / 0, data_kind="points")
        with pytest.raises(UserError, match="scores are not finite"):
            explainer(POINTS)

    @pytest.mark.parametrize(
        ("function", "message"),
        [
            (lambda x: x, r"gives scores \(None, 40, 3\), for each point or voxel"),
            (lambda x: (squares(x), x), "must return one tensor of scores"),
            (lambda x: {"a": squares(x), "b": x}, "must return one tensor of scores"),
        ],
    )
    def test_of_another_form(self, function, message):
        with pytest.raises(UserError, match=message):
            explain.VanillaGradient(function, data_kind="points")(POINTS)

    def test_a_dictionary(self):
        expected = explain.VanillaGradient(squares, data_kind="points")(POINTS, 0).attributions
        for function in (lambda x: {"logits": squares(x), "points": x}, lambda x: {"a": squares(x)}):
            again = explain.VanillaGradient(function, data_kind="points")(POINTS, 0)
            np.testing.assert_array_equal(again.attributions, expected)


def test_wrong_dtype_of_a_layer_is_no_business_of_the_explainer():
    assert network(networks.foreign(), "points").dtype == "float64"
    assert network(squares, "points").dtype == "float32"


@pytest.mark.parametrize("method", ["gradient_times_input", "integrated_gradients", "expected_gradients"])
def test_what_contributes_has_a_sign(method):
    options = {"integrated_gradients": {"steps": 200}, "expected_gradients": {"samples": 3}}.get(method, {})
    found = explain.get(method)(networks.foreign(), data_kind="points", **options)(POINTS[:2], 1)
    assert_close(found.importance, found.attributions.sum(axis=-1))
    assert (found.importance < 0).any()
    assert (found.importance > 0).any()
    np.testing.assert_array_equal(found.magnitude, np.abs(found.importance))


def test_the_sign_says_for_or_against():
    # Each point adds its x to the first class and takes it from the second.
    def model(points):
        total = tf.reduce_sum(points[..., 0], axis=1)
        return tf.stack([total, -total], axis=-1)

    for method in ("gradient_times_input", "integrated_gradients"):
        explainer = explain.get(method)(model, data_kind="points")
        assert_close(explainer(POINTS, 0).importance, POINTS[..., 0])
        assert_close(explainer(POINTS, 1).importance, -POINTS[..., 0])
