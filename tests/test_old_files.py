"""Files that were written before the rooms were rebuilt load with the values that went into them.

All numbers were made by `ramp`, so that what comes back is compared with the formula and not with itself.
"""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from tfxai3d import explain, models, pruning
from tfxai3d.errors import UserError
from tfxai3d.results import DropTable, Explanation, Visualization

FILES = Path(__file__).parent / "files"
NAMES = ("cup", "lamp", "Stühle")


def ramp(shape, step=1.0):
    return (np.arange(np.prod(shape)).reshape(shape) % 61 - 30).astype("float32") * np.float32(step / 64)


def kernels(shape, every):
    value = ramp(shape)
    return np.where(np.arange(value.size).reshape(shape) % every, 0, value) if len(shape) > 1 else value


def same(found, expected):
    expected = np.asarray(expected)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


def dense():
    return keras.Sequential([keras.Input((30,)), keras.layers.Dense(20), keras.layers.Dense(4)])


def test_an_explanation_of_points():
    found = Explanation.load(FILES / "points.npz")
    same(found.inputs, ramp((2, 12, 3)))
    same(found.attributions, ramp((2, 12, 3), 2))
    same(found.importance, ramp((2, 12)))
    same(found.target, [1, 0])
    same(found.scores, ramp((2, 3)))
    same(found.convergence_delta, ramp((2,)))
    assert found.options == {"steps": 20, "baseline": "centre", "hold_neighbors": True}
    assert (found.method, found.kind, found.class_names) == ("integrated_gradients", "points", NAMES)
    assert found.against is None


def test_an_explanation_of_voxels():
    found = Explanation.load(FILES / "voxels.npz")
    same(found.inputs, (np.arange(128).reshape(2, 4, 4, 4, 1) % 3 == 0).astype("float32"))
    same(found.attributions, ramp((2, 4, 4, 4, 1)))
    same(found.importance, ramp((2, 4, 4, 4), 3))
    same(found.target, [1, 0])
    same(found.scores, ramp((2, 3)))
    same(found.against, [2, 2])
    assert (found.method, found.kind, found.class_names) == ("grad_cam", "voxels", NAMES)
    assert found.options == {"layer": "conv"}
    assert found.convergence_delta is None


def test_a_visualization():
    found = Visualization.load(FILES / "visualization.npz")
    same(found.inputs, ramp((2, 12, 3)))
    same(found.importance, ramp((2, 12)))
    same(found.activations, ramp((2,)))
    same(found.channels, [5, 7])
    assert (found.names, found.kind) == (("conv 5", "conv 7"), "points")
    assert (found.method, found.options) == ("activation_maximization", {"steps": 3})


def test_a_drop_table_with_its_settings_inside():
    found = DropTable.load(FILES / "drops.h5")
    columns = ("cloud", "label", "iteration", "points", "predicted", "dropped")
    assert [tuple(row[name] for name in columns) for row in found.rows] == [
        (0, 2, 0, 12, 1, 0), (0, 2, 1, 11, 1, 1), (0, 2, 2, 10, 0, 1),
        (1, 0, 0, 11, 1, 0), (1, 0, 1, 10, 0, 1),
    ]  # fmt: skip
    assert found.rows["confidence"].tolist() == [0.75, 0.75, 0.5, 0.75, 0.5]
    assert found.rows["accuracy"].tolist() == [1, 1, 0, 1, 0]
    assert found.rows["loss"].tolist() == [0, 0.25, 0.5, 0, 0.25]
    assert found.rows["seconds"].tolist() == [0.5] * 5
    assert [part.tolist() for part in found.dropped_at] == [[0, 1, *[-1] * 10], [0, *[-1] * 10]]


def test_a_compact_file():
    model = dense()
    pruning.load_sparse(FILES / "compact.npz", model)
    for variable in model.weights:
        same(np.asarray(variable), kernels(variable.shape, 10))


def test_a_preset():
    model = models.from_preset(FILES / "preset")
    assert (model.class_names, models.model_card(FILES / "preset")) == (NAMES, {"data": "none", "seed": 3})
    for variable in model.weights:
        same(np.asarray(variable), kernels(variable.shape, 50))


def test_a_checkpoint():
    from tfxai3d.training.checkpoint import restore_checkpoint

    model = dense()
    model.compile("adam", "mse")
    epoch, meta = restore_checkpoint(FILES / "checkpoints", model)
    assert (epoch, meta) == (2, {"history": [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}]})
    for variable in model.weights:
        same(np.asarray(variable), kernels(variable.shape, 10))
    for number, variable in enumerate(model.optimizer.variables[2:], start=2):  # after step and rate: moments
        same(np.asarray(variable), np.full(variable.shape, number / 64, np.float32))


def test_a_store_is_read_but_not_gone_on_with(tmp_path):
    folder = shutil.copytree(FILES / "store", tmp_path / "store")
    first, second = explain.read_store(folder)
    same(first.inputs, ramp((2, 12, 3)))
    same(second.inputs, ramp((1, 12, 3), 2))
    model = keras.Sequential([keras.Input((12, 3)), keras.layers.Dense(3), keras.layers.GlobalMaxPooling1D()])
    for variable in model.weights:
        variable.assign(kernels(variable.shape, 2))
    vanilla = explain.VanillaGradient(model, data_kind="points")
    np.testing.assert_allclose(first.attributions, vanilla(first.inputs, 1).attributions, rtol=1e-6)
    with pytest.raises(UserError, match="holds a run of unknown settings; give another folder"):
        next(explain.write_store(vanilla, [(first.inputs, 1)], folder, {"split": "test"}))
