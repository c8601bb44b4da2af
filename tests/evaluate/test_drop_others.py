"""Dropping from networks that nobody here wrote: of a fixed number of points, or of a least one."""

import numpy as np
import pytest
import tensorflow as tf

from tests.explain.test_layers_of_others import mean, network, ordinary
from tests.reference.networks import assert_close
from tfxai3d import evaluate, explain
from tfxai3d.errors import UserError

CLOUDS = np.random.default_rng(0).uniform(-1, 1, (3, 40, 3))
LABELS = np.array([0, 1, 2])


@pytest.fixture(scope="module")
def pair():
    """The same network for any number of points, and for 40."""
    free, fixed = network(ordinary), network(ordinary, 40)
    fixed.set_weights(free.get_weights())
    return free, fixed


@pytest.mark.parametrize(
    "method", ["p_grad_cam", "point_saliency", "integrated_gradients", "mean_field_shapley"]
)
def test_smaller_clouds_are_filled_up_without_a_trace(pair, method):
    options = {"layer": "feat"} if method == "p_grad_cam" else {}
    free, fixed = (explain.create(method, model, data_kind="points", steps=3, **options) for model in pair)
    expected, found = free(CLOUDS[:, :25], 1), fixed(CLOUDS[:, :25], 1)
    for name in ("attributions", "importance", "scores"):
        assert_close(getattr(found, name), getattr(expected, name))


def test_the_loops_are_those_of_the_free_network(pair):
    runs = []
    for model in pair:
        rated = evaluate.Recomputed(explain.PGradCAM(model, layer="feat", data_kind="points"))
        test = evaluate.RotationTest(rated.explainer, evaluate.random_rotations(3))
        *_, found = evaluate.drop_clouds(
            rated, CLOUDS, LABELS, evaluate.by_count(7), steps=3, rotation_test=test
        )
        runs.append(found)
    for one, other in zip(*runs, strict=True):
        np.testing.assert_array_equal(one.dropped_at, other.dropped_at)
        for step, same in zip(one.steps, other.steps, strict=True):
            assert (step.points, step.predicted, step.accuracy) == (
                same.points,
                same.predicted,
                same.accuracy,
            )
            np.testing.assert_allclose(step.loss, same.loss, rtol=1e-4)


def test_clouds_of_different_sizes_share_a_batch(pair):
    clouds = [CLOUDS[0, :12], CLOUDS[1], CLOUDS[2, :33]]
    expected, found = (evaluate.Forward(explain.network(model, "points"))(clouds) for model in pair)
    assert_close(found, expected)


def test_a_network_that_sees_copies_says_so():
    explainer = explain.VanillaGradient(network(mean, 40), data_kind="points")
    explainer(CLOUDS)
    with pytest.raises(UserError, match="takes 40 points, and these clouds have 25: filled up with copies"):
        explainer(CLOUDS[:, :25])
    with pytest.raises(UserError, match=r"must be points \(B,40,3\), they are \(1, 41, 3\)"):
        explainer(np.zeros((1, 41, 3)))


def of_neighbours(points):
    """Looks for the 12 nearest neighbours of each point."""
    distance = tf.reduce_sum((points[:, :, None] - points[:, None]) ** 2, axis=-1)
    near = tf.gather(points, tf.math.top_k(-distance, 12).indices, batch_dims=1)
    features = tf.reduce_max(tf.nn.relu(near - points[:, :, None]), axis=2)
    return tf.reduce_max(features, axis=1)


def test_the_least_number_of_points_is_found_or_said():
    net = explain.network(of_neighbours, "points")
    assert evaluate.least_points(net, CLOUDS[0]) == 12
    explainer, rated = explain.VanillaGradient(net), evaluate.Recomputed(explain.VanillaGradient(net))
    label = int(explainer(CLOUDS[:1]).predicted[0])
    *_, run = evaluate.drop_points(explainer, None, CLOUDS[0], label, "nonzero")
    assert run.steps[-1].points >= 12
    with pytest.raises(
        UserError, match="does not take 10 points: give the rule the fewest it takes, min_points"
    ):
        list(evaluate.drop_clouds(rated, CLOUDS, LABELS, evaluate.by_count(30), steps=2))
    tables = evaluate.drop_curves(net, CLOUDS.astype("float32"), LABELS, ["random"], num_drop=20, num_steps=3)
    assert tables["random"].by_step()["points"].tolist()[-1] == 12
