"""What a killed program leaves does not change what the next run finds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = ("prune", "p_grad_cam", "drop_curves", "compare")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_killed_programs_go_on_and_find_the_same():
    """One kill of each, at a file; `python -m tests.killing` does a hundred of all the programs."""
    command = [sys.executable, "-m", "tests.killing", "--kills=4", "--seed=5", "--programs", *PROGRAMS]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr[-3000:]}"
    found = [line.split(" of ")[0] for line in done.stdout.splitlines()]
    assert found == [f"{program}: 1 kills" for program in PROGRAMS]
