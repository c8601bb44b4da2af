"""The program as its users meet it, in one process."""

import json
import re

import numpy as np
import pytest

from tfxai3d.data import MODELNET10_CLASSES
from tfxai3d.features import Visualization
from tfxai3d.view.picture import process

FILES = {"features.npz", "features.png", "features.html", "run.json"}


@pytest.fixture(scope="module")
def presets(tiny_model, one_block, tmp_path_factory):
    """Tiny networks with random weights, and other weights for the one of voxels."""
    import keras

    from tfxai3d.models import VRN, PointNet2, save_preset
    from tfxai3d.pruning import prune_magnitude, save_sparse

    folder = tmp_path_factory.mktemp("presets")
    keras.utils.set_random_seed(0)
    save_preset(tiny_model, folder / "points", {})
    save_preset(PointNet2(3, density=0.02), folder / "points2", {})
    voxels = VRN(10, 0.125, class_names=MODELNET10_CLASSES)
    save_preset(voxels, folder / "voxels", {})
    prune_magnitude(voxels, 0.3)
    save_sparse(folder / "sparse.npz", voxels)
    voxels.save_weights(folder / "tuned.weights.h5")
    (folder / "bad.weights.h5").write_bytes(b"no HDF5")
    return folder


@pytest.fixture
def run(run_app, presets, tmp_path, monkeypatch):
    """Runs the program on a tiny network; returns exit code, stdout and stderr."""
    small = ("--num_points=20", "--steps=2", "--num_examples=6", "--top=2", "--batch_size=2")

    def run(*arguments, kind="points"):
        monkeypatch.setattr(process, "find_spec", lambda name: None)  # view's tests draw with Open3D
        where = (f"--model={presets / kind}", f"--output_dir={tmp_path / 'out'}")
        return run_app("features", *where, *small, *arguments)

    return run


def report(folder):
    return json.loads((folder / "out" / "run.json").read_text(encoding="utf-8"))


def test_classes_of_points_with_pictures(run, tmp_path):
    pytest.importorskip("matplotlib")
    code, out, err = run("--units=lamp,chair,1")
    assert (code, err.count("\n")) == (0, 1)  # matplotlib draws instead of Open3D
    assert "2 steps for 3 units" in out
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    found = Visualization.load(tmp_path / "out" / "features.npz")
    assert found.names == ("lamp", "chair", "cup")
    assert found.inputs.shape == (3, 20, 3)
    assert found.options["steps"] == 2
    for record, activation in zip(report(tmp_path)["found"], found.activations, strict=True):
        assert record["activation"] == activation > record["start"]
    assert report(tmp_path)["settings"]["units"] == ["lamp", "chair", "1"]
    page = (tmp_path / "out" / "features.html").read_text(encoding="utf-8")
    assert page.count("<canvas data-cell") == 3


def test_mean_surface_of_procedural_shapes(run, tmp_path):
    code, _, err = run("--method=mean_surface", "--layer=conv0", "--units=2", "--nopictures", kind="voxels")
    assert (code, err) == (0, "")
    found = Visualization.load(tmp_path / "out" / "features.npz")
    assert found.options["grids"] == 6
    assert (found.names, found.inputs.shape) == (("conv0 2",), (1, 32, 32, 32, 1))
    (record,) = report(tmp_path)["found"]
    assert len(record["examples"]) == 2
    assert record["counted"] == 2
    assert 0 < found.inputs.max() <= 1


def test_patterns(run, tmp_path):
    code, out, err = run("--method=patterns", "--nopictures", kind="points2")
    assert (code, err) == (0, "")
    assert "sa1 7" in out
    assert len(Visualization.load(tmp_path / "out" / "features.npz")) == 8


def test_filters_of_several_models(run, presets, tmp_path):
    others = [f"--model={presets / name}" for name in ("sparse.npz", "tuned.weights.h5", "voxels")]
    code, _, err = run("--filters", "--density=0.1", *others, "--units=3,0", "--nopictures", kind="voxels")
    assert (code, err) == (0, "")
    records = report(tmp_path)["found"]
    names = ["voxels", "pruned to 0.1, not tuned", "sparse.npz", "tuned", "voxels-2"]
    assert [record["model"] for record in records] == names
    with np.load(tmp_path / "out" / "features.npz") as store:
        assert store["names"].tolist() == names
        kernels = store["kernels"]
    assert [record["left"] for record in records] == [np.count_nonzero(kernel) for kernel in kernels]
    assert kernels.shape == (5, 3, 3, 3, 1, 4)
    np.testing.assert_array_equal(kernels[0], kernels[4])
    np.testing.assert_array_equal(kernels[2], kernels[3])
    assert np.count_nonzero(kernels[1]) < np.count_nonzero(kernels[2]) < kernels[0].size
    kept = kernels[2] != 0
    np.testing.assert_allclose(kernels[2][kept], kernels[0][kept], rtol=1e-3)  # the preset is float16


_FILTERS = ("--filters", "--nopictures")
_MISTAKES = {
    "unit": (["--units=spaceship"], "'spaceship' is no unit; give the classes chair, cup"),
    "number": (["--units=7"], "has no unit 7: its units are 0 to 4"),
    "no unit": (["--units="], "names no unit"),
    "layer": (["--layer=conv0"], "no layers named 'conv0'"),
    "channel": (["--layer=point_features", "--units=chair"], "'chair' is no unit; give numbers"),
    "preset": (["--model=nowhere"], "only --filters takes several models"),
    "points": (["--method=mean_surface"], "needs a voxel network"),
    "pattern": (["--method=patterns"], "patterns need a PointNet"),
    "pattern layer": (["--method=patterns", "--layer=a"], "--layer=a: patterns are of the first"),
    "data": (["--data_dir=a"], "only --method=mean_surface reads a data set"),
    "density": (["--density=0.5"], "--density=0.5: give a fraction above 0, and --filters"),
    "no convolution": (_FILTERS, "has no 3D convolution"),
    "filter": ([*_FILTERS, "--units=a"], "'a' is no unit; give numbers"),
}


@pytest.mark.parametrize(("arguments", "message"), _MISTAKES.values(), ids=_MISTAKES.keys())
def test_a_mistake_is_one_line(run, tmp_path, arguments, message):
    kind = "voxels" if "--units=a" in arguments else "points"
    _expect(run(*arguments, kind=kind), tmp_path, message)


def test_weights_that_do_not_fit_are_one_line(run, presets, tmp_path):
    for name, message in (
        ("none.npz", "none.npz: no such file"),
        ("bad.weights.h5", "no weights of"),
        ("points", "has no 3D convolution"),
        ("points2/weights.npz", "not readable weights"),
    ):
        _expect(run(*_FILTERS, f"--model={presets / name}", kind="voxels"), tmp_path, message)


def _expect(result, tmp_path, message):
    code, _, err = result
    assert code == 1
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert re.search(message, err), err
    assert not (tmp_path / "out").exists()
