"""A function in a process of its own: its answers, its errors, and that nothing of it outlives anybody."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tfxai3d.errors import UserError
from tfxai3d.storage.killable import Killable

ROOT = Path(__file__).parents[2]
ENDLESS = "endless"


def making(offset):
    """Makes what the other process does."""
    if offset == ENDLESS:
        raise UserError("cannot be made\nso")

    def act(numbers=None, what=None):
        what = str(what)
        if what == "hang":
            threading.Event().wait()
        if what == "die":
            os._exit(7)
        if what == "fail":
            raise ZeroDivisionError("as it\nhappens")
        print("whatever a network prints", flush=True)
        os.write(1, b"and what a library in C++ prints")
        return {"sum": numbers + offset, "process": np.array(os.getpid())}

    return act


@pytest.fixture(autouse=True)
def _findable(monkeypatch):
    """The other process finds this file."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def call():
    return Killable(making, 10)


def test_answers_come_back_and_the_process_stays(call):
    first = call(60, numbers=np.arange(3))
    assert first["sum"].tolist() == [10, 11, 12]
    big = np.random.default_rng(0).normal(size=400_000)
    second = call(60, numbers=big)
    np.testing.assert_array_equal(second["sum"], big + 10)
    assert second["process"] == first["process"] != os.getpid()


def test_what_takes_too_long_is_killed_and_the_next_call_goes_on(call):
    before = call(60, numbers=np.zeros(1))["process"]
    with pytest.raises(UserError, match=r"^takes more than 0\.2 s$"):
        call(0.2, what=np.array("hang"))
    after = call(60, numbers=np.zeros(1))
    assert after["process"] != before


def test_a_death_and_an_error_are_one_line(call):
    with pytest.raises(UserError, match=r"^ends the process that does it \(exit code 7\)"):
        call(60, what=np.array("die"))
    with pytest.raises(UserError, match=r"^as it happens$"):
        call(60, what=np.array("fail"))
    assert call(60, numbers=np.zeros(1))["sum"] == 10
    with pytest.raises(UserError, match=r"^cannot be made so$"):
        Killable(making, ENDLESS)(60, numbers=np.zeros(1))


def test_threads_get_their_own_answers(call):
    found = {}

    def ask(number):
        found[number] = call(60, numbers=np.array([number]))["sum"]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {number: value.tolist() for number, value in found.items()} == {n: [n + 10] for n in range(8)}


HOLDER = """
import sys, threading
import numpy as np
from tests.storage.test_killable import making
from tfxai3d.storage.killable import Killable
call = Killable(making, 10)
print(call(60, numbers=np.zeros(1))["process"], flush=True)
threading.Thread(target=lambda: call(600, what=np.array("hang")), daemon=True).start()
sys.stdin.read()
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_it_does_not_outlive_who_holds_it():
    call = Killable(making, 10)
    process = int(call(60, numbers=np.zeros(1))["process"])
    del call
    assert not _is_there(process)
    command = [sys.executable, "-c", HOLDER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ, cwd=ROOT
    ) as holder:
        of_the_killed = int(holder.stdout.readline())
        holder.kill()
    assert _ends(of_the_killed)


def _ends(process):
    deadline = time.monotonic() + 30
    while _is_there(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not _is_there(process)


def _is_there(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
