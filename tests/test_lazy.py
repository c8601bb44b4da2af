"""Imports stay light: pictures are drawn, and help is shown, without TensorFlow."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

import tfxai3d
from tfxai3d import (
    cli,
    data,
    evaluate,
    explain,
    features,
    models,
    pruning,
    results,
    serve,
    storage,
    tensorboard,
    training,
)
from tfxai3d._lazy import lazy
from tfxai3d.errors import UserError

ROOMS = [
    tfxai3d, cli, data, evaluate, explain, features, models,
    pruning, results, serve, storage, tensorboard, training,
]  # fmt: skip
HEAVY = ("tensorflow", "keras", "open3d", "matplotlib", "plotly", "trimesh", "scipy", "h5py")


def loaded_by(statement):
    code = f"import sys\n{statement}\nprint(*[name for name in {HEAVY} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return result.stdout.split()


@pytest.mark.parametrize(
    "statement",
    [
        "import tfxai3d",
        "from tfxai3d import cli, data, evaluate, explain, features, models, results, serve, training, view",
        "from tfxai3d.explain import Explanation",
        "from tfxai3d.evaluate import MODES, dropped_points",
    ],
)
def test_light_imports(statement):
    assert loaded_by(statement) == []


def test_reading_and_shapes_need_no_tensorflow():
    loaded = loaded_by("from tfxai3d.data import load_points, shapes; shapes.make_shape('chair', 0)")
    assert "tensorflow" not in loaded
    assert "keras" not in loaded


def test_no_name_may_be_hidden_by_a_module():
    """Once imported, a submodule is an attribute of its package, in front of `__getattr__`."""
    with pytest.raises(ValueError, match="a submodule hides its name 'b'"):
        lazy("package", {"a": ("b", "c"), "b": ("d",)})


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_exists(room):
    assert dir(room)
    for name in dir(room):
        if room is serve and name == "bulk" and find_spec("apache_beam") is None:
            with pytest.raises(UserError, match=r"tfxai3d\[beam\]"):
                getattr(room, name)
        else:
            assert getattr(room, name) is not None


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match=r"module 'tfxai3d\.explain' has no attribute 'Lime'"):
        _ = explain.Lime
