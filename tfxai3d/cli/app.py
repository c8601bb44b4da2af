"""What all apps share: one-line errors, exit codes, and the settings of a run."""

import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from absl import app, flags

from tfxai3d import storage
from tfxai3d.cli.command import with_shipped_flagfiles
from tfxai3d.errors import UserError, missing_extra

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # warnings and worse; read when TensorFlow is imported


def run(main: Callable[[list[str]], None]) -> None:
    """Runs an absl app; a mistake of the user ends in one line on stderr and exit code 1."""

    def checked(argv: list[str]) -> None:
        if len(argv) > 1:
            raise UserError(f"unexpected argument {argv[1]!r}: every option is a flag, see --help")
        main(argv)

    try:
        app.run(checked, with_shipped_flagfiles(sys.argv))
    except UserError as error:
        own = [flag.name for flag in flags.FLAGS.get_flags_for_module(main.__module__)]
        print(f"error: {_named_as_flags(str(error), own)}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def _named_as_flags(message: str, names: Iterable[str]) -> str:
    """Returns a message of the library, which names arguments, with the flags of the same names.

    A name is taken for an argument before "=", ":", "must" or "needs", and wherever it has an underscore;
    elsewhere it may be a word of the language, such as "model".
    """
    for name in names:
        follows = r"(?![\w.-])" if "_" in name else r"(?=[=:] ?| must | needs )"
        message = re.sub(rf"(?<![\w./\\'\"-]){name}{follows}", f"--{name}", message)
    return message


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


def changed_flags(app_name: str) -> list[str]:
    """Returns an app's own flags that differ from their defaults, less the folders, as command-line words.

    Args:
        app_name: The program's `__name__`.
    """
    own = (flag for flag in flags.FLAGS.get_flags_for_module(app_name) if not flag.name.endswith("_dir"))
    return [flag.serialize() for flag in own if flag.value != flag.default and flag.value is not None]


def keep_settings(output_dir: str | os.PathLike[str], names: Iterable[str], results: str) -> None:
    """Keeps the values of these flags as `storage.keep_settings` does."""
    storage.keep_settings(output_dir, {name: flags.FLAGS[name].value for name in names}, results)


def write_report(app_name: str, folder: str | os.PathLike[str], facts: Mapping[str, Any]) -> None:
    """Writes what a run found to run.json of a folder, with the program's flags as its settings.

    Args:
        app_name: The program's `__name__`.
        folder: The folder.
        facts: What it shall say, by name.
    """
    own = flags.FLAGS.get_flags_for_module(app_name)
    storage.write_run(folder, {flag.name: flag.value for flag in own}, **facts)
