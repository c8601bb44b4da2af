"""ResNet3D against a slow NumPy forward, on volumes of all shapes and values."""

import inspect
import os
from pathlib import Path

import numpy as np
import pytest

from tests.reference.plain_pointnet import randomise
from tests.reference.precision import precision
from tfxai3d.data import open_dataset
from tfxai3d.errors import UserError
from tfxai3d.evaluate import classify
from tfxai3d.models import ResNet3D, from_preset, model_card

WIDTH = 0.125  # 4 channels first


def convolved(x, kernel, strides):
    """A convolution of a volume (D,H,W,C), as wide as `kernel`, padded as Keras says "same" pads."""
    size = kernel.shape[0]
    out = [-(-side // strides) for side in x.shape[:3]]
    lack = [max(0, (n - 1) * strides + size - side) for n, side in zip(out, x.shape[:3], strict=True)]
    x = np.pad(x, [(n // 2, n - n // 2) for n in lack] + [(0, 0)])
    y = np.empty((*out, kernel.shape[-1]))
    for place in np.ndindex(*out):
        window = x[tuple(slice(p * strides, p * strides + size) for p in place)]
        y[place] = np.tensordot(window, kernel, axes=4)
    return y


class Plain:
    """The network written down in NumPy."""

    def __init__(self, model):
        self.values = {"/".join(v.path.split("/")[-2:]): np.asarray(v) for v in model.weights}
        self.model = model

    def conv(self, x, name, strides=1):
        y = convolved(x, self.values[f"{name}/kernel"], strides)
        gamma, beta, mean, variance = (
            self.values[f"{name}_norm/{part}"] for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return (y - mean) / np.sqrt(variance + 1e-3) * gamma + beta

    def __call__(self, volume):
        x = (volume - np.array(self.model.mean)) / np.array(self.model.std)
        x = np.maximum(self.conv(x, "stem", 2), 0)
        for name, strides in (("block_0", 1), ("block_1", 2), ("block_2", 1)):
            y = self.conv(np.maximum(self.conv(x, f"{name}_a", strides), 0), f"{name}_b")
            if f"{name}_shortcut/kernel" in self.values:
                x = self.conv(x, f"{name}_shortcut", strides)
            x = np.maximum(x + y, 0)
        return x.mean(axis=(0, 1, 2)) @ self.values["logits/kernel"] + self.values["logits/bias"]


def build(**options):
    with precision():
        model = ResNet3D(3, width=WIDTH, **options)
    randomise(model)
    return model


@pytest.mark.parametrize("shape", [(8, 8, 8, 1), (5, 6, 7, 1), (4, 9, 5, 2)])
def test_forward_equals_numpy(shape):
    """Also of grids that are no cubes, whose sides 4 does not divide."""
    channels = shape[-1]
    options = {"mean": [-200.0, 3.0][:channels], "std": [400.0, 0.5][:channels]}
    model = build(channels=channels, **options)
    scale = np.array(options["std"])
    volumes = np.random.default_rng(1).normal(size=(2, *shape)) * scale + np.array(options["mean"])
    expected = np.stack([Plain(model)(volume) for volume in volumes])
    np.testing.assert_allclose(model(volumes), expected, rtol=1e-6)


def test_the_preset_has_between_a_third_of_a_million_and_a_million_weights():
    assert 300_000 < ResNet3D(2, width=0.75).count_params() < ResNet3D(2).count_params() < 1_000_000


def test_one_network_fits_all_sizes():
    anywhere = build()
    for size in (4, 9):
        fixed = build(size=size)
        fixed.set_weights(anywhere.get_weights())
        volumes = np.random.default_rng(2).random((2, size, size, size, 1))
        np.testing.assert_allclose(fixed(volumes), anywhere(volumes))
        quarter = -(-size // 4)
        assert fixed.get_layer("voxel_features").output.shape == (None, quarter, quarter, quarter, 16)


def test_units_of_the_values_do_not_matter():
    """Volumes in other units, with the scaling that training would find for each, have the same answers."""
    volumes = np.random.default_rng(3).normal(size=(6, 8, 8, 8, 2))
    moved = volumes * np.array([1000.0, 0.01]) + np.array([-500.0, 7])
    answers = [build(**ResNet3D.data_options(some))(some) for some in (volumes, moved)]
    np.testing.assert_allclose(answers[0], answers[1], rtol=1e-5)


def test_the_scaling_is_that_of_the_volumes():
    volumes = np.zeros((3, 4, 4, 4, 2), np.float32)
    volumes[..., 0] = np.random.default_rng(4).normal(40, 300, (3, 4, 4, 4))
    options = ResNet3D.data_options(volumes)
    assert options["channels"] == 2
    assert options["mean"] == pytest.approx([volumes[..., 0].mean(dtype=float), 0])
    assert options["std"] == pytest.approx([volumes[..., 0].std(dtype=float), 1])  # of a constant channel
    assert set(options) <= set(inspect.signature(ResNet3D).parameters)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 3}, "size 3: must be at least 4"),
        ({"channels": 0}, "channels=0: must be at least 1"),
        ({"width": 0.3}, "width=0.3: must be a positive multiple of 1/32"),
        ({"width": 0.0}, "width=0.0: must be a positive multiple of 1/32"),
        ({"mean": [1.0, 2.0]}, r"mean=\[1.0, 2.0\]: give one number, or one for each of 1 channels"),
        ({"std": float("nan")}, "std=nan: give one number"),
        ({"std": 0.0}, "std=0.0: must be above 0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(UserError, match=message):
        ResNet3D(2, **options)


@pytest.mark.data
def test_the_shipped_preset_has_the_auc_that_its_card_says():
    path = Path(os.environ.get("TFXAI3D_DATA", "")) / "volumes" / "adrenalmnist3d.npz"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    test = open_dataset(path, "voxels")
    answers = classify(from_preset("resnet3d_adrenal"), test.inputs.astype("float32"), test.labels)
    card = model_card("resnet3d_adrenal")
    assert answers.auc == pytest.approx(card["test"]["auc"], abs=2e-3)
    assert answers.auc > 0.84
    embedded = open_dataset("adrenalmnist3d_examples", "voxels")
    numbers = [0, 1, 2, 3, 5, 22, 23, 25]
    np.testing.assert_array_equal(embedded.inputs, test.inputs[numbers])
    np.testing.assert_array_equal(embedded.labels, test.labels[numbers])
