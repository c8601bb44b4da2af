"""The papers again: findings and their files, what is done twice, verdicts that follow from the numbers."""

import dataclasses

import numpy as np
import pytest

from tfxai3d import papers
from tfxai3d.errors import UserError
from tfxai3d.evaluate import claims
from tfxai3d.evaluate.statistics import Interval
from tfxai3d.papers import experiments, gupta_figures, gupta_table

TINY = dataclasses.replace(papers.QUICK, examples=4, maps=2, classes=1, rotations=2, points=64, steps=2)


def test_a_finding_is_what_was_saved(tmp_path):
    (tmp_path / "a.png").write_bytes(b"png")
    finding = papers.Finding("T", "p", "o", "reproduced", ("x",), (("1",),), {"a.png": "c"})
    finding.save(tmp_path / "finding.json")
    again = papers.Finding.load(tmp_path / "finding.json")
    assert again.title == "T"
    assert [list(row) for row in again.rows] == [["1"]]
    section = again.section(tmp_path)
    assert section.texts[-1] == "Verdict: reproduced."
    assert section.pictures == [(tmp_path / "a.png", "c")]
    (tmp_path / "finding.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="not a finding"):
        papers.Finding.load(tmp_path / "finding.json")


def test_what_is_found_is_not_found_again(tmp_path, monkeypatch):
    calls = []

    def experiment(setting, folder):
        calls.append(folder.name)
        return papers.Finding("T", "p", "o", "reproduced")

    monkeypatch.setattr(experiments, "EXPERIMENTS", {"one": experiment, "two": experiment})
    setting = papers.Setting(TINY)
    assert [name for name, _ in papers.reproduce(setting, tmp_path)] == ["one", "two"]
    assert [name for name, _ in papers.reproduce(setting, tmp_path, ["two"])] == ["two"]
    assert calls == ["one", "two"]
    with pytest.raises(UserError, match="must be one of one, two"):
        next(papers.reproduce(setting, tmp_path, ["three"]))


def table(rows):
    return claims.Table("", "", {}, rows)


def certain(*values):
    return [Interval(value, value, value) for value in values]


@pytest.mark.parametrize(
    ("empty", "masked", "within", "verdict"),
    [
        (0.9, 0.8, 0.7, "reproduced"),
        (0.9, 0.8, 0.3, "reproduced in part"),
        (0.3, 0.8, 0.7, "differs: most"),
        (0.9, 0.05, 0.7, "differs: masked"),
    ],
)
def test_the_verdict_on_figure_3_follows_from_the_numbers(
    tmp_path, monkeypatch, empty, masked, within, verdict
):
    pairs = {
        "`vanilla_gradient`, `gradient_times_input`": certain(0.1, 1.0),
        "`gradient_times_input`, `integrated_gradients`": certain(masked, within),
    }
    noise = {"`vanilla_gradient`": certain(empty), "`gradient_times_input`": certain(0.0)}
    claim = claims.Claim("", (table(noise), table(pairs)))
    monkeypatch.setattr(gupta_figures, "_panel", lambda *arguments: None)
    monkeypatch.setattr(claims, "empty_voxels", lambda *arguments, **options: claim)
    found = gupta_figures.figure_3(papers.Setting(TINY), tmp_path)
    assert found.verdict.startswith(verdict)
    assert (found.verdict == "reproduced") == (verdict == "reproduced")
    assert f"{empty:.0%}" in found.ours


@pytest.mark.parametrize(
    ("accuracy", "verdict"),
    [([0.905, 0.1, 0.913, 0.911], "reproduced on ModelNet10"), ([0.905, 0.1, 0.80, 0.7], "differs")],
)
def test_the_verdict_on_table_1_follows_from_the_accuracies(tmp_path, monkeypatch, accuracy, verdict):
    values = iter(accuracy)
    monkeypatch.setattr(gupta_table, "_row", lambda *arguments: ("1 of 2 (50.00%)", next(values), ("", "")))
    found = gupta_table.table_1(papers.Setting(TINY, modelnet10=tmp_path), tmp_path)
    assert found.verdict.startswith(verdict)
    assert found.rows[2][2] == f"{accuracy[2]:.1%}"


def test_procedural_objects_stand_in_for_the_data():
    setting = papers.Setting(TINY)
    some = setting.named("pointnet2_ssg_modelnet40", ("chair", "desk"), 64)
    assert [some.class_names[label] for label in some.labels] == ["chair", "desk"]
    assert some.inputs.shape == (2, 64, 3)
    grids = setting.objects("vrn_half_modelnet10", 3)
    assert len(grids) == 3
    assert np.asarray(grids.inputs).any(axis=(1, 2, 3, 4)).all()
    assert setting.network("vrn_half_modelnet10") is setting.network("vrn_half_modelnet10")
