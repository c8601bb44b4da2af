"""apps/reproduce.py: a page of findings, from embedded data."""

import json


def test_two_figures_in_a_page(run_app, tmp_path):
    flags = ("--experiments=figure_1,figure_6", f"--output_dir={tmp_path}")
    code, out, err = run_app("reproduce", *flags)
    assert code == 0, err
    assert "figure_6: reproduced" in out
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 3
    assert page.count("<td>reproduced</td>") == 2
    assert "python apps/reproduce.py --experiments=figure_1,figure_6" in page
    run = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert run["verdicts"]["figure_1"] == "reproduced"
    when = (tmp_path / "figure_6" / "finding.json").stat().st_mtime_ns
    code, _, err = run_app("reproduce", *flags)
    assert code == 0, err
    assert (tmp_path / "figure_6" / "finding.json").stat().st_mtime_ns == when
    code, _, err = run_app("reproduce", *flags, "--seed=1")
    assert code == 1
    assert "--seed=1" in err


def test_mistakes_are_one_line(run_app, tmp_path):
    code, _, err = run_app("reproduce", "--profile=full", f"--output_dir={tmp_path}")
    assert code == 1
    assert "needs --data_dir and --voxel_dir" in err
    code, _, err = run_app("reproduce", "--experiments=figure_9", f"--output_dir={tmp_path}")
    assert code == 1
    assert "must be one of figure_1" in err
