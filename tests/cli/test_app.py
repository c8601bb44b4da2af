"""The settings that a run keeps beside its results."""

import json
from types import SimpleNamespace

import pytest

from tfxai3d.cli import app as cli
from tfxai3d.errors import UserError


@pytest.fixture
def seed(monkeypatch):
    """Sets the value of a flag --seed."""

    def to(value):
        monkeypatch.setattr(cli.flags, "FLAGS", {"seed": SimpleNamespace(value=value)})

    to(1)
    return to


def test_a_run_goes_on_with_the_same_settings_only(seed, tmp_path):
    for _ in range(2):
        cli.keep_settings(tmp_path, ["seed"])
    kept = (tmp_path / "settings.json").read_bytes()
    assert json.loads(kept)["settings"] == {"seed": 1}
    seed(2)
    with pytest.raises(UserError, match=r"--seed=2: .* holds a run with 1; give the same flags"):
        cli.keep_settings(tmp_path, ["seed"])
    assert (tmp_path / "settings.json").read_bytes() == kept


@pytest.mark.parametrize("content", ["{", "[]", '{"seed": 1}'])
def test_settings_that_are_none_are_named(seed, tmp_path, content):
    (tmp_path / "settings.json").write_text(content)
    with pytest.raises(UserError, match=r"settings\.json: not the settings of a run; give another"):
        cli.keep_settings(tmp_path, ["seed"])


def test_a_report_holds_flags_versions_and_facts(monkeypatch, tmp_path):
    own = cli.flags.FlagValues()
    cli.flags.DEFINE_integer("seed", 7, "", flag_values=own, module_name="program")
    cli.flags.DEFINE_integer("other", 8, "", flag_values=own, module_name="library")
    own(["program"])
    monkeypatch.setattr(cli.flags, "FLAGS", own)
    cli.write_report("program", tmp_path / "run.json", {"found": 3})
    report = json.loads((tmp_path / "run.json").read_text())
    assert report["settings"] == {"seed": 7}
    assert report["found"] == 3
    assert report["versions"].keys() >= {"python", "platform", "keras"}
