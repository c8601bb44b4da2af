"""The program as its users meet it: a process of its own, killed and started again, given wrong flags."""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
SMALL = ("--num_train=80", "--num_test=20", "--variant=basic", "--batch_size=16", "--augment=jitter")
STAGES = ("--stages=16x2,24x2", "--validation_fraction=0.2", "--seed=3", "--dropout=0.1")


def start(*flags):
    return subprocess.Popen(
        [sys.executable, ROOT / "apps" / "train.py", *map(str, flags)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def train(*flags):
    """Returns exit code, stdout and stderr."""
    process = start(*flags)
    out, err = process.communicate(timeout=1200)
    return process.returncode, out, err


def log(folder):
    with (folder / "log.csv").open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def weights(path):
    with np.load(path) as store:
        return {name: store[name] for name in store.files if name != "meta"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    code, out, err = train(*SMALL, *STAGES, f"--output_dir={folder}")
    assert (code, err) == (0, ""), err
    return folder, out


@pytest.mark.slow
def test_what_a_training_leaves_behind(finished):
    folder, out = finished
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    checkpoints = {"checkpoints/epoch-0003.npz", "checkpoints/epoch-0004.npz"}
    presets = {f"{p}/{f}" for p in ("best", "preset") for f in ("card.json", "config.json", "weights.npz")}
    assert names == {"log.csv", "run.json"} | checkpoints | presets
    records = log(folder)
    assert [record["epoch"] for record in records] == [1, 2, 3, 4]
    expected = {
        "epoch",
        "accuracy",
        "loss",
        "validation_accuracy",
        "validation_auc",
        "learning_rate",
        "seconds",
    }
    assert set(records[0]) == expected
    settings = json.loads((folder / "run.json").read_text())
    expected = {"variant": "basic", "stages": ["16x2", "24x2"], "seed": 3}
    assert expected.items() <= settings["settings"].items()
    assert {"python", "platform", "keras", "numpy"} <= set(settings["versions"])
    assert "preset written to" in out


@pytest.mark.slow
def test_the_best_epoch_of_the_held_back_part_becomes_the_preset(finished):
    folder, _ = finished
    accuracies = [record["validation_accuracy"] for record in log(folder)]
    last_stage = accuracies[2:]  # of 24 points; the epochs of 16 do not count
    best = 3 + last_stage.index(max(last_stage))
    card = json.loads((folder / "preset" / "card.json").read_text())
    assert card["epoch_choice"] == f"{best}, the best on a part held back"
    best_card = json.loads((folder / "best" / "card.json").read_text())
    assert best_card["validation_accuracy"] == max(last_stage)
    assert card["test"]["examples"] == 20
    assert "--seed=3" in card["command"]
    chosen, shipped = (weights(folder / name / "weights.npz") for name in ("best", "preset"))
    assert chosen.keys() == shipped.keys()
    assert all(np.array_equal(chosen[name], shipped[name]) for name in chosen)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_killed_training_resumes_and_ends_where_it_would_have(finished, tmp_path):
    process = start(*SMALL, *STAGES, f"--output_dir={tmp_path}")
    deadline = time.monotonic() + 1200
    while not (tmp_path / "checkpoints" / "epoch-0002.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()  # the third epoch, of another number of points, is being compiled or run
    process.communicate()
    assert process.returncode == -9
    assert not (tmp_path / "preset").exists()

    code, out, err = train(*SMALL, *STAGES, f"--output_dir={tmp_path}")
    assert (code, err) == (0, ""), err
    assert "continuing after epoch " in out
    for ours, theirs in zip(log(tmp_path), log(finished[0]), strict=True):
        del ours["seconds"], theirs["seconds"]
        assert ours == pytest.approx(theirs, rel=1e-3)
    last = "checkpoints/epoch-0004.npz"
    resumed, straight = weights(tmp_path / last), weights(finished[0] / last)
    for name, value in straight.items():
        np.testing.assert_allclose(resumed[name], value, rtol=1e-3, atol=1e-4)
    assert not list(tmp_path.rglob(".*"))  # nor is anything left of the write that was killed


@pytest.fixture(scope="module")
def grids(tmp_path_factory):
    """A folder of voxels, one grid of each split empty."""
    folder = tmp_path_factory.mktemp("grids")
    rng = np.random.default_rng(0)
    for split, count in (("train", 21), ("test", 6)):
        features = (rng.random((count, 1, 32, 32, 32)) < 0.05).astype("uint8")
        features[3] = 0
        targets = np.arange(count) % 10
        np.savez_compressed(folder / f"modelnet10_{split}.npz", features=features, targets=targets)
    return folder


OTHERS = {
    "pointnet2": ("--model=pointnet2", *SMALL[:2], "--batch_size=16", "--stages=64x1,128x2"),
    "vrn": (
        "--model=vrn", "--width=0.125", "--batch_size=5", "--stages=16x1,32x2"
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif("TFXAI3D_SLOW" not in os.environ, reason="compiles for minutes; set TFXAI3D_SLOW=1")
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
@pytest.mark.parametrize("name", OTHERS)
def test_the_other_networks_train_in_stages_and_resume(name, grids, tmp_path):
    """Killed in the second stage, and the newest checkpoint truncated."""
    flags = [*OTHERS[name], f"--output_dir={tmp_path}"]
    flags += [f"--data_dir={grids}"] if name == "vrn" else []
    process = start(*flags)
    deadline = time.monotonic() + 3000
    while not (tmp_path / "checkpoints" / "epoch-0002.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    out, err = process.communicate()
    assert process.returncode == -9, err
    newest = max((tmp_path / "checkpoints").glob("epoch-*.npz"))
    newest.write_bytes(newest.read_bytes()[:10_000])
    code, again, err = train(*flags)
    assert code == 0, err
    assert f"{newest.name}: damaged" in err
    assert [record["epoch"] for record in log(tmp_path)] == [1, 2, 3]
    card = json.loads((tmp_path / "preset" / "card.json").read_text())
    config = json.loads((tmp_path / "preset" / "config.json").read_text())["config"]
    if name == "vrn":
        assert "skipped 1 of 21 training grids, empty ones: 3" in out
        assert "skipped 1 of 21 training grids, empty ones: 3" in again
        assert (card["skipped_empty_grids_of_train"], card["empty_grids_kept_in_test"]) == ([3], [3])
        assert (card["test"]["voxels"], card["test"]["examples"], config["size"]) == (32, 6, 32)
    else:
        assert (card["test"]["points"], config["density"]) == (128, 0.125)


def assert_one_error(result, message):
    code, out, err = result
    assert code == 1
    assert err.startswith("error: ")
    assert err.count("\n") == 1, err
    assert message in err
    assert out == ""


@pytest.mark.parametrize("stages", ["abc", "", "512", "512x", "0x3", "64x0", "64x2x3", "-4x2"])
def test_bad_stages(run_app, stages, tmp_path):
    result = run_app("train", f"--stages={stages}", f"--output_dir={tmp_path / 'out'}")
    assert_one_error(result, f"--stages={stages}: write points x epochs, such as 512x12,1024x4")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data_dir=nowhere"], "nowhere: no such file or folder"),
        (["--model=vrn", "--stages=16x1", "--data_dir=nowhere"], "nowhere: no such file or folder"),
        (["--variant=ssg"], "--variant=ssg is not one of pointnet: full, basic"),
        (["--model=pointnet2", "--variant=basic"], "--variant=basic is not one of pointnet2: ssg, msg"),
        (["--model=vrn", "--stages=20x1"], "--stages=20x1: size 20: must be a multiple of 16"),
        (["--model=vrn", "--stages=16x1", "--variant=full"], "--variant=full is not one of vrn: none"),
        (["--model=vrn", "--stages=16x1", "--dropout=0.1"], "--dropout=0.1: the network vrn has no dropout"),
        (["--width=0.5"], "--width=0.5: the network pointnet has no width"),
        (
            ["--model=vrn", "--stages=16x1", "--width=0.3", "--num_train=32", "--num_test=1"],
            "--width=0.3: must be a positive multiple of 0.125",
        ),
        ([*SMALL, "--stages=16x1", "--augment=spin"], "unknown augmentation 'spin'"),
        ([*SMALL, "--stages=16x1", "--batch_size=100"], "larger than the 80 training examples"),
    ],
)
def test_flags_that_do_not_go_together(run_app, flags, message, tmp_path):
    assert_one_error(run_app("train", *flags, f"--output_dir={tmp_path / 'out'}"), message)
    assert not (tmp_path / "out" / "checkpoints").exists()


def test_parts(run_app, tmp_path):
    flags = ["--model=pointnetparts", "--width=0.125", *SMALL[:2], "--batch_size=16", "--stages=24x1"]
    code, out, err = run_app("train", *flags, "--validation_fraction=0.2", f"--output_dir={tmp_path}")
    assert (code, err) == (0, ""), err
    card = json.loads((tmp_path / "preset" / "card.json").read_text())
    assert (card["test"]["points"], card["test"]["examples"]) == (24, 20)
    assert {"overall_accuracy", "mean_iou", "mean_category_iou", "worst_categories"} <= card["test"].keys()
    assert "preset written to" in out


def test_an_output_dir_that_cannot_be_made(run_app, tmp_path):
    (tmp_path / "file").write_text("")
    assert_one_error(run_app("train", f"--output_dir={tmp_path / 'file' / 'out'}"), "cannot write here")


def test_an_argument_that_is_no_flag(run_app, tmp_path):
    assert_one_error(
        run_app("train", "shapes", f"--output_dir={tmp_path / 'out'}"), "unexpected argument 'shapes'"
    )


@pytest.mark.slow
def test_weights_of_another_network_to_start_from(run_app, tmp_path):
    flags = [*SMALL, "--stages=16x1", "--initial=pointnet_modelnet40", f"--output_dir={tmp_path / 'out'}"]
    assert_one_error(run_app("train", *flags), "--initial=pointnet_modelnet40: ")


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--model=mlp", "value should be one of <pointnet|pointnet2|pointnetparts|resnet3d|vrn>"),
        ("--batch_size=0", "not a positive integer"),
        ("--batch_size=many", "many"),
        ("--seed=-1", "not an integer in the range"),
        ("--validation_fraction=1.5", "not a number in the range"),
        ("--stage=16x1", "Unknown command line flag 'stage'"),
        ("--flagfile=nowhere.cfg", "nowhere.cfg"),
    ],
)
def test_flags_that_absl_refuses(run_app, flag, message):
    code, out, err = run_app("train", flag)
    assert code == 1
    assert message in err + out
    assert "Traceback" not in err
    assert (err + out).count("\n") <= 3


def test_help_names_every_flag():
    code, out, err = train("--help")
    assert code == 1  # absl's convention
    assert err == ""
    for name in ("stages", "output_dir", "validation_fraction", "precision"):
        assert f"--{name}" in out or f"]{name}" in out


def test_leaves_keyboard_interrupts_without_a_trace(tmp_path):
    program = "from tfxai3d import cli\ndef main(argv):\n    raise KeyboardInterrupt\ncli.run(main)\n"
    (tmp_path / "app.py").write_text(program)
    done = subprocess.run(
        [sys.executable, tmp_path / "app.py"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "interrupted\n")
