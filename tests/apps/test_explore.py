"""The program that serves the page, as a user starts and ends it."""

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
ROOT = Path(__file__).parents[2]


def test_mistakes_are_one_line_before_anything_is_served(run_app):
    assert run_app("explore", "--methods=magic")[2].startswith("error: unknown method 'magic'; known are ")
    code, _, err = run_app("explore", "--shape=chair,table", "--noopen")
    assert (code, err) == (1, "error: --shape=chair,table: give the one object that is shown first\n")
    assert "'tree'" in run_app("explore", "--shape=tree", "--noopen")[2]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, err = run_app("explore", "--noopen", f"--port={port}")
    assert (code, err.count("\n")) == (1, 1)
    assert err.startswith(f"error: --port={port}: cannot be had (")


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_it_prints_its_address_serves_the_page_at_once_and_ends_on_ctrl_c():
    command = [sys.executable, ROOT / "apps" / "explore.py", "--noopen", "--model=nowhere.keras"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        try:
            address = program.stdout.readline().split()[-1]
            page = urllib.request.urlopen(address, timeout=20).read().decode()
            assert "nowhere.keras" in page
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.urlopen(address.partition("?")[0], timeout=20)
            program.send_signal(signal.SIGINT)
            out, err = program.communicate(timeout=30)
        finally:
            program.kill()
    assert program.returncode == 0
    assert "Traceback" not in err
    assert out.splitlines()[-1] == "stopped"
