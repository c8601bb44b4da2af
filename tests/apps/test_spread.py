"""Work divided by --num_workers: done by other processes, and what they leave by the app itself."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tfxai3d.results.drop_table import DropTable

FLAGS = (
    "--num_points=40",
    "--num_examples=3",
    "--num_drop=5",
    "--num_steps=2",
    "--batch_size=2",
    "--nopictures",
)
CONDITIONS = ("point_saliency", "random")


@pytest.fixture
def run(run_app, tiny_presets, tmp_path, monkeypatch):
    """Runs drop_curves on a tiny network; returns the tables that are in its folder."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))

    def run(folder, *arguments):
        given = (f"--model={tiny_presets / 'points'}", f"--condition={','.join(CONDITIONS)}", *FLAGS)
        code, out, err = run_app("drop_curves", *given, f"--output_dir={tmp_path / folder}", *arguments)
        assert (code, err.count("error:")) == (0, 0)
        assert out.splitlines()[-1] == f"results in {tmp_path / folder}"
        assert (tmp_path / folder / "table.md").read_text(encoding="utf-8") in out
        return [DropTable.load(tmp_path / folder / f"{name}.h5") for name in CONDITIONS]

    return run


@pytest.mark.slow
def test_two_processes_drop_what_one_does_to_the_bit(run, monkeypatch):
    from tfxai3d.evaluate.dropping import experiment

    expected = run("one")
    monkeypatch.setattr(experiment, "drop_clouds", None)  # this process could not do it
    for table, wanted in zip(run("two", "--num_workers=2"), expected, strict=True):
        for name in set(wanted.rows.dtype.names) - {"seconds"}:
            np.testing.assert_array_equal(table.rows[name], wanted.rows[name])
        np.testing.assert_array_equal(table.dropped_at, wanted.dropped_at)


def test_what_processes_leave_is_done_here(run, monkeypatch):
    from tfxai3d.cli import processes

    commands = []  # of processes that die
    dying = SimpleNamespace(DEVNULL=None, run=lambda command, **_: commands.append(command))
    monkeypatch.setattr(processes, "subprocess", dying)
    assert all(len(table) == 3 for table in run("out", "--num_workers=2"))
    assert sorted(command[-1] for command in commands) == [f"--condition={name}" for name in CONDITIONS]
    assert all("--num_workers=0" in command[-2:] for command in commands)
