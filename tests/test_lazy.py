"""Imports stay light: pictures are drawn, and help is shown, without TensorFlow."""

import importlib
import inspect
import re
import subprocess
import sys
from importlib.util import find_spec

import pytest

import tfxai3d
from tfxai3d import explain, serve
from tfxai3d.errors import UserError

ROOMS = [tfxai3d, *(getattr(tfxai3d, name) for name in dir(tfxai3d))]
HEAVY = ("tensorflow", "keras", "open3d", "matplotlib", "trimesh", "scipy", "h5py")


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
        "from tfxai3d.explain import check_methods; check_methods(['grad_cam'])",
    ],
)
def test_light_imports(statement):
    assert loaded_by(statement) == []


def test_reading_and_shapes_need_no_tensorflow():
    loaded = loaded_by("from tfxai3d.data import load_points, shapes; shapes.make_shape('chair', 0)")
    assert "tensorflow" not in loaded
    assert "keras" not in loaded


@pytest.mark.parametrize("module", ["b", "b.deep"])
def test_no_name_may_be_hidden_by_a_module(module, tmp_path, monkeypatch):
    """Once imported, a submodule is an attribute of its package, in front of `__getattr__`."""
    block = f"from package.a import b as b\n    from package.{module} import c as c"
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text(
        "from typing import TYPE_CHECKING\n\nfrom tfxai3d._lazy import lazy\n\n"
        f"if TYPE_CHECKING:\n    {block}\n\n__getattr__, __dir__ = lazy(__name__)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="package: a submodule hides its name 'b'"):
        importlib.import_module("package")


@pytest.mark.parametrize("room", ROOMS)
def test_type_checkers_see_what_is_imported(room):
    """They take `import name as name` for a public name, and `import name` for a private one."""
    block = inspect.getsource(room).split("if TYPE_CHECKING:\n")[1].split("\n\n")[0]
    names = [re.fullmatch(r"    from \S+ import (\w+) as \1", line)[1] for line in block.splitlines()]
    assert sorted(names) == dir(room)


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
