"""What a killed run leaves behind goes when the next one writes into the same folder, or needs a scratch one.

A file that is being written says who writes it: `.<name>.tfxai3d-<place>-<process>-<random>`.
"""

import contextlib
import functools
import os
import platform
import re
import shutil
import tempfile
import time
import zlib
from pathlib import Path

_NAME = re.compile(r"\..*\.tfxai3d-(?P<place>[0-9a-f]{8})-(?P<process>\d{1,9})-\w+(\.\w+)?")
_WEEK = 7 * 24 * 3600  # seconds


def temporary_prefix(path: Path) -> str:
    """Returns how the names of temporary files and folders begin that are to become `path`."""
    return f".{path.stem[:50]}.tfxai3d-{_place()}-{os.getpid()}-"


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """Returns a new folder where the system keeps temporary files; what ended processes left there goes."""
    sweep(Path(tempfile.gettempdir()).absolute())
    return tempfile.TemporaryDirectory(prefix=temporary_prefix(Path("scratch")))


@functools.lru_cache(maxsize=1024)  # once a process: it looks at every name in the folder
def sweep(folder: Path) -> None:
    """Removes the temporary files and folders in a folder, an absolute path, whose process has ended."""
    for path in folder.glob(".*.tfxai3d-*"):
        with contextlib.suppress(OSError):  # another process sweeps as well
            if not _is_left_over(path):
                continue
            if not path.is_dir():
                path.unlink()
            elif not ((path / "old").exists() and (path / "new").exists()):
                shutil.rmtree(path)
            # Else the process ended between two moves, and the folder that it was to replace is only here.


def _is_left_over(path: Path) -> bool:
    """Returns whether the process that wrote to a path has ended.

    Where it cannot be asked for, on other machines that share the disk, in other containers, and on Windows
    where the question would end it, what has not changed for a week is left over.
    """
    name = _NAME.fullmatch(path.name)
    if not name or path.is_symlink():
        return False
    if os.name != "posix" or name["place"] != _place():
        return time.time() - path.stat().st_mtime > _WEEK
    try:
        os.kill(int(name["process"]), 0)  # sends nothing
    except OSError as error:
        return isinstance(error, ProcessLookupError)  # else it is another user's
    return False


@functools.cache
def _place() -> str:
    """Returns where process numbers mean what they mean here: the machine and, on Linux, the container."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return f"{zlib.crc32(f'{platform.node()} {space}'.encode()):08x}"
