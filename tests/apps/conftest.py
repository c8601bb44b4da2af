"""What the tests of the programs share."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from tfxai3d import cli

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run_app(monkeypatch, capsys):
    """Runs a program of apps/ in this process, since TensorFlow starts slowly: exit code, stdout, stderr."""

    def run(app, *arguments):
        spec = importlib.util.spec_from_file_location(f"{app}_app", ROOT / "apps" / f"{app}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        monkeypatch.setattr(sys, "argv", [f"{app}.py", *map(str, arguments)])
        try:
            with flagsaver.flagsaver(), pytest.raises(SystemExit) as ended:
                cli.run(module.main)
        finally:
            for flag in flags.FLAGS.get_flags_for_module(spec.name):
                delattr(flags.FLAGS, flag.name)
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return run


@pytest.fixture(scope="session")
def in_a_process():
    """Runs a program of apps/ as a user does: exit code, stdout, stderr."""

    def run(app, *arguments):
        done = subprocess.run(
            [sys.executable, ROOT / "apps" / f"{app}.py", *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=1200,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture(scope="module")
def one_block():
    """VRNs have one block instead of twelve: all their kinds of layers, in a tenth of the time."""
    from tfxai3d.models import vrn

    with mock.patch.object(vrn, "KEEP", ((0.6,),)):
        yield


@pytest.fixture(scope="module")
def tiny_presets(tiny_model, one_block, tmp_path_factory):
    """Networks with random weights: `points` (5 classes), `voxels` (ModelNet10's), `parts` of all shapes."""
    import keras

    from tfxai3d.data import MODELNET10_CLASSES
    from tfxai3d.data.shapes import SHAPE_PARTS
    from tfxai3d.models import VRN, PointNetParts, save_preset

    folder = tmp_path_factory.mktemp("presets")
    save_preset(tiny_model, folder / "points", {})
    keras.utils.set_random_seed(0)
    save_preset(VRN(10, 0.125, class_names=MODELNET10_CLASSES), folder / "voxels", {})
    parts = PointNetParts(len(SHAPE_PARTS), 0.125, class_names=SHAPE_PARTS)
    bias = parts.get_layer("logits").bias
    bias.assign(50.0 * (np.array(SHAPE_PARTS) == "chair/seat"))  # it sees seats everywhere
    save_preset(parts, folder / "parts", {})
    return folder
