"""How every app runs: its flagfiles, one-line errors, exit codes, and what is checked before any work."""

import contextlib
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from absl import app, flags

from tfxai3d.cli.command import with_shipped_flagfiles
from tfxai3d.errors import UserError, missing_extra, reason_of
from tfxai3d.storage import AnyPath

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # warnings and worse; read when TensorFlow is imported


def run(main: Callable[[list[str]], None]) -> None:
    """Runs an absl app; a mistake of the user ends in one line on stderr and exit code 1."""

    def checked(argv: list[str]) -> None:
        if len(argv) > 1:
            raise UserError(f"unexpected argument {argv[1]!r}: every option is a flag, see --help")
        main(argv)

    program = sys.modules["__main__"]
    if hasattr(program, "BY_COMMAND"):  # `tfxai3d <app>`, of which its help then speaks
        commands = re.sub(r"(?:python )?apps/(\w+)\.py", r"tfxai3d \1", program.__doc__ or "")
        program.__doc__ = commands.replace("=apps/flags/", "=")
    try:
        app.run(checked, with_shipped_flagfiles(sys.argv))
    except UserError as error:
        own = [flag.name for flag in flags.FLAGS.get_flags_for_module(main.__module__)]
        message = _named_as_flags(str(error), own)
        # A name from a file may hold line breaks, or what a terminal takes for a command.
        line = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in message)
        print(f"error: {line}", file=sys.stderr)
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

    Raises:
        UserError: If it is not installed.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise UserError("this needs TensorFlow: pip install tensorflow (only training does without)")
    with quiet():
        importlib.import_module("tensorflow")


def load_keras() -> None:
    """Imports Keras and what it computes with, TensorFlow or what KERAS_BACKEND says, as `load_tensorflow`.

    Raises:
        UserError: If that is not installed.
    """
    try:
        with quiet():
            importlib.import_module("keras")
    except ImportError as error:
        raise UserError(
            f"Keras finds nothing to compute with ({reason_of(error)}): pip install tensorflow, or install "
            "JAX and set KERAS_BACKEND=jax"
        ) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps what C++ writes to stderr off the terminal while the block runs."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


def check_outputs(output_dir: AnyPath | None = None) -> Path:
    """Checks, before any work, that an app can leave its results where and as its flags say.

    Args:
        output_dir: The folder; by default --output_dir.

    Returns:
        The folder, which is not made yet.

    Raises:
        UserError: If the folder cannot be written to, or a package is missing which --pictures, --view or
            --tensorboard needs.
    """
    path = output_dir or flags.FLAGS.output_dir
    absolute = Path(path).absolute()
    nearest = next(folder for folder in (absolute, *absolute.parents) if os.path.exists(folder))
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise UserError(f"{path}: cannot write here ({nearest} is not a writable folder)")
    needed = {"pictures": ("matplotlib",), "view": ("open3d",), "tensorboard": ("tensorboard", "matplotlib")}
    for flag, packages in needed.items():
        for package in packages if flag in flags.FLAGS and flags.FLAGS[flag].value else ():
            if importlib.util.find_spec(package) is None:
                extra = "tensorboard" if flag == "tensorboard" else "view"
                raise UserError(f"{missing_extra(package, extra)}, or give --no{flag}")
    return Path(path)
