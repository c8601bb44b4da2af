"""Calls a function, again and again, in a process of its own that is killed where a call takes too long.

What a library computes in C++ cannot be stopped from outside but with its process. `isolated` is for what is
called once; here the process stays, with whatever it had to load first.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import queue
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from tfxai3d.errors import UserError, reason_of

START_SECONDS = 600
"""The time that the process may take to start and to load what it needs."""

_LENGTH = 8  # bytes, before each message
_ERROR = "error"  # the name of an answer that is none

Arrays = Mapping[str, np.ndarray]


class Killable:
    """A function in a process of its own; any thread may call it, one at a time.

    The process is started by the first call, and again after it has been killed or has died. It ends with
    this object, and with the process that holds it, however that ends.

    Args:
        maker: A function of a module; called there once with the arguments, it returns the function, which
            takes and returns arrays by name.
        arguments: JSON-compatible.
    """

    def __init__(self, maker: Callable[..., Callable[..., Arrays]], *arguments: Any):
        self._order = json.dumps([maker.__module__, maker.__qualname__, *arguments])
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._end: Any = None

    def __call__(self, seconds: float, **arrays: np.ndarray) -> dict[str, np.ndarray]:
        """Calls the function.

        Args:
            seconds: The time that the call may take.
            **arrays: What the function takes.

        Raises:
            UserError: If the call takes longer, ends the process or fails; with what the function said.
        """
        with self._lock:
            process = self._process or self._start()
            with contextlib.suppress(OSError):  # a process that has ended leaves no answer either
                _send(process.stdin, arrays)
            return self._answer(process, seconds)

    def _start(self) -> subprocess.Popen[bytes]:
        source = str(Path(__file__).parents[2])  # the package need not be installed
        paths = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
        command = [sys.executable, "-P", "-m", __name__, self._order]
        environment = os.environ | {"PYTHONPATH": paths}
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        self._process, self._end = process, weakref.finalize(self, _stop, process)
        self._answer(process, START_SECONDS)
        return process

    def _answer(self, process: subprocess.Popen[bytes], seconds: float) -> dict[str, np.ndarray]:
        late = threading.Event()

        def kill() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(seconds, kill)
        timer.start()
        try:
            answer = _receive(process.stdout)
        finally:
            timer.cancel()
            timer.join()
            if late.is_set():
                self._forget()
        if answer is None:
            code = process.wait()
            self._forget()
            ended = f"ends the process that does it (exit code {code}); it may need too much memory"
            raise UserError(f"takes more than {seconds:g} s" if late.is_set() else ended)
        if _ERROR in answer:
            raise UserError(str(answer[_ERROR]))
        return answer

    def _forget(self) -> None:
        self._process = None
        self._end()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    with contextlib.suppress(OSError):  # what was not sent yet
        process.communicate()


def _send(file: IO[bytes] | None, arrays: Arrays) -> None:
    assert file is not None
    message = io.BytesIO()
    np.savez(message, **arrays)  # type: ignore[arg-type]
    file.write(len(message.getbuffer()).to_bytes(_LENGTH, "little"))
    file.write(message.getbuffer())
    file.flush()


def _receive(file: IO[bytes] | None) -> dict[str, np.ndarray] | None:
    """Returns a message, None where the other process has ended."""
    assert file is not None
    length = int.from_bytes(file.read(_LENGTH), "little")
    message = file.read(length)
    if not length or len(message) < length:
        return None
    with np.load(io.BytesIO(message), allow_pickle=False) as arrays:
        return dict(arrays)


@contextlib.contextmanager
def _answers() -> Iterator[IO[bytes]]:
    """Yields where answers go; whatever else is written to stdout goes to stderr, and to nowhere so far."""
    answers, terminal = os.fdopen(os.dup(1), "wb"), os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    yield answers
    os.dup2(terminal, 1)
    os.dup2(terminal, 2)


def _main(module: str, name: str, *arguments: Any) -> None:
    orders: queue.Queue[dict[str, np.ndarray]] = queue.Queue()

    def listen() -> None:
        while (order := _receive(sys.stdin.buffer)) is not None:
            orders.put(order)
        os._exit(0)  # whatever it is at: nobody waits for it any more

    threading.Thread(target=listen, daemon=True).start()
    with _answers() as answers:  # libraries in C++ write their notices while they are loaded
        try:
            function = getattr(importlib.import_module(module), name)(*arguments)
        except Exception as error:
            _send(answers, {_ERROR: np.array(reason_of(error, 300))})
            return
        _send(answers, {})
    while True:
        try:
            answer = function(**orders.get())
        except Exception as error:  # whatever the library raises
            answer = {_ERROR: np.array(reason_of(error, 300))}
        _send(answers, answer)


if __name__ == "__main__":
    _main(*json.loads(sys.argv[1]))
