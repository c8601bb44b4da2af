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
    assert names == {"log.csv", "settings.json"} | checkpoints | presets
    records = log(folder)
    assert [record["epoch"] for record in records] == [1, 2, 3, 4]
    expected = {"epoch", "accuracy", "loss", "validation_accuracy", "learning_rate", "seconds"}
    assert set(records[0]) == expected
    settings = json.loads((folder / "settings.json").read_text())
    expected = {"variant": "basic", "stages": ["16x2", "24x2"], "seed": 3}
    assert expected.items() <= settings["settings"].items()
    assert {"python", "platform", "keras", "numpy"} <= set(settings["versions"])
    assert "preset written to" in out


@pytest.mark.slow
def test_the_best_epoch_of_the_held_back_part_becomes_the_preset(finished):
    folder, _ = finished
    accuracies = [record["validation_accuracy"] for record in log(folder)]
    best = accuracies.index(max(accuracies)) + 1
    card = json.loads((folder / "preset" / "card.json").read_text())
    assert card["epoch_choice"] == f"{best}, the best on the held-back part"
    assert json.loads((folder / "best" / "card.json").read_text()) == {"validation_accuracy": max(accuracies)}
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
    assert "resuming after epoch " in out
    for ours, theirs in zip(log(tmp_path), log(finished[0]), strict=True):
        del ours["seconds"], theirs["seconds"]
        assert ours == pytest.approx(theirs, rel=1e-3)
    last = "checkpoints/epoch-0004.npz"
    resumed, straight = weights(tmp_path / last), weights(finished[0] / last)
    for name, value in straight.items():
        np.testing.assert_allclose(resumed[name], value, rtol=1e-3, atol=1e-4)
    leftovers = [path for path in tmp_path.rglob(".*") if path.is_file()]
    assert len(leftovers) <= 1  # of the write that was killed, at most


def assert_one_error(result, message):
    code, out, err = result
    assert code == 1
    assert err.startswith("error: ")
    assert err.count("\n") == 1, err
    assert message in err
    assert out == ""


@pytest.mark.parametrize("stages", ["abc", "", "512", "512x", "0x3", "64x0", "64x2x3", "-4x2"])
def test_bad_stages(stages, tmp_path):
    result = train(f"--stages={stages}", f"--output_dir={tmp_path / 'out'}")
    assert_one_error(result, "write points x epochs, such as 512x12,1024x4")
    assert not (tmp_path / "out").exists()


def test_modelnet_without_its_folder(tmp_path):
    result = train("--dataset=modelnet40", f"--output_dir={tmp_path / 'out'}")
    assert_one_error(result, "--dataset=modelnet40 needs --data_dir")
    assert not (tmp_path / "out").exists()


def test_an_output_dir_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    assert_one_error(train(f"--output_dir={tmp_path / 'file' / 'out'}"), "cannot write here")


def test_an_argument_that_is_no_flag(tmp_path):
    assert_one_error(train("shapes", f"--output_dir={tmp_path / 'out'}"), "unexpected argument 'shapes'")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--augment=spin", "unknown augmentation 'spin'"),
        ("--data_dir=nowhere", "test_files.txt: no such file"),
        ("--batch_size=100", "--batch_size=100 is larger than the 80 training clouds"),
    ],
)
def test_mistakes_that_are_found_later(flag, message, tmp_path):
    dataset = "--dataset=modelnet40" if "data_dir" in flag else "--dataset=shapes"
    result = train(*SMALL, "--stages=16x1", dataset, flag, f"--output_dir={tmp_path / 'out'}")
    assert_one_error(result, message.replace("test_files", "train_files"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--dataset=mnist", "value should be one of <shapes|modelnet40>"),
        ("--batch_size=0", "not a positive integer"),
        ("--batch_size=many", "many"),
        ("--seed=-1", "not an integer in the range"),
        ("--validation_fraction=1.5", "not a number in the range"),
        ("--stage=16x1", "Unknown command line flag 'stage'"),
        ("--flagfile=nowhere.cfg", "nowhere.cfg"),
    ],
)
def test_flags_that_absl_refuses(flag, message):
    code, out, err = train(flag)
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
