"""DeepLIFT against captum, and its sum against the difference of the scores."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.reference import networks
from tests.reference.networks import POINTS, VOXELS, assert_close, precision
from tfxai3d import explain
from tfxai3d.errors import UserError


def test_agrees_with_captum():
    """Numbers of captum 0.9.0: ReLU, sigmoid, MaxPool1d over the points and ELU, with the same weights."""
    rng = np.random.default_rng(0)
    shapes = [(3, 6), (6, 8), (8, 5), (5, 3)]
    kernels, biases = (
        [rng.normal(size=shape) for shape in shapes],
        [rng.normal(size=s[1]) / 2 for s in shapes],
    )
    with precision():
        points = keras.Input((None, 3))
        x = keras.layers.Dense(8, "sigmoid")(keras.layers.Dense(6, "relu")(points))
        x = keras.layers.Dense(5, "elu")(keras.layers.GlobalMaxPooling1D()(x))
        model = keras.Model(points, keras.layers.Dense(3)(x))
    model.set_weights([weight for pair in zip(kernels, biases, strict=True) for weight in pair])
    cloud, baseline = rng.normal(size=(1, 9, 3)), rng.normal(size=(1, 9, 3)) / 3
    found = explain.DeepLIFT(model, baseline=baseline[0], data_kind="points")(cloud, 1)
    expected = np.zeros((9, 3))
    expected[1] = [-1e-6, 2e-6, -7e-6]
    expected[5], expected[6] = [-0.01244, 0.100443, -0.001214], [0.024983, 0.02167, 0.064557]
    np.testing.assert_allclose(found.attributions[0], expected, atol=6e-7)
    assert abs(found.convergence_delta[0]) < 1e-12
    other = explain.DeepLIFT(model, baseline=baseline[0] + 0.1, data_kind="points")(cloud, 1)
    both = np.stack([baseline[0], baseline[0] + 0.1])
    mean = explain.DeepLIFT(model, baseline=both, data_kind="points")(cloud, 1)
    assert_close(mean.attributions, (found.attributions + other.attributions) / 2)


@pytest.mark.parametrize(
    ("build", "inputs"),
    [
        (lambda: networks.pointnet("full"), POINTS),  # T-Nets: products of two that vary
        (networks.pointnet2, POINTS),
        (networks.vrn, VOXELS),
    ],
    ids=["pointnet", "pointnet2", "vrn"],
)
def test_sums_to_the_difference_of_the_scores(build, inputs):
    model = build()
    found = explain.DeepLIFT(model)(inputs[:2], [1, 2])
    start = np.asarray(model(np.zeros_like(inputs[:1])))[0, [1, 2]]
    gain = found.scores[[0, 1], [1, 2]] - start
    assert_close(found.attributions.sum(axis=tuple(range(1, inputs.ndim)), dtype=float), gain)
    assert np.abs(found.convergence_delta).max() < 1e-10


def test_where_all_is_linear_it_is_gradient_times_difference():
    with precision():
        voxels = keras.Input((4, 4, 4, 1))
        x = keras.layers.Conv3D(3, 2)(voxels)
        x = keras.layers.GlobalAveragePooling3D()(keras.layers.BatchNormalization()(x))
        model = keras.Model(voxels, keras.layers.Dense(2)(x))
    grids = np.random.default_rng(0).normal(size=(2, 4, 4, 4, 1))
    found, product = (
        method(model, data_kind="voxels")(grids, 1)
        for method in (explain.DeepLIFT, explain.GradientTimesInput)
    )
    assert_close(found.attributions, product.attributions)


class Cumulative(keras.layers.Layer):
    def call(self, x):
        return tf.cumsum(x, axis=1)


class Limited(keras.layers.Layer):
    def call(self, x):
        return x / tf.reduce_sum(tf.square(x), axis=1, keepdims=True)


@pytest.mark.parametrize(("layer", "operation"), [(Cumulative, "Cumsum"), (Limited, "RealDiv")])
def test_an_operation_without_a_rule_is_named(layer, operation):
    points = keras.Input((None, 3))
    model = keras.Model(points, keras.layers.GlobalAveragePooling1D()(layer(name="own")(points)), name="odd")
    with pytest.raises(UserError, match=f"no rule for .*{operation}, 'odd.*own.*' of model 'odd'") as caught:
        explain.DeepLIFT(model, data_kind="points")
    assert "\n" not in str(caught.value)
