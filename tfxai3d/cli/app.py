"""What all apps share: one-line errors, exit codes, and the settings of a run."""

import importlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from absl import app, flags

from tfxai3d import storage
from tfxai3d.errors import UserError, missing_extra

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # warnings and worse; read when TensorFlow is imported

_PACKAGES = ("tfxai3d", "tensorflow", "tensorflow-cpu", "keras", "numpy")


def run(main: Callable[[list[str]], None]) -> None:
    """Runs an absl app; a mistake of the user ends in one line on stderr and exit code 1."""

    def guarded(argv: list[str]) -> None:
        try:
            if len(argv) > 1:
                raise UserError(f"unexpected argument {argv[1]!r}: every option is a flag, see --help")
            main(argv)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(1)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            sys.exit(130)

    app.run(guarded)


def load_tensorflow() -> None:
    """Imports TensorFlow with its start-up notices kept off the terminal.

    Apps call it once their flags are known to be right, so that help and mistakes take no seconds. Some of
    the notices ignore TF_CPP_MIN_LOG_LEVEL and are written by C++, hence the redirection.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            importlib.import_module("tensorflow")
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


def check_output_dir(path: str | os.PathLike[str]) -> None:
    """Checks that a folder can be made or written to, before any work is done for it; makes nothing.

    Raises:
        UserError: If it cannot.
    """
    absolute = Path(path).absolute()
    nearest = next(folder for folder in (absolute, *absolute.parents) if os.path.exists(folder))
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise UserError(f"{path}: cannot write here ({nearest} is not a writable folder)")


def check_package(package: str, extra: str, without: str = "--nopictures") -> None:
    """Checks that the package which draws the pictures is installed, before any work is done for them.

    Raises:
        UserError: If it is not; the remedy is its extra or the flag `without`.
    """
    if importlib.util.find_spec(package) is None:
        raise UserError(f"{missing_extra(package, extra)}, or give {without}")


def print_row(cells: Iterable[object]) -> None:
    """Prints a row of a table, columns of one width, numbers with three decimals."""
    texts = (f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells)
    print(" ".join(f"{text:>11}" for text in texts), flush=True)


def changed_flags(app_path: str) -> list[str]:
    """Returns the app's own flags that differ from their defaults, as command-line words."""
    own = flags.FLAGS.flags_by_module_dict().get(app_path, [])
    return [flag.serialize() for flag in own if flag.value != flag.default and flag.value is not None]


def keep_settings(output_dir: str | os.PathLike[str], names: Iterable[str]) -> None:
    """Notes in settings.json what decides a run's result, so that nobody goes on with something else.

    Args:
        output_dir: Folder of the run.
        names: The flags that must be those of the run which is in the folder already, if one is.

    Raises:
        UserError: If one of them is another; it names the flag. Or if settings.json is damaged.
    """
    settings = {name: flags.FLAGS[name].value for name in names}
    path = Path(output_dir) / "settings.json"
    try:
        old = json.loads(path.read_text(encoding="utf-8"))["settings"] if path.exists() else settings
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not the settings of a run; give another --output_dir") from error
    for name, value in settings.items():
        if old.get(name) != value:
            raise UserError(
                f"--{name}={value}: {output_dir} holds a run with {old.get(name)}; "
                "give the same flags to go on, or another --output_dir"
            )
    storage.write_json(path, {"settings": settings, "versions": versions()})


def write_report(app_name: str, path: str | os.PathLike[str], facts: Mapping[str, Any]) -> None:
    """Writes what a run found as JSON, with the program's flags and the versions that decide results.

    Args:
        app_name: The program's `__name__`.
        path: The file.
        facts: What it shall say, by name; its own "settings", if any, stand instead of the flags.
    """
    own = flags.FLAGS.get_flags_for_module(app_name)
    settings = {flag.name: flag.value for flag in own}
    storage.write_json(path, {"settings": settings, "versions": versions(), **facts})


def versions() -> dict[str, str]:
    """Returns the versions of Python, the platform and the packages that decide results."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
