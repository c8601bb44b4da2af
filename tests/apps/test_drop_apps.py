"""apps/drop_curves.py, apps/asm.py and apps/zero_heat.py as their users meet them, in one process."""

import csv
import json
import re

import numpy as np
import pytest

from tests.reference.pages import data_of
from tfxai3d import data, evaluate, models
from tfxai3d.explain import Explanation
from tfxai3d.results.drop_table import DropTable

CURVES = ("--num_points=40", "--num_examples=3", "--num_drop=5", "--num_steps=2", "--batch_size=2")


@pytest.fixture
def run(run_app, tiny_presets, tmp_path):
    """Runs an app on a tiny network; returns exit code, stdout and stderr."""
    return lambda app, *arguments: run_app(
        app, f"--model={tiny_presets / 'points'}", f"--output_dir={tmp_path / 'out'}", *arguments
    )


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_curves(run, tmp_path):
    pytest.importorskip("matplotlib")
    conditions = "point_saliency,random,critical_points:lowest"
    code, out, err = run("drop_curves", *CURVES, f"--condition={conditions}")
    assert (code, err.count("error:")) == (0, 0)
    folder = tmp_path / "out"
    rows = [row for row in rows_of(folder / "curves.csv") if row["class"] == "all"]
    assert [(row["condition"], row["points"]) for row in rows] == [
        (name, points) for name in conditions.split(",") for points in ("40.0", "35.0", "30.0")
    ]
    assert {row["clouds"] for row in rows} == {"3"}
    first = [row for row in rows if row["iteration"] == "0"]
    np.testing.assert_allclose([float(row["loss"]) for row in first], float(first[0]["loss"]), rtol=1e-4)
    for name in ("point_saliency", "random", "critical_points_lowest"):
        assert [int((at >= 0).sum()) for at in DropTable.load(folder / f"{name}.h5").dropped_at] == [10] * 3
        assert (folder / f"sequence_{name}.html").stat().st_size > 4000
    assert all(
        (folder / f"{y}.{x}").exists() for y in ("accuracy", "loss", "confidence") for x in ("png", "svg")
    )
    text = (folder / "table.md").read_text(encoding="utf-8")
    assert text in out
    assert re.search(r"After 10 points: \w.* < .* < .* < \S+ \d\.\d{3}\.", text)  # three, and clean
    assert not (folder / "insertion.png").exists()
    assert json.loads((folder / "run.json").read_text(encoding="utf-8"))["settings"]["num_drop"] == 5


def test_insertion_is_drawn_where_a_run_went_to_the_last_points(run, tmp_path):
    pytest.importorskip("matplotlib")
    arguments = ("--num_points=20", "--num_examples=2", "--num_drop=5", "--num_steps=9")
    assert run("drop_curves", *arguments, "--condition=critical_points:lowest")[0] == 0
    assert {path.name for path in (tmp_path / "out").glob("insertion.*")} == {
        "insertion.png",
        "insertion.svg",
    }


def test_curves_go_on_where_they_were_stopped(run, tmp_path, monkeypatch):
    from tfxai3d.evaluate.dropping import experiment

    drop, batches = experiment.drop_clouds, []

    def killed(importance, clouds, *arguments, **options):
        batches.append(len(clouds))
        if len(batches) == 2:
            raise KeyboardInterrupt
        return drop(importance, clouds, *arguments, **options)

    monkeypatch.setattr(experiment, "drop_clouds", killed)
    arguments = (*CURVES, "--condition=random", "--nopictures")
    assert run("drop_curves", *arguments)[0] == 130
    assert len(DropTable.load(tmp_path / "out" / "random.h5")) == 2
    assert run("drop_curves", *arguments)[0] == 0
    assert batches == [2, 1, 1]
    table = DropTable.load(tmp_path / "out" / "random.h5")
    assert table.rows["cloud"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert run("drop_curves", *arguments)[0] == 0
    assert batches == [2, 1, 1]
    code, _, err = run("drop_curves", *arguments, "--seed=4")
    assert code == 1
    assert "--seed=4: " in err
    assert "holds a run with 0; give the same settings" in err


def test_curves_in_tensorboard(run, tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    pytest.importorskip("matplotlib")
    arguments = (*CURVES, "--condition=random", "--nopictures", "--tensorboard")
    for _ in range(2):  # and started again, they are there once
        assert run("drop_curves", *arguments)[0] == 0
        events = accumulator.EventAccumulator(str(tmp_path / "out" / "tensorboard" / "random")).Reload()
        assert [event.step for event in events.Tensors("dropping/accuracy")] == [0, 5, 10]


def test_asm(run, tmp_path):
    code, out, err = run(
        "asm",
        "--num_points=40",
        "--num_drop=4",
        "--num_steps=3",
        "--shape=cup",
        "--drop_neg",
        "--centre=0,1,0",
    )
    assert (code, err.count("error:")) == (0, 0)
    folder = tmp_path / "out" / "cup_0"
    report = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    explanation = Explanation.load(folder / "explanation.npz")
    assert explanation.options == {"centre": [0.0, 1.0, 0.0], "power": 1.0}
    lowest = np.argsort(explanation.importance[0], kind="stable")[:4]
    assert sorted(lowest) == np.flatnonzero(np.array(report["dropped_at"]) == 0).tolist()
    assert (report["points_removed"], report["stopped_by"]) == (12, "number of steps")
    assert [row["points"] for row in rows_of(folder / "iterations.csv")] == ["40", "36", "32", "28"]
    assert len(data_of((folder / "sequence.html").read_text(encoding="utf-8"))["steps"]) == 4
    assert "12 points removed" in out


def test_asm_until_the_decision_changes(run, tmp_path):
    code, _, _ = run(
        "asm", "--num_points=30", "--num_drop=5", "--until_changed", "--rotations=3", "--label=sofa"
    )
    assert code == 0
    report = json.loads((tmp_path / "out" / "chair_0" / "run.json").read_text(encoding="utf-8"))
    assert report["stopped_by"] in ("decision", "wrong from the start", "minimum of points")


def test_asm_by_the_vote_of_even_turns(run, tmp_path):
    """The decision is that of the four copies, recorded in each step as 1 or 0."""
    arguments = ("--num_points=30", "--num_drop=5", "--num_steps=2", "--label=sofa", "--num_votes=4")
    assert run("asm", *arguments)[0] == 0
    rows = rows_of(tmp_path / "out" / "chair_0" / "iterations.csv")
    assert [float(row["accuracy"]) in (0, 1) for row in rows] == [True] * 3
    explanation = Explanation.load(tmp_path / "out" / "chair_0" / "explanation.npz")
    report = json.loads((tmp_path / "out" / "chair_0" / "run.json").read_text(encoding="utf-8"))
    model = models.from_preset(report["settings"]["model"])
    turned = data.rotated_points(explanation.inputs, 4)
    shares = [evaluate.classify(model, view, explanation.target).probabilities[0] for view in turned]
    losses = [-np.log(share[explanation.target[0]]) for share in shares]
    assert float(rows[0]["loss"]) == pytest.approx(np.mean(losses), rel=1e-3)


@pytest.mark.slow
def test_comparison_of_modes(run, tmp_path):
    pytest.importorskip("matplotlib")
    arguments = (
        "--model=pointnet_shapes",
        "--num_points=64",
        "--rotations=2",
        "--mode=asm",
        "--asm_control",
        "--num_drop=20",
    )
    code, out, _ = run("compare_modes", *arguments)
    assert code == 0
    folder = tmp_path / "out"
    runs, steps = rows_of(folder / "runs.csv"), rows_of(folder / "steps.csv")
    assert len({row["class"] for row in runs}) > 10
    for row in runs:
        own = [step for step in steps if all(step[k] == row[k] for k in ("object", "mode", "control"))]
        assert len(own) == int(row["iterations"])
        assert sum(int(step["dropped"]) for step in own) == int(row["removed"])
    assert (folder / "table.md").read_text(encoding="utf-8") in out
    plots = {f"asm_{name}" for name in ("seconds", "removed", "accuracy", "points")}
    plots |= {"points", "accuracy", "loss"}
    assert {path.stem for path in (folder / "plots").glob("*.svg")} == plots
    assert run("compare_modes", *arguments)[1] == out


def test_points_that_win_nowhere_change_nothing(run, tmp_path):
    code, out, _ = run("zero_heat", "--num_points=200", "--num_examples=6")
    assert code == 0
    table = (tmp_path / "out" / "table.md").read_text(encoding="utf-8")
    assert table in out
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    rows = {name: [float(cell.rstrip("%")) for cell in cells] for name, *cells in lines}
    points, *_, change = rows["points that win nowhere"]
    assert points < 200
    assert change < 1e-4
    assert rows["random, as many as points that win nowhere"][0] == points
    assert rows["random, as many as points that win nowhere"][3] > 1e-2
    assert rows["points without heat, max pooling"][0] < points


@pytest.mark.parametrize(
    ("app", "argument", "message"),
    [
        ("asm", "--centre=1,2", "--centre=1,2: give median, mean, ball, or three numbers"),
        ("asm", "--rotations=3 --num_votes=3", "copies that are counted, or --num_votes"),
        ("asm", "--index=x", "--index=x: give numbers from 0"),
        ("asm", "--data_dir=nowhere", "--data_dir needs --label"),
        ("asm", "--label=spoon", "'spoon' is no class of the model"),
        ("asm", "--centre=ball", "has no balls of neighbours"),
        ("drop_curves", "--condition=guess", "unknown method 'guess'"),
        ("drop_curves", "--condition=random:best", "after the colon say highest or lowest"),
        ("drop_curves", "--data_dir=nowhere", "no such file"),
    ],
)
def test_mistakes_are_one_line(run, tmp_path, app, argument, message):
    code, _, err = run(app, *argument.split())
    assert code == 1
    assert message in err.splitlines()[-1]
    assert not (tmp_path / "out").exists()
