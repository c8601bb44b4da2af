"""The program as its users meet it, in one process."""

import json
import re

import h5py
import keras
import numpy as np
import pytest

from tests.reference.files import modelnet
from tfxai3d.explain import Explanation, read_store
from tfxai3d.view.picture import process


@pytest.fixture
def run(run_app, tiny_presets, tmp_path):
    """Runs the program on a tiny network; returns exit code, stdout and stderr."""
    small = (
        "--num_points=40",
        "--shape=chair",
        "--steps=3",
        "--methods=vanilla_gradient,integrated_gradients",
    )

    def run(*arguments, kind="points"):
        where = (f"--model={tiny_presets / kind}", f"--output_dir={tmp_path / 'out'}")
        return run_app("explain", *where, *small, *arguments)

    return run


def names(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_points_with_pictures(run, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(process, "find_spec", lambda name: None)  # view's tests draw with Open3D
    code, out, err = run("--shape=chair", "--index=0,3")
    assert (code, err.count("\n")) == (0, 1)
    assert "[2/2] chair_3: why 'chair'?" in out
    folder = tmp_path / "out"
    assert names(folder) == {"panel.png", "panel.html", "run.json"} | {
        f"chair_{seed}/{method}.npz"
        for seed in (0, 3)
        for method in ("vanilla_gradient", "integrated_gradients")
    }
    report = json.loads((folder / "run.json").read_text())
    assert report["settings"]["steps"] == 3
    assert "tensorflow" in " ".join(report["versions"])
    for record in report["objects"]:
        explained = Explanation.load(folder / record["object"] / "integrated_gradients.npz")
        facts = record["methods"]["integrated_gradients"]
        assert explained.inputs.shape == (1, 40, 3)
        assert facts["options"]["steps"] == explained.options["steps"] == 3
        assert facts["convergence_delta"] == explained.convergence_delta[0]
        assert facts["sum_of_attributions"] == pytest.approx(explained.attributions.sum(), rel=1e-4)
        assert record["predicted"] == max(record["scores"], key=record["scores"].get)
        assert record["target"] == "chair"
    page = (folder / "panel.html").read_text(encoding="utf-8")
    assert "<b>chair_3</b>" in page
    assert page.count("<canvas data-cell") == 6


def test_voxels_and_empty_space(run, tmp_path):
    methods = "--methods=vanilla_gradient,gradient_times_input"
    code, _, err = run("--shape=chair", methods, "--nopictures", kind="voxels")
    assert (code, err) == (0, "")
    (record,) = json.loads((tmp_path / "out" / "run.json").read_text())["objects"]
    explained = Explanation.load(tmp_path / "out" / "chair_0" / "vanilla_gradient.npz")
    assert explained.kind == "voxels"
    grid = explained.inputs[0, ..., 0] > 0
    assert grid.shape == (32, 32, 32)
    assert np.ptp(np.argwhere(grid), axis=0).max() == 23
    # A chair standing upright has its legs below its seat: fewer voxels at the foot than in the middle.
    layers = grid.sum(axis=(0, 1))
    assert 0 < layers[np.flatnonzero(layers)[1]] < layers.max() / 2
    empty = explained.importance[0][~grid].sum() / explained.importance.sum()
    methods = record["methods"]
    assert methods["vanilla_gradient"]["importance_in_empty_space"] == pytest.approx(empty, abs=1e-3)
    assert methods["gradient_times_input"]["importance_in_empty_space"] == 0


def test_one_class_rather_than_another(run, tmp_path):
    code, out, _ = run("--shape=chair", "--target=chair-sofa", "--nopictures")
    assert code == 0
    assert "why 'chair' rather than 'sofa'?" in out
    (record,) = json.loads((tmp_path / "out" / "run.json").read_text())["objects"]
    assert (record["target"], record["against"]) == ("chair", "sofa")


def test_a_part(run, tmp_path):
    code, out, err = run("--target=chair/seat", "--nopictures", kind="parts")
    assert (code, err) == (0, "")
    assert "why 'chair/seat'?" in out
    explained = Explanation.load(tmp_path / "out" / "chair_0" / "integrated_gradients.npz")
    assert explained.region.all()
    assert explained.class_name(explained.target[0]) == "chair/seat"
    (record,) = json.loads((tmp_path / "out" / "run.json").read_text())["objects"]
    assert record["predicted"] == "chair/seat"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            (),
            r"--target: model 'point_net_parts\w*' classifies each of the points; name a class",
        ),
        (
            ("--target=chair",),
            r"--target: 'chair' is no class of the model \(it knows chair/arm, .*chair/slat\)",
        ),
        (("--target=chair/wing",), r"'chair/wing' is no class of the model \(it knows chair/arm, "),
        (("--target=chair/leg",), "Region of example 0 is empty: class chair/leg is predicted nowhere"),
    ],
)
def test_a_mistaken_part_is_one_line(run, flags, message):
    code, _, err = run(*flags, "--nopictures", kind="parts")
    assert (code, err.count("\n")) == (1, 1)
    assert re.search(message, err), err


@pytest.mark.parametrize("app", ["p_grad_cam", "asm", "drop_curves", "prune"])
def test_programs_for_whole_objects_refuse_a_network_for_parts(run_app, tiny_presets, tmp_path, app):
    code, _, err = run_app(app, f"--model={tiny_presets / 'parts'}", f"--output_dir={tmp_path / 'out'}")
    assert (code, err.count("\n")) == (1, 1)
    assert re.search(
        "is for classifiers of whole examples|trains Keras classifiers of one input and whole examples", err
    )


def test_a_keras_file_of_any_network(run_app, tmp_path):
    points = keras.Input((None, 3))
    rows = keras.layers.Dense(8, "relu", name="rows")(points)
    model = keras.Model(points, keras.layers.Dense(3)(keras.layers.GlobalMaxPooling1D()(rows)))
    model.save(tmp_path / "mine.keras")
    np.save(tmp_path / "thing.npy", np.random.default_rng(0).uniform(-1, 1, (20, 3)))
    arguments = [f"--model={tmp_path / 'mine.keras'}", f"--input={tmp_path / 'thing.npy'}"]
    arguments += ["--methods=vanilla_gradient,grad_cam", f"--output_dir={tmp_path / 'out'}", "--nopictures"]
    code, out, err = run_app("explain", *arguments, "--data_kind=points", "--layer=rows")
    assert (code, err) == (0, "")
    assert re.search(r"thing: why '\d'\? vanilla_gradient", out)
    explained = Explanation.load(tmp_path / "out" / "thing" / "grad_cam.npz")
    np.testing.assert_array_equal(explained.scores, model(explained.inputs))
    code, _, err = run_app("p_grad_cam", *arguments[:2], *arguments[3:], "--layer=rows", "--rotations=0")
    assert (code, err) == (0, "")
    assert Explanation.load(tmp_path / "out" / "thing" / "explanation.npz").options["layer"] == "rows"


@pytest.fixture
def hdf5(tmp_path):
    """A cup and two sofas as ModelNet40's test split."""
    clouds = np.random.default_rng(0).uniform(-1, 1, (3, 64, 3))
    return modelnet(tmp_path / "hdf5", clouds, ["cup", "sofa", "sofa"])


def test_mistakes_are_explained_as_what_they_were_taken_for(run, hdf5, tmp_path):
    listed = "index,true,predicted,probability\n0,cup,table,0.9\n2,sofa,chair,0.8\n"
    (tmp_path / "mistakes.csv").write_text(listed)
    arguments = [f"--data_dir={hdf5}", "--methods=vanilla_gradient", "--nopictures"]
    code, out, err = run(*arguments, f"--mistakes={tmp_path / 'mistakes.csv'}", "--index=1")
    assert (code, err) == (0, "")
    assert "sofa_as_chair_2: why 'chair'?" in out
    explained = Explanation.load(tmp_path / "out" / "sofa_as_chair_2" / "vanilla_gradient.npz")
    with h5py.File(hdf5 / "test0.h5") as file:
        np.testing.assert_array_equal(explained.inputs[0], file["data"][2, :40])
    (tmp_path / "other.csv").write_text("index,true,predicted\n2,cup,table\n")
    code, _, err = run(*arguments, f"--mistakes={tmp_path / 'other.csv'}")
    assert code == 1
    assert re.search(r"example 2 of .* is no 'cup'; other data\?", err)


def test_a_whole_split_goes_into_files_and_on_after_a_kill(run, hdf5, tmp_path):
    arguments = [f"--data_dir={hdf5}", "--shard_size=2", "--methods=vanilla_gradient,p_grad_cam"]
    code, out, _ = run(*arguments)
    assert code == 0
    assert "3 examples explained" in out
    folder = tmp_path / "out"
    expected = {f"{method}/{name}" for method in ("vanilla_gradient", "p_grad_cam") for name in _SHARDS}
    assert names(folder) == expected | {"run.json"}
    whole = [explained.attributions for explained in read_store(folder / "vanilla_gradient")]
    assert [len(part) for part in whole] == [2, 1]
    kept, lost = (folder / "vanilla_gradient" / name for name in _SHARDS[:2])
    before = kept.stat().st_mtime_ns
    lost.unlink()
    assert run(*arguments)[0] == 0
    assert kept.stat().st_mtime_ns == before
    again = [explained.attributions for explained in read_store(folder / "vanilla_gradient")]
    np.testing.assert_allclose(np.concatenate(again), np.concatenate(whole), rtol=1e-5, atol=1e-7)
    code, _, err = run(*arguments, "--target=chair")
    assert code == 1
    assert "--target=chair: " in err
    assert "holds a run with None; give the same settings" in err


_SHARDS = ("00000.npz", "00001.npz", "run.json")


def _mistakes():
    def text(content):
        def make(folder):
            (folder / "list.csv").write_text(content)
            return [f"--mistakes={folder / 'list.csv'}", f"--data_dir={folder}"]

        return make

    return {
        "method": (lambda folder: ["--methods=no"], "unknown method 'no'; known are .*vanilla_gradient"),
        "no method": (lambda folder: ["--methods="], "names no method"),
        "method twice": (lambda folder: ["--methods=deconvnet,deconvnet"], "names a method twice"),
        "target": (lambda folder: ["--target=desk"], "--target: 'desk' is no class of the model"),
        "half a pair": (lambda folder: ["--target=chair-desk"], "'chair-desk' is no class of the model"),
        "shape": (lambda folder: ["--shape=spaceship"], "spaceship.*choose from"),
        "file": (lambda folder: ["--input=nowhere.ply"], "nowhere.ply: no such file"),
        "no list": (lambda folder: ["--mistakes=no.csv", "--data_dir=b"], "no.csv: no such file"),
        "list without data": (lambda folder: ["--mistakes=no.csv"], "--mistakes needs --data_dir"),
        "other list": (text("a,b\n1,2\n"), "not a list with index, true and predicted"),
        "short list": (text("index,true,predicted\n"), "--index=0: .* lists 0 mistakes"),
    }


@pytest.mark.parametrize(("make", "message"), _mistakes().values(), ids=_mistakes().keys())
def test_a_mistake_is_one_line(run, tmp_path, make, message):
    bad = tmp_path / "bad"
    bad.mkdir()
    code, out, err = run(*make(bad), "--nopictures")
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert re.search(message, err), err
    assert not (tmp_path / "out").exists()
