"""Keras on JAX, where TensorFlow cannot be imported, trains with the batches of TensorFlow, and resumes."""

import csv
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tfxai3d.data.shapes import SHAPE_CLASSES
from tfxai3d.models import PointNet, from_preset, save_preset

pytestmark = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs jax")
ROOT = Path(__file__).parents[2]
APP = ROOT / "apps" / "train.py"
# Python runs it first of all. A process that MUST_DIE does so where it writes the log of its first epoch.
FIRST = """
import os, sys
sys.modules["tensorflow"] = None
def died(event, arguments):
    if event == "os.rename" and str(arguments[1]).endswith("log.csv"):
        os._exit(9)
if "MUST_DIE" in os.environ:
    sys.addaudithook(died)
"""
EPOCHS = ("--stages=20x2", "--batch_size=16", "--num_train=64", "--num_test=16", "--dropout=0", "--seed=2")
TRAIN = ("--variant=basic", *EPOCHS, "--augment=rotate_up,jitter,scale_axes,shift")


@pytest.fixture(scope="module")
def on_jax(tmp_path_factory):
    """Runs Python where Keras has JAX alone: exit code and stdout."""
    folder = tmp_path_factory.mktemp("jax")
    (folder / "sitecustomize.py").write_text(FIRST, encoding="utf-8")
    path = os.pathsep.join([str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")])
    chosen = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": path}
    compiled = {"JAX_COMPILATION_CACHE_DIR": str(folder), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    compiled["XLA_FLAGS"] = "--xla_backend_optimization_level=0"  # it takes longer to compile than to run

    def run(*command, **environment):
        done = subprocess.run(
            [sys.executable, *map(str, command)],
            env=os.environ | chosen | compiled | environment,
            capture_output=True,
            text=True,
            timeout=1200,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout

    return run


def log(folder):
    with (folder / "log.csv").open(newline="") as file:
        return [{k: float(v) for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


@pytest.mark.slow
def test_a_run_without_tensorflow_dies_goes_on_and_learns_what_one_with_it_learns(on_jax, run_app, tmp_path):
    names = tuple(SHAPE_CLASSES)
    keras.utils.set_random_seed(0)
    save_preset(PointNet(len(names), "basic", class_names=names), tmp_path / "start", {})
    flags = (*TRAIN, f"--initial={tmp_path / 'start'}")
    ours, theirs = tmp_path / "jax", tmp_path / "tensorflow"
    assert on_jax(APP, *flags, f"--output_dir={ours}", MUST_DIE="1") == (9, "")
    assert [path.name for path in (ours / "checkpoints").iterdir()] == ["epoch-0001.npz"]
    code, out = on_jax(APP, *flags, f"--output_dir={ours}")
    assert code == 0
    assert "continuing after epoch 1 of 2" in out
    assert "jax" in json.loads((ours / "run.json").read_text())["versions"]
    code, _, err = run_app("train", *flags, f"--output_dir={theirs}")
    assert (code, err) == (0, "")
    for here, there in zip(log(ours), log(theirs), strict=True):
        assert here.pop("accuracy") == pytest.approx(there.pop("accuracy"), abs=2 / 64)
        assert here == pytest.approx(there, rel=1e-3)
    clouds = np.random.default_rng(0).normal(size=(50, 20, 3)).astype("float32")
    begun, answers, expected = (
        np.asarray(from_preset(folder)(clouds))
        for folder in (tmp_path / "start", ours / "preset", theirs / "preset")
    )
    assert np.abs(answers - expected).mean() < 0.03 * np.abs(expected - begun).mean()
