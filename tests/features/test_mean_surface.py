import numpy as np
import pytest
import tensorflow as tf

from tests.reference.networks import VOXELS, assert_close, function, pointnet, vrn
from tfxai3d.errors import UserError
from tfxai3d.features import Units, mean_activating_surface

GRIDS = (np.random.default_rng(3).random((9, 6, 5, 4, 1)) < 0.6).astype(np.float32)


def masses(grids):
    """The number of occupied voxels on either side of the middle, and a unit that nothing excites."""
    left, right = (tf.reduce_sum(half, axis=(1, 2, 3, 4)) for half in (grids[:, :3], grids[:, 3:]))
    return tf.stack([left, right, -left - 1], axis=1)


def surface(grid):
    """Occupied voxels with an empty neighbour, one by one."""
    padded, found = np.pad(grid, 1), np.zeros(grid.shape)
    for place in np.argwhere(grid):
        steps = [step * np.eye(3, dtype=int)[axis] for axis in range(3) for step in (-1, 1)]
        found[tuple(place)] = not all(padded[tuple(place + 1 + step)] for step in steps)
    return found


def reference(grids, activations, top):
    order = np.argsort(-activations, kind="stable")[:top]
    weights = np.maximum(activations[order], 0)
    total = sum(w * surface(grids[i, ..., 0]) for w, i in zip(weights, order, strict=True))
    return total / (weights.sum() or 1), order


@pytest.mark.parametrize("batch_size", [1, 4, 9])
def test_against_single_voxels_whatever_the_batches(batch_size):
    batches = [GRIDS[i : i + batch_size] for i in range(0, 9, batch_size)]
    found = mean_activating_surface(masses, batches, [1, 0, 2], top=3)
    activations = masses(GRIDS).numpy()
    for row, unit in enumerate([1, 0]):
        expected, order = reference(GRIDS, activations[:, unit], 3)
        np.testing.assert_allclose(found.importance[row], expected, rtol=1e-6)
        assert found.options["examples"][row] == order.tolist()
        assert found.activations[row] == activations[:, unit].max()
    assert not found.importance[2].any()
    assert found.options["counted"] == [3, 3, 0]
    assert found.options["grids"] == 9
    np.testing.assert_array_equal(found.inputs[..., 0], found.importance)


def test_channels_of_a_network():
    model = vrn()
    activations = Units(model, "conv0", "max")(tf.constant(VOXELS)).numpy()
    labels = np.zeros(5)
    data = tf.data.Dataset.from_tensor_slices((VOXELS, labels)).batch(2)
    found = mean_activating_surface(model, data, [2], layer="conv0", top=2)
    assert_close(found.importance[0], reference(VOXELS, activations[:, 2], 2)[0])
    assert found.names == ("conv0 2",)


def test_empty_grids_are_passed_over():
    grids = np.concatenate([np.zeros_like(GRIDS[:2]), GRIDS])
    found = mean_activating_surface(masses, [grids[:2], grids[2:]], [0], top=2)
    plain = mean_activating_surface(masses, [GRIDS], [0], top=2)
    np.testing.assert_allclose(found.importance, plain.importance)
    assert [number - 2 for number in found.options["examples"][0]] == plain.options["examples"][0]


def test_mistakes_are_named():
    with pytest.raises(UserError, match="no grid to average"):
        mean_activating_surface(masses, [], [0])
    with pytest.raises(UserError, match="no grid to average"):
        mean_activating_surface(masses, [np.zeros_like(GRIDS)], [0])
    with pytest.raises(UserError, match="top must be at least 1"):
        mean_activating_surface(masses, [GRIDS], [0], top=0)
    with pytest.raises(UserError, match="its units are 0 to 2"):
        mean_activating_surface(masses, [GRIDS], [3])
    with pytest.raises(UserError, match=r"grids must be voxels .* they are \(9, 6, 5\)"):
        mean_activating_surface(masses, [GRIDS[..., 0, 0]], [0])
    with pytest.raises(UserError, match="not finite"):
        mean_activating_surface(lambda x: function(x) / 0.0, [VOXELS.astype(np.float32)], [0])
    with pytest.raises(UserError, match="takes points"):
        mean_activating_surface(pointnet(), [GRIDS], [0], data_kind=None)
