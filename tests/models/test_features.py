"""Networks of points with features: where these come in, and what they must not touch."""

import keras
import numpy as np
import pytest

from tests.reference.plain_pointnet import randomise
from tfxai3d import explain, models
from tfxai3d.errors import UserError
from tfxai3d.models.layers.features import feature_statistics
from tfxai3d.models.layers.t_net import Transform

RANDOM = np.random.default_rng(0)
NORMALS = RANDOM.normal(size=(4, 40, 3))
NORMALS /= np.linalg.norm(NORMALS, axis=-1, keepdims=True)
INTENSITY = RANDOM.uniform(0, 60_000, (4, 40, 1))
CLOUDS = np.concatenate([RANDOM.uniform(-1, 1, (4, 40, 3)), INTENSITY, NORMALS], axis=-1).astype(np.float32)
FEATURES = ("intensity", "nx", "ny", "nz")
STATISTICS = feature_statistics(CLOUDS)


def test_statistics_leave_normals_alone():
    assert STATISTICS["mean"] == pytest.approx([INTENSITY.mean(), 0, 0, 0], rel=1e-5)
    assert STATISTICS["std"] == pytest.approx([INTENSITY.std(), 1, 1, 1], rel=1e-5)
    assert feature_statistics(CLOUDS[..., :3]) == {}
    constant = np.concatenate([CLOUDS[..., :3], np.ones((4, 40, 1))], axis=-1)
    assert feature_statistics(constant) == {"mean": [1.0], "std": [1.0]}


@pytest.fixture(scope="module", params=["basic", "full", "pointnet2"])
def network(request):
    keras.utils.set_random_seed(0)
    options = {"features": FEATURES, **STATISTICS, "class_names": ("a", "b", "c")}
    if request.param == "pointnet2":
        model = models.PointNet2(3, density=0.05, **options)
    else:
        model = models.PointNet(3, request.param, **options)
    randomise(model, seed=1)
    return model


def test_the_network_is_that_of_standardized_features(network):
    raw = type(network)(**network.get_config() | {"mean": (), "std": ()})
    raw.set_weights(network.get_weights())
    scaled = CLOUDS.copy()
    scaled[..., 3] = (scaled[..., 3] - INTENSITY.mean()) / INTENSITY.std()
    np.testing.assert_allclose(network(CLOUDS), raw(scaled), rtol=1e-4, atol=1e-4)
    assert np.abs(np.asarray(network(CLOUDS)) - np.asarray(raw(CLOUDS))).max() > 1e-2


def test_it_is_kept_as_a_preset_and_a_file(network, tmp_path):
    models.save_preset(network, tmp_path / "preset", {})
    network.save(tmp_path / "network.keras")
    for loaded in (models.from_preset(tmp_path / "preset"), models.load(tmp_path / "network.keras")):
        assert tuple(loaded.features) == FEATURES
        np.testing.assert_allclose(loaded(CLOUDS), network(CLOUDS), rtol=1e-2, atol=1e-2)  # float16 matrices


def test_its_contributions_are_its_scores(network):
    explained = explain.IntegratedGradients(explain.network(network), steps=64)(CLOUDS[:2])
    assert explained.attributions.shape == (2, 40, 7)
    assert (explained.channel_shares[:, 3:].sum(axis=1) > 0).all()
    size = np.abs(explained.attributions).sum(axis=(1, 2))
    assert (np.abs(explained.convergence_delta) < 0.05 * size).all()


def test_the_input_transform_turns_x_y_z_alone():
    layer = Transform()
    offset = RANDOM.normal(size=(4, 9)).astype(np.float32)
    turned = np.asarray(layer(CLOUDS, offset))
    np.testing.assert_array_equal(turned[..., 3:], CLOUDS[..., 3:])
    matrix = offset.reshape(4, 3, 3) + np.eye(3, dtype=np.float32)
    np.testing.assert_allclose(turned[..., :3], CLOUDS[..., :3] @ matrix, rtol=1e-5, atol=1e-5)


def test_statistics_must_fit():
    with pytest.raises(UserError, match=r"mean=\[1.0\]: give one number for each of 2 features"):
        models.PointNet(3, "basic", features=("red", "green"), mean=[1.0])
    with pytest.raises(UserError, match=r"std=\[0.0\]: must be above 0"):
        models.PointNet2(3, features=("red",), mean=[1.0], std=[0.0])
