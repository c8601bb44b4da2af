"""The greedy limit equals a loop that takes away one point after the other by forward passes."""

import keras
import numpy as np
import pytest

from tfxai3d import evaluate, explain, models
from tfxai3d.evaluate import Rated, Subject
from tfxai3d.explain.engine.units import Units
from tfxai3d.results import heads


def by_passes(net, cloud, label, groups):
    """Returns the order in which groups of points go, each the one without which the confidence is lowest."""
    left, order = list(range(groups.max() + 1)), []
    while len(left) > 1:
        without = [cloud[np.isin(groups, [g for g in left if g != gone])] for gone in left]
        scores = evaluate.Forward(net)(without).astype(np.float64)
        said = heads.log_probabilities(scores, net.head)[:, label]
        order.append(left.pop(int(said.argmin())))
    return [*order, *left]


@pytest.fixture(scope="module")
def cloud():
    return np.random.default_rng(1).normal(0, 0.5, (12, 3)).astype("float32")


def trained_like(model):
    """Gives a network weights that make its scores differ."""
    keras.utils.set_random_seed(3)
    for weight in model.trainable_weights:
        weight.assign(keras.random.normal(weight.shape, 0, 0.7))
    return explain.network(model, "points")


def test_points_of_one_max_go_in_the_order_of_a_loop_of_passes(cloud):
    net = trained_like(models.PointNet(4, "basic", dropout=0.0))
    expected = by_passes(net, cloud, 1, np.arange(len(cloud)))
    rate = evaluate.entrants(["greedy"], net, {})["greedy"]
    (found,) = rate(cloud[None], np.array([1]))
    subject = Subject(net, cloud[None], np.array([1]))
    ours, loop = (
        Rated.by(subject, importance[None]).removed(importance[None], np.arange(1, 12) / 12)
        for importance in (found, 12.0 - np.argsort(expected))
    )
    # Points that change nothing may go in any order: what counts is the confidence after each step.
    np.testing.assert_allclose(subject.confidence(ours), subject.confidence(loop), rtol=1e-4, atol=1e-7)
    assert np.unique(found).size == len(cloud)


def test_clusters_of_other_networks_go_in_the_order_of_a_loop_of_passes(cloud, monkeypatch):
    inputs = keras.Input((None, 3))
    mean = keras.ops.mean(keras.layers.Dense(8, "relu")(inputs), axis=1)
    net = trained_like(keras.Model(inputs, keras.layers.Dense(4)(mean)))
    monkeypatch.setattr("tfxai3d.evaluate.league.greedy.CLUSTERS", 5)
    clouds = np.stack([cloud, np.repeat(cloud[:4], 3, axis=0)])  # the second has four places, not five
    found = evaluate.entrants(["greedy"], net, {})["greedy"](clouds, np.array([1, 2]))
    units = Units("clusters", 5, 1, "points")
    for points, label, importance in zip(clouds, (1, 2), found, strict=True):
        groups = units.labels(points).numpy()
        order = by_passes(net, points, label, groups)
        assert [int(importance[groups == g][0] > 0) for g in order] == [1] * (len(order) - 1) + [0]
        assert [*np.argsort([-importance[groups == g][0] for g in order])] == [*range(len(order))]
