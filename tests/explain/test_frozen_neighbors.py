"""PointNet++ with its neighbourhoods frozen: the same scores where it counts, and no jumps on the way."""

import numpy as np
import pytest
import tensorflow as tf

from tests.reference.networks import POINTS, pointnet, pointnet2
from tfxai3d import explain
from tfxai3d.explain.engine.frozen_neighbors import frozen_network, has_neighbors
from tfxai3d.explain.engine.network import network


@pytest.fixture(scope="module")
def frozen():
    return frozen_network(network(pointnet2()), pointnet2(), tf.constant(POINTS))


def path(example, positions):
    """Returns clouds on the way of one example from the origin."""
    return tf.constant(positions)[:, None, None] * POINTS[example]


def test_the_scores_are_the_networks_at_the_inputs_and_where_all_points_coincide(frozen):
    order = tf.constant([3, 0, 0, 4])
    for clouds in (POINTS[[3, 0, 0, 4]], np.zeros((4, *POINTS.shape[1:]))):
        np.testing.assert_allclose(frozen(order)(tf.constant(clouds)), pointnet2()(clouds), atol=1e-12)


def test_the_score_does_not_jump_on_the_way_as_the_networks_does(frozen):
    positions = np.linspace(0.2, 1, 801)
    rows = tf.zeros(len(positions), tf.int32)
    clouds = path(0, positions)

    def largest_step(scores):
        return np.abs(np.diff(scores[:, 0])).max()

    found, kept = (np.asarray(call(clouds)) for call in (pointnet2(), frozen(rows)))
    assert largest_step(kept) < 0.05 * largest_step(found)
    assert largest_step(kept) < 10 * np.abs(np.diff(kept[:, 0])).mean()


def test_frozen_attributions_are_complete_and_others_are_not():
    model = pointnet2()
    gain = np.asarray(model(POINTS) - model(np.zeros_like(POINTS)))[:, 1]
    share = {}
    for freeze in (True, False):
        explainer = explain.IntegratedGradients(model, 200, "riemann_middle", freeze_neighbors=freeze)
        assert explainer.options()["freeze_neighbors"] is freeze
        explained = explainer(POINTS, 1)
        total = explained.attributions.sum(axis=(1, 2), dtype=float)
        np.testing.assert_allclose(explained.convergence_delta, total - gain, atol=1e-5)
        share[freeze] = np.median(np.abs((total - gain) / gain))
    assert share[True] < 0.01 < 0.1 < share[False]


def test_the_rows_of_a_refinement_keep_their_own_neighbours():
    explainer = explain.IntegratedGradients(pointnet2(), 4, "riemann_middle", tolerance=0.05, batch_size=7)
    together = explainer(POINTS, 1)
    alone = [explainer(POINTS[i : i + 1], 1).attributions[0] for i in range(len(POINTS))]
    np.testing.assert_allclose(together.attributions, alone, atol=1e-6)


def test_only_models_that_choose_points_have_neighbours():
    assert has_neighbors(pointnet2())
    assert not has_neighbors(pointnet())
    assert "freeze_neighbors" not in explain.IntegratedGradients(pointnet()).options()
