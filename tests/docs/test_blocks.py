"""What the pages show is run: every block of Python, every command; what is not says why in the page."""

import importlib.util
import sys
import webbrowser
from unittest import mock

import pytest
from absl import flags
from absl.testing import flagsaver

from tests.apps.conftest import run_app  # noqa: F401 - a fixture
from tests.docs import world
from tests.docs.pages import PAGES, ROOT, Block, blocks, inline, programs
from tfxai3d import models

ALL = [block for page in PAGES for block in blocks(page)]
# What costs time and changes nothing of the way that a command goes.
FEW = {
    "explain": ["--steps=2", "--nopictures"],
    "p_grad_cam": ["--rotations=2", "--nopictures"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("reader")
    world.make(place)
    return place


@pytest.mark.parametrize("block", ALL, ids=str)
def test_a_block_is_run_or_says_why_not(block):
    if block.mark == "run by":
        assert block.reason.startswith("nox -s ") or (ROOT / block.reason).is_file()
    elif block.mark is None:
        assert block.language == "python" or len([*programs(block.text)]) == len(_commands(block))
    else:
        assert len(block.reason) > 10


def test_a_block_that_is_neither_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "Try\n\n    docker run it\n\nor\n\n<!-- not run: no such server -->\n\n    curl it\n", "utf-8"
    )
    one, other = blocks(str(page))
    with pytest.raises(AssertionError):
        test_a_block_is_run_or_says_why_not(one)
    assert (one.line, other.mark, other.reason) == (3, "not run", "no such server")


PYTHON = [page for page in PAGES if any(_ for _ in blocks(page) if _.language == "python" and not _.mark)]


@pytest.mark.parametrize("page", PYTHON)
def test_the_python_of_a_page(page, folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(webbrowser, "open", lambda uri: True)
    monkeypatch.setattr(models, "from_preset", lambda name: world.small(name))
    names = world.names_of(page, folder)
    for block in blocks(page):
        if block.language == "python" and not block.mark:
            exec(compile(block.text, str(block), "exec"), names)


COMMANDS = [block for block in ALL if not block.mark and block.language != "python"]


@pytest.mark.parametrize("block", COMMANDS, ids=str)
def test_the_commands_of_a_block(block, folder, run_app, monkeypatch):  # noqa: F811
    monkeypatch.chdir(folder)
    for app, arguments in programs(block.text):
        code, out, err = run_app(app, *arguments, *FEW.get(app, ()))
        assert code == 0, err
        assert out


@pytest.mark.parametrize("page", PAGES)
def test_the_flags_of_all_commands_are_known(page, parse, monkeypatch):
    """Also of those that need data or hours."""
    marked = [program for block in blocks(page) if block.mark for program in programs(block.text)]
    for app, arguments in [*marked, *inline(page)]:
        installed = arguments[0].startswith("--flagfile=") and "/" not in arguments[0]
        monkeypatch.chdir(ROOT / "apps" / "flags" if installed else ROOT)
        if arguments != ["--help"]:
            parse(app, arguments)


def _commands(block: Block) -> list[str]:
    """Returns the lines of a block that begin a command."""
    lines = block.text.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip()]


@pytest.fixture
def parse(monkeypatch):
    """Gives a program its flags without running it; an unknown one is an error."""

    def give(app, arguments):
        spec = importlib.util.spec_from_file_location(f"{app}_app", ROOT / "apps" / f"{app}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        try:
            with flagsaver.flagsaver(), mock.patch.object(sys, "argv", [app]):
                flags.FLAGS([app, *arguments])
        finally:
            for flag in flags.FLAGS.get_flags_for_module(spec.name):
                delattr(flags.FLAGS, flag.name)

    return give
