"""The side of explain.py that asks: it starts a worker, and sends it one request after the other."""

import json
import subprocess
from pathlib import Path
from typing import Any

PATH = "integrated_gradients"
"""The method that is an integral: one example is enough to trace it."""


class Side:
    """A library in a process of its own.

    Args:
        python: The interpreter, of the library's environment.
        module: The worker, a module of `benchmarks`.
        settings: Of the worker, see `explain_worker`.
        clock: What the time of a first call is told by, "wall" or "cpu".

    Attributes:
        ready: The worker's first answer; it holds "error" where the library cannot do it.
        first_call: What the first call of an integral took more than the second, in seconds.
    """

    def __init__(self, python: str, module: str, settings: dict[str, Any], clock: str = "wall"):
        self._clock = clock
        self._process = subprocess.Popen(
            [python, "-m", f"benchmarks.{module}"],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._warm: set[tuple[str, int]] = set()
        self.ready = self._ask(settings)
        self.first_call = float("nan")

    def run(self, method: str, count: int, rule: str = "gauss_legendre", save: Path | None = None) -> Any:
        """Runs a method on some examples once more than asked if it is new; returns the answer."""
        request = {"method": method, "rule": rule, "save": save and str(save)}
        # One example is enough to trace an integral, whose batches differ in size as those of more do.
        warm_up = 1 if method in (PATH, "bare") else count
        if (method, warm_up) not in self._warm:
            self._warm.add((method, warm_up))
            first = self._ask({**request, "examples": warm_up, "save": None})
            if "error" in first:
                return first
            if method == PATH:
                second = self._ask({**request, "examples": warm_up, "save": None})
                self.first_call = first[self._clock] - second[self._clock]
        return self._ask({**request, "examples": count})

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError:  # it has ended
            return {"error": "the process has ended"}
        line = self._process.stdout.readline()
        return json.loads(line) if line else {"error": "the process has ended"}

    def close(self) -> None:
        """Ends the process."""
        self._process.communicate()
