"""What all apps share: one-line errors, exit codes, and the settings of a run."""

import importlib.metadata
import platform
import sys
from collections.abc import Callable

from absl import app, flags

from tfxai3d.errors import UserError

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


def changed_flags(app_path: str) -> list[str]:
    """Returns the app's own flags that differ from their defaults, as command-line words."""
    own = flags.FLAGS.flags_by_module_dict().get(app_path, [])
    return [flag.serialize() for flag in own if flag.value != flag.default and flag.value is not None]


def versions() -> dict[str, str]:
    """Returns the versions of Python, the platform and the packages that decide results."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
