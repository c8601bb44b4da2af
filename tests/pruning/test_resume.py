"""A training under surgery that is killed ends exactly where the undisturbed one does."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.pruning import DynamicNetworkSurgery, GradualTarget
from tfxai3d.training import fit_resumable

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(4, 12, 6)), RNG.normal(size=(4, 12, 3))


def network(seed, units=10):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(units, "tanh"), keras.layers.Dense(3)])
    model.compile(keras.optimizers.Adam(0.05), "mse", jit_compile=False)
    return model


def surgery(**options):
    options = options or {"c_rate": 0.4, "gamma": 0.3, "seed": 5}
    return DynamicNetworkSurgery(log_layers=True, **options)


def batches(epoch):
    return tf.data.Dataset.from_tensor_slices((X[epoch], Y[epoch])).batch(2)


def state(model):
    return [np.asarray(v) for v in (*model.weights, *model.optimizer.variables)]


@pytest.mark.parametrize(
    "options",
    [{}, {"target": GradualTarget(0.2, 10, 20, 3), "importance": "gradient"}],
    ids=["c_rate", "gradual"],
)
def test_resuming_is_exact(float64, tmp_path, options):
    whole, callback = network(0), surgery(**options)
    history = fit_resumable(whole, batches, 4, tmp_path / "whole", callbacks=[callback])
    assert {"left", "cut", "spliced"} <= set(history[-1])
    assert 0 < history[-1]["left"] < 0.9
    assert any(record["spliced"] > 0 for record in history)
    fit_resumable(network(0), batches, 2, tmp_path / "parts", callbacks=[surgery(**options)])
    resumed, again = network(7), surgery(**options)
    rest = fit_resumable(resumed, batches, 4, tmp_path / "parts", callbacks=[again])
    assert [record["left"] for record in rest] == [record["left"] for record in history]
    for got, expected in zip(state(resumed), state(whole), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-14)
    for got, expected in zip(again.masks.values(), callback.masks.values(), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_another_architecture_is_refused_and_nothing_overwritten(tmp_path):
    fit_resumable(network(0), batches, 1, tmp_path, callbacks=[surgery()])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for other, callbacks in ((network(0, units=11), [surgery()]), (network(0), [])):
        with pytest.raises(UserError, match="of another model or optimiser; give another --output_dir"):
            fit_resumable(other, batches, 2, tmp_path, callbacks=callbacks)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
