"""A killed run leaves nothing behind for long, and no run sweeps what another one is writing."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tfxai3d.storage import atomic_folder, atomic_path
from tfxai3d.storage.leftovers import scratch_folder, sweep

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")

WRITING = """
import sys
from pathlib import Path
from tfxai3d.storage import atomic_folder, atomic_path
with atomic_path(Path(sys.argv[1], "a.npz")) as file, atomic_folder(Path(sys.argv[1], "model")) as folder:
    file.write_text("half")
    (folder / "graph.pb").write_text("half")
    print("writing", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def writer(tmp_path):
    """Starts processes that write a file and a folder until they are killed."""
    started = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", WRITING, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        started.append(process)
        assert process.stdout.readline() == b"writing\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def hidden(folder):
    return sorted(path.name for path in folder.glob(".*"))


def write(folder):
    sweep.cache_clear()  # as in a process of its own
    with atomic_path(folder / "b.txt") as temporary:
        temporary.write_text("whole")


def test_what_a_killed_process_left_is_swept_and_nothing_else(tmp_path, writer):
    killed, alive = writer(), writer()
    assert len(hidden(tmp_path)) == 4
    for name in (".a.npz", ".a.tfxai3d-notes", ".git"):
        (tmp_path / name).write_text("of the user")
    killed.kill()
    killed.communicate()
    assert killed.returncode == -9
    write(tmp_path)
    left = set(hidden(tmp_path)) - {".a.npz", ".a.tfxai3d-notes", ".git"}
    assert len(left) == 2
    assert all(f"-{alive.pid}-" in name for name in left)
    assert {".a.npz", ".a.tfxai3d-notes", ".git"} < set(hidden(tmp_path))
    alive.communicate(b"")
    assert alive.returncode == 0
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == ["a.npz", "b.txt", "model"]
    assert (tmp_path / "model" / "graph.pb").read_text() == "half"


def test_the_only_copy_of_a_replaced_folder_is_not_swept(tmp_path, writer):
    """The process was killed between the move of the old folder and that of the new one."""
    process = writer()
    (folder,) = (path for path in tmp_path.glob(".model*"))
    process.kill()
    process.communicate()
    (folder / "old").mkdir()
    write(tmp_path)
    assert hidden(tmp_path) == [folder.name]
    (folder / "new").rename(tmp_path / "model")
    write(tmp_path)
    assert not hidden(tmp_path)


def test_what_another_machine_writes_is_swept_when_it_has_not_changed_for_a_week(tmp_path):
    for name in (".a.tfxai3d-00000000-999999999-abc_1.npz", ".b.tfxai3d-00000000-999999999-abc_1"):
        (tmp_path / name).write_text("half")
    long_ago = time.time() - 8 * 24 * 3600
    os.utime(tmp_path / ".b.tfxai3d-00000000-999999999-abc_1", (long_ago, long_ago))
    write(tmp_path)
    assert hidden(tmp_path) == [".a.tfxai3d-00000000-999999999-abc_1.npz"]


def test_scratch_folders_of_killed_processes_are_swept(tmp_path, monkeypatch):
    here = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "TMPDIR": str(tmp_path)}
    code = "import os; from tfxai3d import storage; f = storage.scratch_folder(); os.kill(os.getpid(), 9)"
    killed = subprocess.run([sys.executable, "-c", code], env=here, check=False)
    assert killed.returncode == -9
    assert len(hidden(tmp_path)) == 1
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sweep.cache_clear()
    with scratch_folder() as folder:
        assert hidden(tmp_path) == [Path(folder).name]
    assert not hidden(tmp_path)


def test_own_files_are_not_swept(tmp_path):
    with atomic_path(tmp_path / "a.npz") as file, atomic_folder(tmp_path / "model") as folder:
        write(tmp_path)
        assert file.exists()
        assert folder.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.txt", "model"]
