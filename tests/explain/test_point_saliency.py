"""Point saliency against its formula, with gradients by finite differences, in float64."""

import keras
import numpy as np
import pytest

from tests.models.plain_pointnet import randomise
from tfxai3d.errors import UserError
from tfxai3d.explain import Contrast, PointSaliency, get
from tfxai3d.models import PointNet

RNG = np.random.default_rng(5)
CLOUDS = RNG.uniform(-1, 1, (2, 12, 3)) * [1, 2, 0.5] + [0.3, 0, 0]


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        made = PointNet(4, "basic")
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
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
        ({"centre": "middle"}, "centre must be 'median', 'mean' or three numbers, it is 'middle'"),
        ({"centre": (1, 2)}, "three numbers"),
        ({"centre": (1, 2, np.nan)}, "three numbers"),
        ({"centre": ("a", "b", "c")}, "three numbers"),
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
