"""The settings and the facts of a run, in one file of its folder, `run.json`."""

import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfxai3d.errors import UserError
from tfxai3d.storage.writing import write_json

RUN_FILE = "run.json"
"""The name of the file."""
_PACKAGES = ("tfxai3d", "tensorflow", "tensorflow-cpu", "keras", "numpy")
_LONGEST = 100  # characters of a value in an error


def keep_settings(folder: str | os.PathLike[str], settings: Mapping[str, Any], results: str) -> None:
    """Makes sure that a run goes on in its folder with the settings that it was begun with, and no others.

    The first run into the folder writes them to run.json.

    Args:
        folder: Folder of the run.
        settings: What decides its results, JSON-compatible, by name.
        results: Pattern of the result files, such as "epoch-*.npz". Where there are such files without
            run.json, nobody knows what they were made with.

    Raises:
        UserError: If the folder holds a run with another setting, or one of unknown settings. The line begins
            with the name of the setting.
    """
    folder = Path(folder)
    if not (folder / RUN_FILE).exists():
        if any(folder.glob(results)):
            raise UserError(f"{folder}: holds a run of unknown settings; give another folder")
        write_run(folder, settings)
        return
    kept = read_run(folder)["settings"]
    for name, value in json.loads(json.dumps(settings)).items():  # as it was read back: tuples are lists
        if kept.get(name) != value:
            raise UserError(
                f"{name}={_short(value)}: {folder} holds a run with {_short(kept.get(name))}; "
                "give the same settings to go on, or another folder"
            )


def write_run(folder: str | os.PathLike[str], settings: Mapping[str, Any], **facts: Any) -> None:
    """Writes run.json anew: the settings of a run, the versions that decide results, and what it found.

    Args:
        folder: Folder of the run; made if missing.
        settings: JSON-compatible, by name.
        **facts: JSON-compatible, by name.
    """
    write_json(Path(folder) / RUN_FILE, {"settings": settings, "versions": _versions(), **facts})


def write_facts(folder: str | os.PathLike[str], **facts: Any) -> None:
    """Adds facts, JSON-compatible, to run.json, in the place of those of the same names.

    Raises:
        UserError: If run.json is missing or damaged.
    """
    write_json(Path(folder) / RUN_FILE, read_run(folder) | facts)


def read_run(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Returns what run.json says: `settings`, `versions`, and the facts by their names.

    Raises:
        UserError: If it is missing or damaged.
    """
    path = Path(folder) / RUN_FILE
    try:
        run: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(run["settings"], dict):
            raise TypeError
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: not the settings of a run; give another folder") from error
    return run


def _versions() -> dict[str, str]:
    """Returns the versions of Python, the platform and the packages that decide results."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
