"""apps/compare.py: contests of several runs in one league, and mistakes in one line."""

import csv

import numpy as np
import pytest

from tfxai3d import storage


def flags(tmp_path, *more):
    options = ("--model=pointnet_shapes", "--num_points=64", "--num_examples=3")
    return (*options, "--methods=vanilla_gradient,gradient_times_input", f"--output_dir={tmp_path}", *more)


def test_a_league_of_two_runs(run_app, tmp_path):
    code, out, err = run_app("compare", *flags(tmp_path, "--metrics=deletion,gini,parameters"))
    assert code == 0, err
    assert "| 1 |" in out
    (folder,) = [path.parent for path in tmp_path.glob("*/run.json")]
    kept = (folder / "vanilla_gradient.scores.npz").stat().st_mtime_ns
    code, out, err = run_app("compare", *flags(tmp_path, "--metrics=deletion,gini,parameters"))
    assert code == 0, err
    assert (folder / "vanilla_gradient.scores.npz").stat().st_mtime_ns == kept
    rows = list(csv.DictReader((tmp_path / "league.csv").open(encoding="utf-8")))
    assert {row["method"] for row in rows} == {"vanilla_gradient", "gradient_times_input", "random"}
    assert {row["metric"] for row in rows} == {"deletion", "gini", "parameters"}
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "random" in page
    assert "data:image/png;base64," in page
    for name in ("league.png", "cost.png", "table.md", "run.json"):
        assert (tmp_path / name).stat().st_size > 0
    assert (folder / "maps.png").stat().st_size > 0


def test_maps_of_another_program_and_another_seed_join_the_league(run_app, tmp_path):
    more = ("--metrics=deletion,gini", "--nopictures")
    assert run_app("compare", *flags(tmp_path, *more))[0] == 0
    (folder,) = [path.parent for path in tmp_path.glob("*/run.json")]
    with storage.open_npz(folder / "examples.npz", "examples") as store:
        inputs = store["inputs"]
    theirs = tmp_path / "distance.npz"
    storage.write_npz(theirs, {"importance": np.linalg.norm(inputs, axis=-1), "inputs": inputs})
    code, out, err = run_app("compare", *flags(tmp_path, *more, f"--maps={theirs}"))
    assert code == 0, err
    assert "| distance |" in out
    code, out, err = run_app("compare", *flags(tmp_path, *more, "--seed=1"))
    assert code == 0, err
    assert "seed_0 and seed_1" in out
    rows = list(csv.DictReader((tmp_path / "league.csv").open(encoding="utf-8")))
    counts = {row["method"]: row["examples"] for row in rows if row["metric"] == "deletion"}
    assert counts == {"vanilla_gradient": "6", "gradient_times_input": "6", "random": "6", "distance": "3"}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--metrics=trust"], "metrics 'trust': must be one of deletion"),
        (["--methods=guess"], "unknown method 'guess'"),
        (["--ground_truth=nose"], "must be one of back"),
        (["--maps=theirs.npz"], "theirs.npz"),
        (["--num_repeated=0"], "repeated=0"),
    ],
)
def test_mistakes_are_one_line(run_app, tmp_path, more, message):
    code, _, err = run_app("compare", *flags(tmp_path), *more)
    assert code == 1
    assert message in err
    assert err.strip().count("\n") == 0
    assert not (tmp_path / "league.csv").exists()
