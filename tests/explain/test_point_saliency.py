"""Point saliency against its formula, with gradients by finite differences, in float64."""

import numpy as np
import pytest
import tensorflow as tf

from tests.reference import networks
from tests.reference.plain_pointnet import randomise
from tests.reference.precision import precision
from tfxai3d.errors import UserError
from tfxai3d.explain import Contrast, PointSaliency, get
from tfxai3d.models import PointNet
from tfxai3d.models.layers.set_abstraction import Group

RNG = np.random.default_rng(5)
CLOUDS = RNG.uniform(-1, 1, (2, 12, 3)) * [1, 2, 0.5] + [0.3, 0, 0]


@pytest.fixture(scope="module")
def model():
    with precision():
        made = PointNet(4, "basic")
    randomise(made, seed=2)
    return made


def by_formula(model, cloud, label, centre, power):
    """Returns `-(dL/dx_i . (x_i - m)) r_i^power` with dL/dx_i by central differences."""

    def losses(clouds):
        logits = np.asarray(model(clouds, training=False))
        return np.log(np.exp(logits).sum(axis=1)) - logits[:, label]

    middle = {"median": np.median(cloud, axis=0), "mean": np.mean(cloud, axis=0)}.get(str(centre), centre)
    step = 1e-6
    moved = np.stack([cloud + sign * step * unit for unit in np.eye(cloud.size).reshape(-1, *cloud.shape)
                      for sign in (1, -1)])  # fmt: skip
    values = losses(moved)
    gradient = ((values[::2] - values[1::2]) / (2 * step)).reshape(cloud.shape)
    offset = cloud - middle
    return -(gradient * offset).sum(axis=1) * np.linalg.norm(offset, axis=1) ** power


@pytest.mark.parametrize(
    ("centre", "power", "points"),
    [("median", 1, 12), ("median", 6, 11), ("mean", 0, 12), ((0.1, -0.2, 0.3), 1.5, 11)],
)
def test_equals_the_formula(model, centre, power, points):
    clouds, labels = CLOUDS[:, :points], [1, 3]
    explained = PointSaliency(model, centre=centre, power=power)(clouds, labels)
    for cloud, label, importance, attributions in zip(
        clouds, labels, explained.importance, explained.attributions, strict=True
    ):
        expected = by_formula(model, cloud, label, centre, power)
        np.testing.assert_allclose(importance, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
        np.testing.assert_allclose(attributions.sum(axis=1), importance, atol=1e-5 * np.abs(importance).max())


@pytest.mark.parametrize("power", [0, 1.5])
def test_within_the_balls_it_equals_the_formula_one_point_and_ball_at_a_time(power, monkeypatch):
    network, cloud, label, step = networks.pointnet2(), networks.POINTS[2], 3, 1e-6
    centroids = network.get_layer("sa1_centroids")(cloud[None])
    index = network.get_layer("sa1_query")(cloud[None], centroids)
    places = np.asarray(network.get_layer("sa1_group")(cloud[None], centroids, index))[0]
    neighbours = np.asarray(index)[0]

    def losses(many):
        with monkeypatch.context() as patch:
            patch.setattr(Group, "call", lambda self, *inputs: many)
            logits = np.asarray(network(np.repeat(cloud[None], len(many), axis=0), training=False))
        return np.log(np.exp(logits).sum(axis=1)) - logits[:, label]

    expected = np.zeros(len(cloud))
    for ball, slot in np.ndindex(neighbours.shape):
        place = places[ball, slot]
        both = np.repeat(places[None], 2, axis=0)
        both[:, ball, slot] += np.array([[step], [-step]]) * place
        rise = np.subtract(*losses(both)) / (2 * step)
        expected[neighbours[ball, slot]] -= rise * np.linalg.norm(place) ** power
    explained = PointSaliency(network, "ball", power)(cloud[None], [label])
    networks.assert_close(explained.importance[0], expected, 1e-4)
    networks.assert_close(explained.attributions[0].sum(axis=-1), expected, 1e-4)
    networks.assert_close(explained.scores, network(cloud[None]))


def test_within_the_balls_a_cloud_alone_is_as_in_any_batch_compiled_or_not():
    explainer = PointSaliency(networks.pointnet2(), "ball", batch_size=2)
    together = explainer(networks.POINTS, 1)
    for i, cloud in enumerate(networks.POINTS):
        networks.assert_close(together.importance[i], explainer(cloud[None], 1).importance[0], 1e-6)
    eager = explainer.explain_batch(tf.constant(networks.POINTS), tf.fill(len(networks.POINTS), 1))
    networks.assert_close(together.importance, eager.importance, 1e-6)


def test_a_point_at_the_centre_has_no_saliency(model):
    cloud = np.concatenate([CLOUDS[:1], np.zeros((1, 1, 3))], axis=1)
    explained = PointSaliency(model, centre=(0, 0, 0), power=0.5)(cloud)
    assert explained.importance[0, -1] == 0
    assert np.isfinite(explained.importance).all()


def test_targets_that_are_no_class(model):
    explainer = PointSaliency(model)
    pair = explainer(CLOUDS, Contrast(1, 2)).importance
    function = explainer(CLOUDS, lambda logits: logits[:, 1] - logits[:, 2]).importance
    np.testing.assert_allclose(pair, function, rtol=1e-6)
    predicted = np.asarray(model(CLOUDS, training=False)).argmax(axis=1)
    np.testing.assert_array_equal(explainer(CLOUDS).importance, explainer(CLOUDS, predicted).importance)


def test_options_and_name(model):
    assert get("point_saliency") is PointSaliency
    assert PointSaliency(model).options() == {"centre": "median", "power": 1.0}
    assert PointSaliency(model, np.zeros(3), 2).options() == {"centre": [0.0, 0.0, 0.0], "power": 2.0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"centre": "middle"}, "centre must be 'median', 'mean', 'ball' or three numbers, it is 'middle'"),
        ({"centre": (1, 2)}, "three numbers"),
        ({"centre": (1, 2, np.nan)}, "three numbers"),
        ({"centre": ("a", "b", "c")}, "three numbers"),
        ({"centre": "ball"}, "centre 'ball': model 'point_net.*' has no balls"),
        ({"power": float("nan")}, "power must be"),
        ({"power": -1}, "power must be"),
    ],
)
def test_mistakes(model, options, message):
    with pytest.raises(UserError, match=message):
        PointSaliency(model, **options)


def test_voxels_are_refused():
    with pytest.raises(UserError, match="takes voxels"):
        PointSaliency(lambda grids: grids[:, 0, 0, 0], data_kind="voxels")
