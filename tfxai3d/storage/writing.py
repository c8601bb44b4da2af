"""Writing files and folders so that nobody ever sees half of one."""

import contextlib
import errno
import itertools
import json
import os
import re
import shutil
import tempfile
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

from tfxai3d.errors import UserError
from tfxai3d.storage.leftovers import sweep, temporary_prefix

AnyPath = str | os.PathLike[str]
"""Of a file or a folder, as users give it."""


@contextlib.contextmanager
def atomic_path(path: AnyPath) -> Iterator[Path]:
    """Yields a temporary path beside `path` and moves it onto `path` when the block succeeds.

    The temporary name keeps the suffix of `path`, because many writers choose their format by it.
    A failing block leaves `path` as it was.

    Args:
        path: Where the file shall be in the end; missing parent folders are made.

    Raises:
        UserError: If the folder cannot be made or written to, or the disk is full.
    """
    path = Path(path)
    with made_folder(path.parent) as folder:
        handle, name = tempfile.mkstemp(prefix=temporary_prefix(path), suffix=path.suffix, dir=folder)
    os.close(handle)
    temporary = Path(name)
    try:
        with _enough_space(path):
            yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes it private; the result should be ordinary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: AnyPath) -> Iterator[Path]:
    """Yields a temporary folder beside `path` and moves it to `path` when the block succeeds.

    A folder that was there is removed afterwards, whatever it holds; a failing block leaves it as it was.

    Args:
        path: Where the folder shall be in the end; missing parent folders are made.

    Raises:
        UserError: If the parent folder cannot be made or written to, or the disk is full.
    """
    path = Path(path).absolute()
    with made_folder(path.parent) as folder:
        temporary = Path(tempfile.mkdtemp(prefix=temporary_prefix(path), dir=folder))
    new, old = temporary / "new", temporary / "old"
    try:
        new.mkdir()  # with the ordinary rights, which the private folder around it has not
        with _enough_space(path):
            yield new
        if path.exists():
            path.rename(old)
        try:
            new.rename(path)
        except OSError:
            if old.exists():
                old.rename(path)
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def file_name(text: str) -> str:
    """Returns a text, such as a label, as a file's or folder's own name on any system."""
    return re.sub(r'[\x00-\x1f/\\:*?"<>|]', "_", text).strip(" .")[:200] or "_"


def unique_name(name: str, taken: Container[str], joint: str = "-") -> str:
    """Returns a name, with the first number from 2 on after it that makes it none of those taken."""
    names = itertools.chain([name], (f"{name}{joint}{number}" for number in itertools.count(2)))
    return next(unique for unique in names if unique not in taken)


def write_text(path: AnyPath, text: str) -> None:
    """Writes a text in UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: AnyPath, content: Any) -> None:
    """Writes JSON, atomically."""
    write_text(path, json.dumps(content, indent=2) + "\n")


@contextlib.contextmanager
def made_folder(folder: Path) -> Iterator[Path]:
    """Yields a folder, made if missing, without what ended processes left in it, for writing into it.

    Raises:
        UserError: If it cannot be made or written to, or the disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder.absolute())
        yield folder
    except OSError as error:
        raise UserError(f"{folder}: cannot write here ({error.strerror or error})") from error


@contextlib.contextmanager
def _enough_space(path: Path) -> Iterator[None]:
    """Turns what writers raise on a full disk, HDF5 and TensorFlow only in words, into a line."""
    try:
        yield
    except Exception as error:
        for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            if getattr(error, "errno", None) == code or os.strerror(code) in str(error):
                raise UserError(
                    f"{path}: cannot be written ({os.strerror(code)}); make room, and the same run goes on"
                ) from error
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
