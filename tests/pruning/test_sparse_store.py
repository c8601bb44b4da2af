"""Compact files bring every bit back, and say clearly when they cannot."""

import keras
import numpy as np
import pytest

from tfxai3d.errors import UserError
from tfxai3d.models import PointNet, from_preset, save_preset
from tfxai3d.pruning import kernel_sparsity, load_sparse, prune_magnitude, save_sparse


def network(units=300):
    keras.utils.set_random_seed(3)
    return keras.Sequential([keras.Input((200,)), keras.layers.Dense(units), keras.layers.Dense(5)])


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_pruned_model_comes_back(tmp_path, dtype):
    model, other = network(), network()
    prune_magnitude(model, 0.05)
    report = save_sparse(tmp_path / "a.npz", model, dtype)
    load_sparse(tmp_path / "a.npz", other)
    for got, expected in zip(other.weights, model.weights, strict=True):
        stored = np.asarray(expected).astype(dtype if len(expected.shape) > 1 else "float32")
        np.testing.assert_array_equal(np.asarray(got), stored.astype("float32"))
    assert (report["total"], report["left"]) == (61_500, kernel_sparsity(other)["left"])
    assert report["density"] == report["left"] / 61_500 <= 0.05
    assert report["bytes"] == (tmp_path / "a.npz").stat().st_size
    assert report["bytes"] < (0.04 if dtype == "float16" else 0.07) * report["dense_bytes"]
    assert report["dense_bytes"] == 4 * (61_500 + 305)


def test_a_pruned_preset_is_small_and_exact(tmp_path):
    model = PointNet(4, "basic")
    save_preset(model, tmp_path / "dense", {})
    prune_magnitude(model, 0.05)
    save_preset(model, tmp_path / "pruned", {})
    again = from_preset(tmp_path / "pruned")
    for got, expected in zip(again.trainable_variables, model.trainable_variables, strict=True):
        stored = np.asarray(expected).astype("float16" if len(expected.shape) > 1 else "float32")
        np.testing.assert_array_equal(np.asarray(got), stored.astype("float32"))
    dense, pruned = ((tmp_path / name / "weights.npz").stat().st_size for name in ("dense", "pruned"))
    assert pruned < 0.1 * dense
    save_preset(again, tmp_path / "again", {})
    assert kernel_sparsity(from_preset(tmp_path / "again")) == kernel_sparsity(again)


def test_files_that_do_not_fit(tmp_path):
    model = network()
    prune_magnitude(model, 0.05)
    save_sparse(tmp_path / "a.npz", model)
    other = network(units=301)
    before = other.get_weights()
    (tmp_path / "half.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:2000])
    deeper = keras.Sequential([keras.Input((200,)), keras.layers.Dense(300)])
    with pytest.raises(UserError, match=r"none\.npz: no such file; give readable weights of model"):
        load_sparse(tmp_path / "none.npz", other)
    for path, target in (("a.npz", other), ("half.npz", other), ("a.npz", deeper)):
        with pytest.raises(UserError, match=f"{path}: not readable weights of model") as caught:
            load_sparse(tmp_path / path, target)
        assert "\n" not in str(caught.value)
    for got, expected in zip(other.get_weights(), before, strict=True):
        np.testing.assert_array_equal(got, expected)
    model.layers[0].kernel.assign(np.full((200, 300), 1e6))
    with pytest.raises(UserError, match="too large for float16"):
        save_sparse(tmp_path / "a.npz", model, "float16")
