"""The command `tfxai3d`, and the flagfiles that travel with the apps."""

import subprocess
import sys
from pathlib import Path

import pytest

from tfxai3d.cli import app, command
from tfxai3d.errors import UserError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the command; returns exit code, stdout and stderr."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["tfxai3d", *words])
        code = 0
        try:
            command.main()
        except SystemExit as ended:
            code = ended.code or 0
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_it_lists_all_apps_with_what_they_do(run, words):
    code, out, err = run(*words)
    assert (code, err) == (0, "")
    listed = [line.split()[0] for line in out.splitlines() if line.startswith("  ")]
    assert listed == sorted(path.stem for path in (ROOT / "apps").glob("*.py"))
    assert "Shows why a network decided" in out


def test_an_unknown_app_is_one_line_that_lists_them(run):
    code, out, err = run("p-grad-cam")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("error: no app 'p-grad-cam'; the apps are asm, compare, compare_modes, ")


def test_help_takes_no_tensorflow():
    code = (
        "import sys\nfrom tfxai3d.cli import command\nsys.argv = ['tfxai3d', *sys.argv[1:]]\n"
        "try:\n    command.main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'tensorflow', 'keras'} & sys.modules.keys()))"
    )
    for words in ([], ["explain", "--help"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "[]"
    assert "--methods" in done.stdout
    assert "--shard_size" in done.stdout
    assert "Shows why a network decided" in done.stdout
    assert "  tfxai3d explain --flagfile=explain.cfg\n" in done.stdout  # as it was called
    assert "apps/" not in done.stdout.partition("\nflags:")[0]


@pytest.mark.parametrize("words", [["--flagfile={}"], ["--flagfile", "{}"], ["-flagfile={}"]])
@pytest.mark.parametrize("name", ["p_grad_cam.cfg", "apps/flags/p_grad_cam.cfg", "./p_grad_cam.cfg"])
def test_a_shipped_flagfile_is_found_from_anywhere(tmp_path, monkeypatch, words, name):
    monkeypatch.chdir(tmp_path)
    words = [word.format(name) for word in words]
    shipped = f"--flagfile={ROOT / 'apps' / 'flags' / 'p_grad_cam.cfg'}"
    assert command.with_shipped_flagfiles(["app", *words, "--seed=1"]) == ["app", shipped, "--seed=1"]
    mine = tmp_path / name
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("")
    assert command.with_shipped_flagfiles(["app", *words]) == ["app", f"--flagfile={Path(name)}"]


@pytest.mark.parametrize("name", ["nowhere.cfg", "elsewhere/p_grad_cam.cfg", ""])
def test_a_missing_flagfile_is_an_error_that_lists_the_shipped_ones(name):
    with pytest.raises(
        UserError, match=f"--flagfile={name}: no such file; shipped are compare.cfg, compare_modelnet40.cfg, "
    ):
        command.with_shipped_flagfiles(["app", f"--flagfile={name}"])


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("num_points must be at least 1", "--num_points must be at least 1"),
        ("data_dir 'x': no such folder", "--data_dir 'x': no such folder"),
        ("out holds a run with seed=1, not 2", "out holds a run with --seed=1, not 2"),
        ("target must be in 0..3", "--target must be in 0..3"),
        ("'chairs' is no class of the model", "'chairs' is no class of the model"),
        ("a/num_points.ply: no such file", "a/num_points.ply: no such file"),
        ("--seed=1: give another --data_dir", "--seed=1: give another --data_dir"),
        ("'num_points': no preset", "'num_points': no preset"),
    ],
)
def test_an_argument_that_a_message_names_is_shown_as_the_flag(message, shown):
    names = ["num_points", "data_dir", "seed", "target", "model"]
    assert app._named_as_flags(message, names) == shown
