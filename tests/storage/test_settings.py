"""What a run keeps beside its results."""

import json
import subprocess
import sys

import pytest

from tfxai3d.errors import UserError
from tfxai3d.storage import read_run, run_folder, write_facts, write_run


def keep_settings(*of_the_run):
    """A run that does nothing."""
    with run_folder(*of_the_run):
        pass


def test_a_run_goes_on_with_the_same_settings_only(tmp_path):
    settings = {"seed": 1, "stages": ("512x12", "1024x4")}
    for _ in range(2):
        keep_settings(tmp_path / "out", settings, "*.npz")
    kept = (tmp_path / "out" / "run.json").read_bytes()
    assert json.loads(kept)["settings"] == {"seed": 1, "stages": ["512x12", "1024x4"]}
    with pytest.raises(UserError, match=r"^seed=2: .*out holds a run with 1; give the same settings"):
        keep_settings(tmp_path / "out", settings | {"seed": 2}, "*.npz")
    with pytest.raises(UserError, match=r"^width=2: .* holds a run with None; give the same"):
        keep_settings(tmp_path / "out", settings | {"width": 2}, "*.npz")
    assert (tmp_path / "out" / "run.json").read_bytes() == kept


def test_a_line_is_of_reasonable_length(tmp_path):
    keep_settings(tmp_path, {"files": ["x" * 9000]}, "*.npz")
    with pytest.raises(UserError) as caught:
        keep_settings(tmp_path, {"files": ["y" * 9000]}, "*.npz")
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


def test_results_of_unknown_settings_are_left_alone(tmp_path):
    (tmp_path / "epoch-0001.npz").touch()
    with pytest.raises(UserError, match="holds a run of unknown settings; give another folder"):
        keep_settings(tmp_path, {"seed": 1}, "epoch-*.npz")
    keep_settings(tmp_path, {"seed": 1}, "*.h5")


def test_facts_are_added_and_replaced(tmp_path):
    write_run(tmp_path, {"seed": 7}, found=3, table=[1])
    write_facts(tmp_path, table=[1, 2])
    run = read_run(tmp_path)
    assert (run["settings"], run["found"], run["table"]) == ({"seed": 7}, 3, [1, 2])
    assert run["versions"].keys() >= {"python", "platform", "keras"}
    write_run(tmp_path, {"seed": 8})
    assert read_run(tmp_path).keys() == {"settings", "versions"}


DEEP = pytest.param("[" * 100_000 + "]" * 100_000, id="deep")


@pytest.mark.parametrize("content", ["{", "[]", '{"seed": 1}', '{"settings": [1]}', "\udcff", DEEP])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / "run.json").write_bytes(content.encode(errors="surrogateescape"))
    for act in (read_run, write_facts, lambda folder: keep_settings(folder, {"seed": 1}, "*")):
        with pytest.raises(UserError, match=r"run\.json: not the settings of a run; give another"):
            act(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    for act in (read_run, write_facts):
        with pytest.raises(UserError, match=r"run\.json: no such file"):
            act(tmp_path)


HOLD = """
import sys
from tfxai3d.storage import run_folder
with run_folder(sys.argv[1], {"seed": 1}, "*.npz"):
    print("begun", flush=True)
    input()
"""


class TestTwoRunsIntoOneFolder:
    def test_the_second_says_so(self, tmp_path):
        command = [sys.executable, "-c", HOLD, str(tmp_path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
            assert first.stdout.readline().strip() == b"begun"
            with pytest.raises(UserError, match="another run is at work here; wait for its end, or give"):
                keep_settings(tmp_path, {"seed": 1}, "*.npz")
            keep_settings(tmp_path / "elsewhere", {"seed": 1}, "*.npz")
            keep_settings(tmp_path, {"seed": 1}, "*.npz", True)  # one of several workers
            first.kill()
            first.wait()
        keep_settings(tmp_path, {"seed": 1}, "*.npz")  # a killed run holds nothing
        assert {path.name for path in tmp_path.iterdir()} == {"run.json", "elsewhere"}

    def test_a_run_that_fails_frees_the_folder(self, tmp_path):
        with pytest.raises(ZeroDivisionError), run_folder(tmp_path, {}, "*.npz"):
            raise ZeroDivisionError
        keep_settings(tmp_path, {}, "*.npz")

    def test_without_a_folder_nothing_is_held(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        keep_settings(None, {}, "*.npz")
        assert not list(tmp_path.iterdir())
