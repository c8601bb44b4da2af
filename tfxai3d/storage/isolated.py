"""Calls a function in a process of its own, with limits of time and memory.

Libraries that read files in C or C++ may hang on a damaged or hostile one, or take the process down. Nothing
is imported there but what the function's module needs.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.storage.leftovers import scratch_folder
from tfxai3d.storage.limits import DEFLATE, MAX_BYTES

SECONDS = 5
"""Processor time that the smallest file may take; each further 2 MB may take a second more."""

_MEMORY = 2 << 30  # address space of the process before it reads anything is about a tenth of this
_SLOW = 4  # seconds on the clock for each second of processor time, where others work as well


def call(
    function: Callable[..., Mapping[str, np.ndarray]],
    path: str | os.PathLike[str],
    *arguments: Any,
    size: int | None = None,
) -> dict[str, np.ndarray]:
    """Calls `function(path, *arguments)` in a process of its own.

    Args:
        function: A function of a module. What it raises is raised here: a `UserError`, or else a ValueError.
        path: The file that it reads.
        arguments: JSON-compatible.
        size: Bytes of all that it reads, which limit its time and memory (the latter not on Windows); by
            default those of the file.

    Returns:
        The arrays that it returns, by name.

    Raises:
        UserError: If the process dies or does not come to an end; the message does not name the file.
    """
    size = os.path.getsize(path) if size is None else size
    seconds = SECONDS + size // 2_000_000
    with scratch_folder() as folder:
        order = {
            "function": [function.__module__, function.__qualname__],
            "arguments": [os.fspath(path), *arguments],
            "seconds": seconds,
            "memory": _MEMORY + min(2 * MAX_BYTES, DEFLATE * size),
        }
        Path(folder, "order.json").write_text(json.dumps(order), encoding="utf-8")
        _run(folder, seconds)
        try:
            answer = json.loads(Path(folder, "answer.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError("its reader left no answer; fetch or export it again") from error
        if "error" in answer:
            raise (UserError if answer["mendable"] else ValueError)(answer["error"])
        return {name: np.load(Path(folder, f"{i}.npy")) for i, name in enumerate(answer["names"])}


def _run(folder: str, seconds: int) -> None:
    source = str(Path(__file__).parents[2])  # the package need not be installed
    paths = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-m", "tfxai3d.storage.isolated", folder]
    too_long = f"takes more than {seconds} s to read; it is damaged, fetch or export it again"
    try:
        result = subprocess.run(command, env=environment, timeout=_SLOW * seconds, capture_output=True)
    except subprocess.TimeoutExpired as error:
        raise UserError(too_long) from error
    if result.returncode and result.returncode == _time_is_up():
        raise UserError(too_long)
    if result.returncode:
        raise UserError(
            f"ends the process that reads it (exit code {result.returncode}); it is damaged or needs too "
            "much memory, fetch or export it again"
        )


def _time_is_up() -> int:
    """Returns the exit code of a process whose processor time is used up; 0 where this is not limited."""
    if sys.platform == "win32":
        return 0
    import signal

    return -signal.SIGXCPU


def _limit(seconds: int, memory: int) -> None:
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _main(folder: Path) -> None:
    """Does what `order.json` says, and writes the arrays and `answer.json`."""
    order = json.loads((folder / "order.json").read_text(encoding="utf-8"))
    _limit(order["seconds"], order["memory"])
    module, name = order["function"]
    try:
        arrays = getattr(importlib.import_module(module), name)(*order["arguments"])
        answer: dict[str, Any] = {"names": list(arrays)}
        for number, array in enumerate(arrays.values()):
            np.save(folder / f"{number}.npy", array, allow_pickle=False)
    except UserError as error:
        answer = {"error": str(error), "mendable": True}
    except Exception as error:  # whatever its library raises on a damaged file
        answer = {"error": str(error) or type(error).__name__, "mendable": False}
    (folder / "answer.json").write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
