"""Keras's JAX backend must train the same network to the same weights, with no TensorFlow loaded."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tfxai3d.models import PointNet

ROOT = Path(__file__).parents[2]
_STEP = """
import sys
import keras
import numpy as np
from tfxai3d.models import PointNet
from tfxai3d.training import compile_classifier

store = np.load(sys.argv[1])
net = PointNet(4, dropout=0.0)
net.set_weights([store[name] for name in sorted(set(store.files) - {"x"})])
net.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
net.fit(store["x"], np.arange(8) % 4, batch_size=8, shuffle=False, verbose=0)
assert keras.backend.backend() == "jax" and "tensorflow" not in sys.modules
np.savez(sys.argv[2], *map(np.asarray, net.weights))
"""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs jax")
def test_jax_trains_to_the_same_weights(tmp_path):
    x = np.random.default_rng(0).uniform(-1, 1, (8, 21, 3)).astype("float32")
    net = PointNet(4, dropout=0.0)
    start = {f"{i:03d}": np.asarray(weight) for i, weight in enumerate(net.weights)}
    np.savez(tmp_path / "start.npz", x=x, **start)
    command = [sys.executable, "-c", _STEP, tmp_path / "start.npz", tmp_path / "end.npz"]
    environment = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr

    net.compile(
        keras.optimizers.SGD(0.1),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    net.fit(x, np.arange(8) % 4, batch_size=8, shuffle=False, verbose=0)
    moved = 0.0
    with np.load(tmp_path / "end.npz") as store:
        for i, (weight, before) in enumerate(zip(net.weights, start.values(), strict=True)):
            np.testing.assert_allclose(store[f"arr_{i}"], weight, atol=1e-4, rtol=1e-4, err_msg=weight.path)
            moved = max(moved, float(np.abs(weight - before).max()))
    assert moved > 0.01
