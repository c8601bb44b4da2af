"""How flags reach a run's settings, and how the library's errors name them."""

import sys

import pytest
from absl import app, flags

from tfxai3d import cli
from tfxai3d.errors import UserError
from tfxai3d.storage import read_run


@pytest.fixture
def own(monkeypatch):
    own = flags.FlagValues()
    flags.DEFINE_integer("seed", 7, "", flag_values=own, module_name="program")
    flags.DEFINE_integer("other", 8, "", flag_values=own, module_name="library")
    own(["program"])
    monkeypatch.setattr(flags, "FLAGS", own)
    return own


def test_a_report_holds_flags_versions_and_facts(own, tmp_path):
    cli.write_report("program", tmp_path, {"found": 3})
    report = read_run(tmp_path)
    assert report["settings"] == {"seed": 7}
    assert report["found"] == 3
    assert report["versions"].keys() >= {"python", "platform", "keras"}


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("seed=2: out holds a run with 1", "--seed=2: out holds a run with 1"),
        ("width=2: out holds a run with 1", "width=2: out holds a run with 1"),
        ("out: no such file", "out: no such file"),
        ("no class 'a\nb\x1b[2J', only 'ü'", "no class 'a\\nb\\x1b[2J', only 'ü'"),
    ],
)
def test_an_error_that_names_an_argument_says_the_flag(own, monkeypatch, capsys, message, said):
    def fail(argv):
        raise UserError(message)

    fail.__module__ = "program"
    monkeypatch.setattr(app, "run", lambda main, argv: main(["program"]))
    with pytest.raises(SystemExit) as ended:
        cli.run(fail)
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"error: {said}\n"


@pytest.mark.parametrize(("load", "package"), [("load_tensorflow", "tensorflow"), ("load_keras", "keras")])
def test_what_to_compute_with_is_missing(load, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match="pip install tensorflow"):
        getattr(cli, load)()
