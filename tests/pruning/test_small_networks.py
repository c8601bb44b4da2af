"""PointNet, PointNet++ and VRN without half of their channels: the same answers and the same explanations."""

import functools

import keras
import numpy as np
import pytest

from tests.pruning.test_dead_channels import spoil
from tfxai3d import explain, models
from tfxai3d.pruning import prune_magnitude, remove_dead_channels

NETWORKS = {
    "pointnet": (lambda: models.PointNet(5), (2, 40, 3)),
    "pointnet2": (lambda: models.PointNet2(5, density=0.05), (2, 40, 3)),
    "vrn": (lambda: models.VRN(4, 0.125, size=16), (2, 16, 16, 16, 1)),
}


@functools.cache
def half(name):
    """Returns a network of random weights with half its channels cut, the small one, and inputs."""
    make, shape = NETWORKS[name]
    keras.utils.set_random_seed(0)
    model = make()
    trained = keras.models.clone_model(model)
    spoil(trained, 0, dead=0)
    for variable, random in zip(model.weights, trained.weights, strict=True):
        if len(variable.shape) < 2 and "seed" not in variable.path:  # of BatchNorms; kernels keep their scale
            variable.assign(random)
    for layer in model.layers:  # matrices that are not the identity
        if layer.name.endswith("_offset"):
            layer.kernel.assign(0.01 * np.random.default_rng(1).normal(size=layer.kernel.shape))
    prune_magnitude(model, 0.5, "layer", structure="channel")
    inputs = np.random.default_rng(0).uniform(-1, 1, shape).astype("float32")
    return model, remove_dead_channels(model), np.round(inputs > 0) if len(shape) == 5 else inputs


@pytest.mark.parametrize("name", NETWORKS)
def test_half_of_the_channels_are_gone_and_nothing_else(name, tmp_path):
    model, small, inputs = half(name)
    expected = model(inputs).numpy()
    scale = np.abs(expected).max()
    assert np.ptp(expected, axis=1).min() > 0.05 * scale
    np.testing.assert_allclose(small(inputs), expected, rtol=0, atol=1e-5 * scale)
    assert type(small) is type(model)
    assert small.count_params() < 0.36 * model.count_params()
    models.save_preset(small, tmp_path, {})
    loaded = models.from_preset(tmp_path)
    assert loaded.widths == small.widths
    np.testing.assert_allclose(loaded(inputs), expected, rtol=0, atol=1e-2 * scale)  # of float16


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("pointnet", "integrated_gradients"),
        ("pointnet2", "vanilla_gradient"),
        ("vrn", "gradient_times_input"),
    ],
)
def test_a_small_network_explains_like_the_one_it_was_made_of(name, method):
    options = {"steps": 4} if method == "integrated_gradients" else {}
    *networks, inputs = half(name)
    whole, small = (explain.get(method)(network, **options)(inputs, 1) for network in networks)
    largest = np.abs(whole.importance).max()
    assert np.ptp(whole.importance) > 0.1 * largest
    np.testing.assert_allclose(small.importance, whole.importance, rtol=0, atol=1e-4 * largest)
    np.testing.assert_allclose(small.scores, whole.scores, rtol=0, atol=1e-5 * np.abs(whole.scores).max())
