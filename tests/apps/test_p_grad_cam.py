"""The program as its users meet it; most runs share one process, because TensorFlow starts slowly."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.reference.files import modelnet
from tfxai3d.data import shapes
from tfxai3d.explain import Explanation

ROOT = Path(__file__).parents[2]
APP = ROOT / "apps" / "p_grad_cam.py"
SMALL = ("--num_points=48", "--rotations=4", "--nopictures")
RESULTS = {"explanation.npz", "iterations.csv", "run.json"}


@pytest.fixture
def preset(tiny_presets):
    return tiny_presets / "points"


@pytest.fixture
def run(run_app, preset, tmp_path):
    """Runs the program on a tiny network; returns exit code, stdout and stderr."""
    where = (f"--model={preset}", f"--output_dir={tmp_path / 'out'}")
    return lambda *arguments: run_app("p_grad_cam", *where, *SMALL, *arguments)


def write_xyz(path, points):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, points)
    return path


def cloud(count=60, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (count, 3))


def write_off(path, mesh):
    lines = ["OFF", f"{len(mesh.vertices)} {len(mesh.faces)} 0"]
    lines += [" ".join(map(str, vertex)) for vertex in mesh.vertices.tolist()]
    lines += [" ".join(map(str, (3, *face))) for face in mesh.faces.tolist()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def check_results(folder, out, points=48):
    """Checks that the files of an object agree with each other and with what was printed."""
    report = json.loads((folder / "run.json").read_text())
    with (folder / "iterations.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    explanation = Explanation.load(folder / "explanation.npz")
    printed = [line.split() for line in out.splitlines() if line.split()[:1] and line.split()[0].isdigit()]
    for row in rows:
        cells = [value if name in _TEXT else f"{float(value):.3f}" for name, value in row.items()]
        assert cells in printed
        assert np.isfinite([float(value) for name, value in row.items() if name != "predicted"]).all()
        assert 0 <= float(row["accuracy"]) <= 1
        assert 0 <= float(row["confidence"]) <= 1
    dropped = [int(row["dropped"]) for row in rows]
    assert report["iterations"] == len(rows)
    assert report["points"] == points == int(rows[0]["points"])
    assert report["points_removed"] == sum(dropped)
    assert [report["dropped_at"].count(i) for i in range(len(rows))] == dropped
    assert report["dropped_at"].count(-1) == points - sum(dropped)
    assert report["predicted"] == rows[0]["predicted"]
    assert report["settings"]["num_points"] == 48
    assert "tensorflow" in " ".join(report["versions"])
    assert explanation.inputs.shape == (1, points, 3)
    assert explanation.class_name(int(explanation.target[0])) == report["target"]
    assert explanation.class_name(int(explanation.predicted[0])) == report["predicted"]
    for array in (explanation.inputs, explanation.importance, explanation.scores):
        assert np.isfinite(array).all()
    assert f"results in {folder}" in out
    return report


_TEXT = ("iteration", "points", "predicted", "dropped")


def names(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_procedural_objects(run, tmp_path):
    code, out, err = run("--shape=chair,sofa", "--index=0,7", "--mode=nonzero")
    assert (code, err) == (0, "")
    folders = {"chair_0", "chair_7", "sofa_0", "sofa_7"}
    assert names(tmp_path / "out") == {f"{folder}/{name}" for folder in folders for name in RESULTS}
    for folder in folders:
        report = check_results(tmp_path / "out" / folder, out)
        assert report["target"] == folder.split("_")[0]
    assert "[4/4] sofa_7, 48 points: why 'sofa'?" in out


def test_files_explain_the_predicted_class(run, tmp_path):
    first, second = (write_xyz(tmp_path / name / "bunny.xyz", cloud(seed=3)) for name in "ab")
    third = write_off(tmp_path / "My Chair.off", shapes.make_shape("chair", 0))
    np.save(tmp_path / "few.npy", cloud(15))
    code, out, err = run(f"--input={first},{second},{third},{tmp_path / 'few.npy'}", "--up=z")
    assert (code, err) == (0, "")
    out_dir = tmp_path / "out"
    assert {path.name for path in out_dir.iterdir()} == {"bunny", "bunny-2", "My Chair", "few"}
    reports = [check_results(out_dir / name, out, 15 if name == "few" else 48) for name in ("bunny", "few")]
    assert all(report["target"] == report["predicted"] for report in reports)
    z_up = Explanation.load(out_dir / "bunny" / "explanation.npz").inputs[0]
    run(f"--input={first}", f"--output_dir={tmp_path / 'again'}")
    y_up = Explanation.load(tmp_path / "again" / "bunny" / "explanation.npz").inputs[0]
    np.testing.assert_array_equal(z_up, y_up[:, [0, 2, 1]] * [-1, 1, 1])


def test_examples_of_one_file(run, tmp_path):
    np.save(tmp_path / "many.npy", np.stack([cloud(50, seed) for seed in range(3)]))
    code, out, _ = run(f"--input={tmp_path / 'many.npy'}", "--index=2,0", "--label=cup")
    assert code == 0
    for name in ("many_2", "many_0"):
        assert check_results(tmp_path / "out" / name, out)["target"] == "cup"


@pytest.fixture
def hdf5(tmp_path):
    """Two chairs and a cup."""
    clouds = np.stack([cloud(64, seed) for seed in range(3)])
    return modelnet(tmp_path / "hdf5", clouds, ["chair", "cup", "chair"])


def test_modelnet_hdf5(run, hdf5, tmp_path):
    code, out, err = run(f"--data_dir={hdf5}", "--label=chair", "--index=1")
    assert (code, err) == (0, "")
    assert check_results(tmp_path / "out" / "chair_1", out)["target"] == "chair"
    points = Explanation.load(tmp_path / "out" / "chair_1" / "explanation.npz").inputs[0]
    np.testing.assert_array_equal(points, cloud(64, 2)[:48].astype("float32"))


def test_modelnet_tree(run, tmp_path):
    for seed in range(2):
        write_off(tmp_path / "tree" / "sofa" / "test" / f"{seed}.off", shapes.make_shape("sofa", seed))
    code, out, err = run(f"--data_dir={tmp_path / 'tree'}", "--label=sofa", "--index=0,1", "--mode=-average")
    assert (code, err) == (0, "")
    for name in ("sofa_0", "sofa_1"):
        check_results(tmp_path / "out" / name, out)


@pytest.mark.parametrize("mode", ["+random", "-random"])
def test_a_random_mode_first_runs_what_it_mirrors(run, tmp_path, mode):
    xyz = write_xyz(tmp_path / "thing.xyz", cloud(48, 3))
    code, out, _ = run(f"--input={xyz}", f"--mode={mode}", "--seed=4")
    assert code == 0
    report = check_results(tmp_path / "out" / "thing", out)
    assert f"running {'nonzero' if mode == '+random' else 'zero'!r} first" in out
    run(f"--input={xyz}", f"--mode={mode}", "--seed=4", f"--output_dir={tmp_path / 'again'}")
    again = json.loads((tmp_path / "again" / "thing" / "run.json").read_text())
    assert again["dropped_at"] == report["dropped_at"]


@pytest.mark.parametrize("mode", ["+average", "+random"])
def test_an_object_that_is_not_seen_from_the_start(run, tiny_model, tmp_path, mode):
    xyz = write_xyz(tmp_path / "thing.xyz", cloud(48, 3))
    run(f"--input={xyz}", f"--output_dir={tmp_path / 'first'}")
    seen = json.loads((tmp_path / "first" / "thing" / "run.json").read_text())["predicted"]
    scores = Explanation.load(tmp_path / "first" / "thing" / "explanation.npz").scores[0]
    unlikely = tiny_model.class_names[int(np.argmin(scores))]
    code, out, _ = run(f"--input={xyz}", f"--label={unlikely}", f"--mode={mode}")
    assert code == 0
    assert f"why {unlikely!r}? (the network sees {seen!r})" in out
    assert "0 of 48 points removed in 1 iteration(s)," in out
    assert f"the network does not see {unlikely!r} in the whole object either" in out
    report = check_results(tmp_path / "out" / "thing", out)
    assert report["stopped_by"] == "wrong from the start"


def _mistakes():
    """Flags, given a folder in which to put bad files, and what the message must say."""

    def file(name, content):
        def make(folder):
            path = folder / name
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            return [f"--input={path}"]

        return make

    def array(value, name="bad.npy", *more):
        def make(folder):
            np.save(folder / name, value)
            return [f"--input={folder / name}", *more]

        return make

    def h5_without_data(folder):
        with h5py.File(folder / "bad.h5", "w") as store:
            store["first"] = store["second"] = cloud()
        return [f"--input={folder / 'bad.h5'}"]

    def one_bad_among_good(folder):
        return [f"--input={write_xyz(folder / 'good.xyz', cloud())},{folder / 'missing.ply'}"]

    def below_a_file(folder):
        (folder / "file").write_text("")
        return [f"--output_dir={folder / 'file' / 'below'}"]

    def unknown_label(folder):
        return [f"--input={write_xyz(folder / 'good.xyz', cloud())}", "--label=chairs"]

    def tree(folder):
        write_off(folder / "tree" / "sofa" / "test" / "0.off", shapes.make_shape("sofa", 0))
        return f"--data_dir={folder / 'tree'}"

    triangle = "0 0 0\n1 0 0\n2 0 0\n"
    nan = cloud()
    nan[4, 1] = np.nan
    return {
        "missing file": (lambda folder: [f"--input={folder / 'a.ply'}"], r"a\.ply: no such file"),
        "missing beside a good one": (one_bad_among_good, r"missing\.ply: no such file"),
        "a folder": (lambda folder: [f"--input={folder}"], "is a folder"),
        "wrong extension": (file("bad.docx", "x"), r"unknown extension '\.docx'"),
        "empty file": (file("bad.ply", ""), "is empty"),
        "truncated file": (file("bad.off", "OFF\n8 6 0\n0 0 0\n1 1"), r"bad\.off"),
        "truncated array": (file("bad.npy", b"\x93NUMPY\x01\x00"), r"bad\.npy"),
        "NaN": (array(nan), "NaN or infinite"),
        "few points": (array(cloud(9)), "has 9 points; an object needs at least 10"),
        "2-D": (array(cloud()[:, :2]), r"give x y z for each point"),
        "no faces": (file("bad.stl", "solid a\nendsolid a\n"), r"bad\.stl"),
        "no area": (file("bad.off", f"OFF\n3 1 0\n{triangle}3 0 1 2\n"), "zero surface area"),
        "index": (array(cloud(20), "bad.npy", "--index=1"), "index 1 is out of range"),
        "no such index": (lambda folder: [tree(folder), "--label=sofa", "--index=1"], "has 1 test examples"),
        "h5 without data": (h5_without_data, "name the array to read"),
        "label": (unknown_label, "'chairs' is no class of the model .*chair, cup"),
        "label of a shape": (lambda folder: ["--label=chairs"], "'chairs' is no class"),
        "class not in the data": (lambda folder: [tree(folder), "--label=chair"], "no class 'chair'"),
        "shape": (lambda folder: ["--shape=spaceship"], "spaceship.*choose from"),
        "no shape": (lambda folder: ["--shape="], "nothing to explain"),
        "no input": (lambda folder: ["--input="], "nothing to explain"),
        "shape unknown to the model": (lambda folder: ["--shape=bathtub"], "'bathtub' is no class"),
        "unwritable folder": (below_a_file, "cannot write here"),
        "two sources": (lambda folder: ["--input=a.ply", "--data_dir=b"], "not both"),
        "data without label": (lambda folder: [tree(folder)], "--data_dir needs --label"),
        "no such data": (
            lambda folder: [f"--data_dir={folder / 'b'}", "--label=chair"],
            "no such file or folder",
        ),
        "index is no number": (lambda folder: ["--index=abc"], "--index=abc: give numbers"),
        "index is negative": (lambda folder: ["--index=0,-1"], "--index=0,-1: give numbers"),
        "an argument": (lambda folder: ["bunny.ply"], "unexpected argument 'bunny.ply'"),
        "model": (lambda folder: ["--model=resnet"], "no preset 'resnet'"),
    }


@pytest.mark.parametrize(("make", "message"), _mistakes().values(), ids=_mistakes().keys())
def test_a_mistake_is_one_line(run, tmp_path, make, message):
    bad = tmp_path / "bad"
    bad.mkdir()
    arguments = make(bad)
    before = names(tmp_path)
    code, out, err = run(*arguments)
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert re.search(message, err), err
    assert names(tmp_path) == before
    assert not (tmp_path / "out").exists()


def test_mistakes_in_files_are_found_without_tensorflow(tmp_path):
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['app', '--nopictures', '--input=nowhere.ply', r'--output_dir={tmp_path}']\n"
        "try:\n"
        f"    runpy.run_path(r'{APP}', run_name='__main__')\n"
        "except SystemExit as ended:\n"
        "    print(ended.code, 'tensorflow' in sys.modules)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert result.stdout.split() == ["1", "False"]
    assert result.stderr == "error: nowhere.ply: no such file; check the path\n"


@pytest.mark.slow
def test_pictures_in_a_process_of_its_own(in_a_process, preset, tmp_path):
    pytest.importorskip("matplotlib")
    options = [f"--model={preset}", "--num_points=48", "--rotations=4", "--colormap=green_red"]
    code, out, _ = in_a_process("p_grad_cam", *options, "--shape=chair", f"--output_dir={tmp_path / 'out'}")
    assert code == 0
    folder = tmp_path / "out" / "chair_0"
    check_results(folder, out)
    assert names(folder) == RESULTS | {"heat.png", "heat.html", "heat.ply"}
    assert (folder / "heat.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "heat.ply").read_bytes().startswith(b"ply")
    assert "</html>" in (folder / "heat.html").read_text(encoding="utf-8")
