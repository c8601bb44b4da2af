"""Which variables count as kernels, how many are left, thresholds for a share, one-shot pruning."""

import itertools

import keras
import numpy as np
import pytest

from tfxai3d.errors import UserError
from tfxai3d.models import VRN, PointNet
from tfxai3d.pruning import (
    DynamicNetworkSurgery,
    kernel_sparsity,
    prune_magnitude,
    select_kernels,
    thresholds,
)

RNG = np.random.default_rng(0)


@keras.saving.register_keras_serializable(package="test")
class Scale(keras.layers.Layer):
    def build(self, shape):
        self.matrix = self.add_weight(shape=(shape[-1], 4), name="matrix")
        self.vector = self.add_weight(shape=(4,), name="vector")

    def call(self, x):
        return x @ self.matrix + self.vector


@pytest.fixture(scope="module")
def model():
    """One of each: convolutions of all ranks, depthwise, a custom layer, nested models, a frozen layer."""
    features = keras.Input((7,))
    inner = keras.Model(features, keras.layers.Dense(6, name="dense")(features))
    features = keras.Input((6,))
    outer = keras.Model(features, Scale(name="own")(keras.layers.Dense(5, name="dense")(features)))
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((4, 4, 4, 1)),
            layers.Conv3D(2, 3, name="conv3"),
            layers.Reshape((2, 2, 4)),
            layers.Conv2D(3, 1, name="conv2"),
            layers.DepthwiseConv2D(2, name="depthwise"),
            layers.BatchNormalization(),
            layers.Reshape((1, 3)),
            layers.Conv1D(7, 1, name="conv1"),
            layers.Flatten(),
            inner,
            outer,
            layers.Dense(3, trainable=False, name="frozen"),
        ],
        name="whole",
    )


SIZES = {
    "conv3/kernel": 54, "conv2/kernel": 12, "depthwise/kernel": 12, "conv1/kernel": 21, "dense/kernel": 42,
    "dense/kernel_2": 30, "own/matrix": 20,
}  # fmt: skip


def test_kernels_of_all_kinds_of_layers(model):
    layers = kernel_sparsity(model)["layers"]
    assert {path: layer["total"] for path, layer in layers.items()} == SIZES
    assert "conv1/bias" in select_kernels(model, biases=True)
    assert "own/vector" not in select_kernels(model, biases=True)


def test_choosing_by_name_and_predicate(model):
    assert set(select_kernels(model, include=["conv?", "own"])) == {
        "conv3/kernel", "conv2/kernel", "conv1/kernel", "own/matrix"
    }  # fmt: skip
    assert set(select_kernels(model, exclude=["dense", "conv*/kernel"])) == {"depthwise/kernel", "own/matrix"}
    assert set(select_kernels(model, include=lambda v: len(v.shape) == 4)) == {
        "conv2/kernel",
        "depthwise/kernel",
    }
    assert "own/matrix" not in select_kernels(model, exclude=lambda v: v.name == "matrix")
    with pytest.raises(UserError, match=r"give a list of names, such as \['conv3'\]"):
        select_kernels(model, include="conv3")


def test_kernels_of_pointnet():
    """Weights of the basic network's layers, the published widths."""
    widths = [3, 64, 64, 64, 128, 1024, 512, 256, 7]
    expected = [a * b for a, b in itertools.pairwise(widths)]
    report = kernel_sparsity(PointNet(7, "basic"))
    assert [layer["total"] for layer in report["layers"].values()] == expected
    assert report["total"] == report["left"] == sum(expected)


def test_surgery_reaches_the_branches_of_vrn():
    """The same numbers of kernels and weights as the published network of a quarter of an eighth's width."""
    model = VRN(3, width=0.125, size=16)
    report = kernel_sparsity(model)
    kernels = [v for v in model.trainable_variables if len(v.shape) == 5]
    assert report["total"] == sum(int(np.prod(v.shape)) for v in kernels)
    assert len(report["layers"]) == len(kernels) == 1 + 12 * 5 + 4 * 4 + 1
    assert "head/kernel" in select_kernels(model, include=["head"])
    optimizer = keras.optimizers.SGD(0.0)
    surgery = DynamicNetworkSurgery(target=0.05)
    with surgery.attached(model, optimizer):
        optimizer.apply(
            [keras.ops.zeros(v.shape) for v in model.trainable_variables], model.trainable_variables
        )
    after = kernel_sparsity(model)
    assert 0.0495 * report["total"] < after["left"] <= 0.05 * report["total"]
    assert np.count_nonzero(model.get_layer("head").kernel) == 64 * 64


@pytest.mark.slow
def test_the_published_number_of_weights():
    assert kernel_sparsity(VRN(10))["total"] == 13_829_792


# --- thresholds


@pytest.mark.parametrize("share", [1.0, 0.5, 0.05, 0.01])
def test_a_solved_threshold_leaves_the_share(float64, share):
    sizes = ((50, 40), (30, 20), (400,))
    weights = [
        np.abs(RNG.normal(scale=scale, size=size)) for scale, size in zip((1, 0.1, 5), sizes, strict=True)
    ]
    masks = [RNG.random(size) < 0.5 for size in sizes]
    for per_layer in (True, False):
        t = np.asarray(thresholds.solve(weights, masks, share, per_layer))
        new = [np.asarray(thresholds.update_mask(*a)) for a in zip(weights, masks, t, strict=True)]
        left = [m.sum() for m in new]
        if per_layer:
            assert left == [int(share * m.size) for m in new]
        else:
            assert sum(left) == int(share * 3000)
            assert len(set(t.tolist())) == 1
        for w, mask, m, x in zip(weights, masks, new, t, strict=True):
            np.testing.assert_array_equal(m, (w >= 1.1 * x) | (mask & (w >= 0.9 * x)))


def test_layers_that_start_at_zero(float64):
    """Cut first where the target is for all layers together; left alone where it is for each."""
    weights = [np.zeros((10, 10)), np.abs(RNG.normal(size=(30, 30)))]
    masks = [np.ones(w.shape, bool) for w in weights]
    for per_layer, expected in ((False, [0, 500]), (True, [100, 450])):
        t = thresholds.solve(weights, masks, 0.5, per_layer)
        new = [np.asarray(thresholds.update_mask(*a)) for a in zip(weights, masks, t, strict=True)]
        assert [m.sum() for m in new] == expected


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_one_shot_pruning_keeps_the_largest_weights(float64, scope):
    model = keras.Sequential(
        [keras.Input((20,)), keras.layers.Dense(30, name="a"), keras.layers.Dense(10, name="b")]
    )
    before = {v.path: np.asarray(v) for v in model.weights}
    prune_magnitude(model, 0.1, scope)
    report = kernel_sparsity(model)
    assert report["left"] == 90
    cut, left = [], []
    for v in model.weights:
        after, start = np.asarray(v), before[v.path]
        kept = after != 0
        np.testing.assert_array_equal(after[kept], start[kept])
        if v.name == "kernel":
            cut.append(np.abs(start[~kept]).max())
            left.append(np.abs(start[kept]).min())
    assert all(a < b for a, b in zip(cut, left, strict=True))
    if scope == "global":
        assert max(cut) < min(left)
    if scope == "layer":
        assert [layer["left"] for layer in report["layers"].values()] == [60, 30]
    with pytest.raises(UserError, match="target 0"):
        prune_magnitude(model, 0)
    model.layers[0].kernel.assign(np.full((20, 30), np.nan))
    with pytest.raises(UserError, match="a/kernel holds 600 weights that are NaN"):
        prune_magnitude(model, 0.1)
