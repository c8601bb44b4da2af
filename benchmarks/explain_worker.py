"""The half that the workers of explain.py share: requests from standard input, answers to standard output.

A worker is a process of its own with one library and one network. The first line that it reads holds its
settings, each other one a request; arrays travel in files. It needs NumPy alone.
"""

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Settings = dict[str, Any]
"""network, folder, batch_size, steps, threads. The folder has inputs.npy, perhaps the targets in targets.npy
and, once our worker is ready, weights.npz."""

Method = Callable[[np.ndarray, np.ndarray, str], Any]
"""Maps inputs, targets (B,) and the rule of an integral to attributions, or to None if it has none."""


class NotSupported(Exception):
    """Why a library cannot do what is asked."""


def serve(build: Callable[[Settings], dict[str, Method]]) -> None:
    """Answers requests until the input ends.

    A request names a method, a rule, how many examples, and where to save the attributions (or None). The
    answer holds wall and processor seconds and the largest resident memory so far, or why there are none.
    """
    settings = json.loads(sys.stdin.readline())
    try:
        methods = build(settings)
    except (NotSupported, ImportError) as error:
        _say({"error": str(error)})
        return
    inputs = np.load(Path(settings["folder"]) / "inputs.npy")
    given = Path(settings["folder"]) / "targets.npy"
    targets = np.load(given) if given.exists() else np.arange(len(inputs)) % settings["classes"]
    _say({"peak": _peak()})
    for line in sys.stdin:
        request = json.loads(line)
        some = slice(request["examples"])
        try:
            wall, processor = time.perf_counter(), time.process_time()
            result = methods[request["method"]](inputs[some], targets[some], request["rule"])
            took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - processor}
        except NotSupported as error:
            _say({"error": str(error)})
            continue
        if request["save"]:
            np.save(request["save"], result)
        _say({**took, "peak": _peak()})


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


def _peak() -> float:
    """Returns the largest resident memory of this process in MiB; NaN on Windows, which has another way."""
    try:
        resource: Any = importlib.import_module("resource")
    except ImportError:
        return float("nan")
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / (1 << (20 if _MAC else 10))


_MAC = sys.platform == "darwin"  # counts bytes
