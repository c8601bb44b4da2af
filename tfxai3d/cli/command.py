"""The command `tfxai3d <app> --flags`, and the flagfiles that travel with the apps."""

import ast
import re
import runpy
import sys
from pathlib import Path

from tfxai3d.errors import UserError

_BESIDE = (Path(__file__).parents[1] / "apps", Path(__file__).parents[2] / "apps")  # in a wheel, in a clone
FOLDER = next((folder for folder in _BESIDE if folder.is_dir()), _BESIDE[0])
"""Where the apps are."""


def main() -> None:
    """Runs the app that the first word of the command line names, as `python apps/<app>.py` would."""
    name, *rest = sys.argv[1:] or ["--help"]
    apps = sorted(path.stem for path in FOLDER.glob("*.py"))
    if name in ("--help", "-h", "-help", "help"):
        print("usage: tfxai3d <app> --flags\n\nThe apps; tfxai3d <app> --help says what one takes:\n")
        print("\n".join(f"  {app:<{max(map(len, apps))}}  {_first_line(app)}" for app in apps))
    elif name in apps:
        sys.argv[1:] = rest
        runpy.run_path(str(FOLDER / f"{name}.py"), {"BY_COMMAND": True}, "__main__")
    else:
        print(f"error: no app {name!r}; the apps are {', '.join(apps)}", file=sys.stderr)
        sys.exit(1)


def with_shipped_flagfiles(argv: list[str]) -> list[str]:
    """Returns a command line in which shipped flagfiles are found from any working directory.

    A file in the working directory goes first; `p_grad_cam.cfg` and `apps/flags/p_grad_cam.cfg` both name the
    shipped one. A file that is nowhere is a UserError.
    """
    # Both forms that absl reads, --flagfile=NAME and --flagfile NAME.
    found, words = argv[:1], iter(argv[1:])
    for word in words:
        if match := re.fullmatch(r"--?flagfile(?:=(.*))?", word):
            word = f"--flagfile={_flagfile(next(words, '') if match[1] is None else match[1])}"
        found.append(word)
    return found


def _flagfile(name: str) -> Path:
    given, shipped = Path(name).expanduser(), FOLDER / "flags" / Path(name).name
    if given.is_file():
        return given
    if given.parent in (Path("."), Path("apps", "flags")) and shipped.is_file():
        return shipped
    known = ", ".join(sorted(path.name for path in (FOLDER / "flags").glob("*.cfg")))
    raise UserError(f"--flagfile={name}: no such file; shipped are {known}")


def _first_line(app: str) -> str:
    text = (FOLDER / f"{app}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
