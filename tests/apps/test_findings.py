"""The program as its users meet it, on tiny networks with random weights."""

import json

import pytest


@pytest.fixture
def run(run_app, tmp_path):
    """Runs the program; returns exit code, stdout and stderr."""
    small = ("--num_examples=4", "--num_points=40", f"--output_dir={tmp_path / 'out'}")
    return lambda *arguments: run_app("findings", *small, *arguments)


def test_every_section_has_its_numbers(run, tiny_presets, tmp_path):
    points = tiny_presets / "points"
    code, out, err = run(
        f"--models={points},{tiny_presets / 'voxels'}",
        f"--pruned={points}={points}",
        "--methods=vanilla_gradient,p_grad_cam",
    )
    assert code == 0, err
    text = (tmp_path / "out" / "findings.md").read_text(encoding="utf-8")
    assert text == out
    edges, removal, *of_voxels, voxels, pruned = text.split("\n## ")[1:]
    assert len(of_voxels) == 2
    for section in (edges, of_voxels[0]):
        row = next(line for line in section.splitlines() if "vanilla" in line)
        assert 0 < float(row.split("|")[2].split("%")[0]) < 100
    for section in (removal, of_voxels[1]):
        assert section.count("\n| ") == 5
    rows = {
        line.split("|")[1].strip(): line.split("|")[2:-1]
        for line in voxels.splitlines()
        if line.startswith("| `")
    }
    assert rows["`gradient_times_input`"][0].strip() == "0.0% (0.0% to 0.0%)"
    # On occupied voxels a gradient times 1 is the gradient.
    assert "+1.00" in rows["`vanilla_gradient`, `gradient_times_input`"][1]
    assert pruned.count("+1.00 (+1.00 to +1.00)") == 2  # a network agrees with itself
    deletions = [line.split("|")[3:6] for line in pruned.splitlines() if line.startswith(("| `", "| random"))]
    assert len(deletions) == 3
    assert all(len(set(three)) == 1 for three in deletions)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["settings"]["num_examples"] == 4
    assert "nan" not in text


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--methods=guess"], "unknown method 'guess'"),
        (["--pruned=a"], "--pruned=a: give pairs"),
    ],
)
def test_a_mistake_is_one_line(run, tmp_path, flags, message):
    code, _, err = run(*flags)
    assert (code, err.count("\n")) == (1, 1)
    assert message in err
    assert not (tmp_path / "out").exists()
