"""A run's folder: held by one run at a time, with its settings and facts in one file, `run.json`."""

import contextlib
import importlib.metadata
import json
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from tfxai3d.errors import UserError
from tfxai3d.storage.writing import AnyPath, made_folder, write_json

RUN_FILE = "run.json"
"""The name of the file."""
_PACKAGES = ("tfxai3d", "tensorflow", "tensorflow-cpu", "jax", "keras", "numpy")
_LONGEST = 100  # characters of a value in an error


@contextlib.contextmanager
def run_folder(
    folder: AnyPath | None, settings: Mapping[str, Any], results: str, shared: bool = False
) -> Iterator[None]:
    """Holds a run's folder for the block: no other run writes into it, and none with other settings did.

    The first run into the folder writes the settings to run.json.

    Args:
        folder: Folder of the run, made if missing; None where nothing is written.
        settings: What decides its results, JSON-compatible, by name.
        results: Pattern of the result files, such as "epoch-*.npz". Where there are such files without
            run.json, nobody knows what they were made with.
        shared: Whether the run is one of several workers that do it together.

    Raises:
        UserError: If another run is at work in the folder, or it holds a run with another setting, or one of
            unknown settings. The line begins with the name of the setting.
    """
    if folder is None:
        yield
        return
    with contextlib.nullcontext() if shared else _held(Path(folder)):
        _keep_settings(Path(folder), settings, results)
        yield


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Keeps other processes out of a folder for the block; the system frees it if this one is killed."""
    with made_folder(folder):
        lock = FileLock(folder / ".run.lock", blocking=False)
        try:
            lock.acquire()
        except Timeout:
            raise UserError(
                f"{folder}: another run is at work here; wait for its end, or give another folder"
            ) from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows removes no file that is open
            Path(lock.lock_file).unlink()
        lock.release()


def _keep_settings(folder: Path, settings: Mapping[str, Any], results: str) -> None:
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


def write_run(folder: AnyPath, settings: Mapping[str, Any], **facts: Any) -> None:
    """Writes run.json anew: a run's settings and facts, JSON-compatible, and the versions of packages.

    Args:
        folder: Folder of the run; made if missing.
        settings: What decides the results, by name.
        **facts: What it found, by name.
    """
    write_json(Path(folder) / RUN_FILE, {"settings": settings, "versions": _versions(), **facts})


def write_facts(folder: AnyPath, **facts: Any) -> None:
    """Adds facts, JSON-compatible, to run.json, in the place of those of the same names; see `read_run`."""
    write_json(Path(folder) / RUN_FILE, read_run(folder) | facts)


def read_run(folder: AnyPath) -> dict[str, Any]:
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
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
