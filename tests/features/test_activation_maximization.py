import numpy as np
import pytest
import tensorflow as tf

from tests.reference.networks import SIZE, function, pointnet, pointnet2, vrn
from tfxai3d.errors import UserError
from tfxai3d.features import ActivationMaximization
from tfxai3d.features.domains import VoxelDomain

GRID = (4, 4, 4, 1)
WEIGHTS = np.random.default_rng(0).choice([-1.0, 1.0], GRID).astype(np.float32)


def linear(voxels):
    """Two opposite sums over voxels, and one that nothing changes."""
    total = tf.reduce_sum(voxels * WEIGHTS, axis=(1, 2, 3, 4))
    return tf.stack([total, -total, 0 * total], axis=1)


def directions(points):
    """How far the points reach in two directions, and in none."""
    total = tf.reduce_sum(points @ tf.constant([[1.0, 0], [2, 0], [2, -3]]), axis=1)
    return tf.concat([total, 0 * total[:, :1]], axis=1)


def test_the_best_occupancy_of_a_linear_function(monkeypatch):
    monkeypatch.setattr(VoxelDomain, "shift", 0)
    monkeypatch.setattr(VoxelDomain, "smoothness", 0.0)
    found = ActivationMaximization(linear, shape=GRID, data_kind="voxels", batch_size=2)([0, 1, 2])
    for unit, sign in enumerate((1, -1)):
        np.testing.assert_array_equal(found.inputs[unit], sign * WEIGHTS > 0)
        assert found.activations[unit] == (sign * WEIGHTS > 0).sum()
    assert not found.inputs[2].any()  # sparsity empties what excites nothing
    np.testing.assert_array_equal(found.importance, found.inputs[..., 0])
    assert found.names == ("class 0", "class 1", "class 2")


def test_the_best_points_lie_on_the_sphere():
    found = ActivationMaximization(directions, shape=(30, 3), data_kind="points", steps=150)([0, 1, 2])
    np.testing.assert_allclose(found.inputs[0], np.tile([1 / 3, 2 / 3, 2 / 3], (30, 1)), atol=0.02)
    np.testing.assert_allclose(found.inputs[1], np.tile([0, 0, -1], (30, 1)), atol=0.02)
    assert found.activations[0] == pytest.approx(90, rel=1e-2)
    np.testing.assert_allclose(found.importance[:2], [[3] * 30] * 2, rtol=1e-5)  # |gradient|
    # Without influence the points sink: by (1 - rate * pull) a step, once the momentum is up.
    start = ActivationMaximization(directions, shape=(30, 3), data_kind="points", steps=1)([2]).inputs
    sunk = np.linalg.norm(found.inputs[2], axis=-1) / np.linalg.norm(start[0], axis=-1)
    np.testing.assert_allclose(sunk, (1 - 0.02 * 0.1) ** 140, rtol=0.03)


@pytest.mark.parametrize(
    ("make", "layer", "shape"),
    [
        (pointnet, None, (24, 3)),
        (pointnet2, None, (24, 3)),
        (vrn, "conv0", None),
    ],
)
def test_networks_are_excited_more_than_by_noise(make, layer, shape):
    model = make()
    before = [np.array(weight.value) for weight in model.weights]
    search = ActivationMaximization(model, layer, steps=12, shape=shape, batch_size=2)
    found = search([3, 1, 0])
    # On the mean: PointNet++'s neighbours change by jumps, so a single unit of few points may lose.
    assert found.activations.mean() > np.mean(found.options["start"])
    assert np.isfinite(found.importance).all()
    if shape:
        assert found.inputs.shape == (3, 24, 3)
        assert np.linalg.norm(found.inputs, axis=-1).max() <= 1 + 1e-6
    else:
        assert found.inputs.shape == (3, SIZE, SIZE, SIZE, 1)
        assert 0 <= found.inputs.min() < found.inputs.max() <= 1
    for weight, old in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)
    # What is found for a unit depends on no other unit.
    np.testing.assert_allclose(search([0]).inputs[0], found.inputs[2], atol=1e-5)


def test_the_seed_decides():
    runs = [
        ActivationMaximization(directions, shape=(9, 3), data_kind="points", steps=3, seed=seed)([0]).inputs
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert np.abs(runs[0] - runs[2]).max() > 0.1


def test_smoothness_is_the_gradient_of_squared_differences():
    grid = tf.constant(np.random.default_rng(1).random((2, 3, 4, 5, 1)))
    with tf.GradientTape() as tape:
        tape.watch(grid)
        padded = tf.pad(grid, ((0, 0), (1, 1), (1, 1), (1, 1), (0, 0)))
        rough = sum(
            tf.reduce_sum((padded - tf.roll(padded, 1, axis)) ** 2, axis=(1, 2, 3, 4)) for axis in (1, 2, 3)
        )
        penalty = VoxelDomain.sparsity * tf.reduce_sum(grid) + VoxelDomain.smoothness / 2 * tf.reduce_sum(
            rough
        )
    np.testing.assert_allclose(VoxelDomain().penalty_gradient(grid), tape.gradient(penalty, grid), rtol=1e-9)


def test_mistakes_are_named():
    with pytest.raises(UserError, match=r"shape must be that of one of voxels \(B,D,H,W,C\)"):
        ActivationMaximization(function, data_kind="voxels")
    with pytest.raises(UserError, match=r"shape must be .* it is \(4, 4, 4, 1\)"):
        ActivationMaximization(vrn(), shape=GRID)
    with pytest.raises(UserError, match="steps must be at least 1"):
        ActivationMaximization(linear, steps=0, shape=GRID, data_kind="voxels")
    search = ActivationMaximization(linear, steps=1, shape=GRID, data_kind="voxels")
    with pytest.raises(UserError, match="its units are 0 to 2"):
        search([3])
    blind = ActivationMaximization(lambda x: tf.zeros((tf.shape(x)[0], 2)), shape=GRID, data_kind="voxels")
    with pytest.raises(UserError, match="no gradient reaches"):
        blind([0])
    broken = ActivationMaximization(lambda x: directions(x) / 0.0, steps=1, data_kind="points")
    with pytest.raises(UserError, match="not finite"):
        broken([0])
