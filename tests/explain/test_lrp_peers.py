"""LRP and DeepLIFT against zennit and captum on the same weights (tests/files/zennit_lrp.npz)."""

from pathlib import Path

import keras
import numpy as np
import pytest

from tests.reference.lrp_weights import POINTS_SHAPES, VOXELS_SHAPES, draw
from tests.reference.networks import assert_close
from tests.reference.precision import precision
from tfxai3d import explain

L = keras.layers
THEIRS = np.load(Path(__file__).parents[1] / "files" / "zennit_lrp.npz")
COMPOSITES = {
    "epsilon_large": explain.Composite(explain.EpsilonRule(0.25), explain.EpsilonRule(0.25)),
    "bounds": "epsilon_plus",
}


def filled(model, shapes):
    model.set_weights([weight for drawn in draw(shapes) for weight in drawn])
    return model


def voxels(pool=L.MaxPooling3D):
    with precision("float32"):  # there is no max pool of float64
        grid = keras.Input((8, 8, 8, 1))
        x = L.ReLU()(L.BatchNormalization(epsilon=1e-9)(L.Conv3D(4, 3, padding="same")(grid)))
        x = pool(2)(x)
        x = L.ReLU()(L.Add()([x, L.Conv3D(4, 1)(x)]))
        x = L.Flatten()(L.AveragePooling3D(3)(L.Conv3D(5, 2, activation="relu")(x)))
        x = L.ReLU()(L.BatchNormalization(epsilon=1e-9)(L.Dense(6)(x)))
        return filled(keras.Model(grid, L.Dense(3)(x)), VOXELS_SHAPES)


def points(norm=True):
    with precision():
        cloud = keras.Input((None, 3))
        x = L.Dense(6)(cloud)
        x = L.ReLU()(L.BatchNormalization(epsilon=1e-9)(x) if norm else x)
        x = L.Dense(5, "relu")(L.GlobalMaxPooling1D()(L.Dense(8, "relu")(x)))
        model = keras.Model(cloud, L.Dense(3)(x))
        return filled(model, [shape for shape in POINTS_SHAPES if norm or shape])


@pytest.mark.parametrize("name", ["epsilon", "epsilon_large", "epsilon_plus", "epsilon_gamma",
                                  "epsilon_alpha_beta", "deep_taylor", "bounds"])  # fmt: skip
@pytest.mark.parametrize(("kind", "build"), [("voxels", voxels), ("points", points)])
def test_equals_zennit(kind, build, name):
    inputs = np.moveaxis(THEIRS[f"{kind}/inputs"], 1, -1)
    bounds = (-1.0, 1.0) if name == "bounds" else None
    ours = explain.LRP(build(), COMPOSITES.get(name, name), bounds, data_kind=kind)(inputs, 2)
    assert_close(ours.scores, THEIRS[f"{kind}/scores"])
    assert np.abs(ours.attributions).max() > 1e-4
    assert_close(ours.attributions, np.moveaxis(THEIRS[f"{kind}/{name}"], 1, -1), 1e-4)


def test_deep_lift_equals_captum():
    inputs = np.moveaxis(THEIRS["voxels/inputs"], 1, -1)
    model = voxels(L.AveragePooling3D)
    ours = explain.DeepLIFT(model, baseline=inputs[1] / 2, data_kind="voxels")(inputs[:1], 2)
    assert_close(ours.attributions, np.moveaxis(THEIRS["voxels/deep_lift"], 1, -1), 1e-4)


@pytest.mark.parametrize(("name", "epsilon"), [("epsilon", 1e-9), ("large", 0.25)])
def test_equals_captum(name, epsilon):
    rule = explain.EpsilonRule(epsilon)
    inputs = np.moveaxis(THEIRS["points/inputs"], 1, -1)
    ours = explain.LRP(points(norm=False), explain.Composite(rule, rule), data_kind="points")(inputs, 2)
    assert_close(ours.attributions, np.moveaxis(THEIRS[f"captum/{name}"], 1, -1), 1e-4)
