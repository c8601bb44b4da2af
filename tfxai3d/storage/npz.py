"""NPZ files, read without belief: each array is held against the file first, and pickles are never opened."""

import contextlib
import json
import lzma
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfxai3d.errors import UserError, reason_of
from tfxai3d.storage.limits import DEFLATE, check_held, check_npy, check_size
from tfxai3d.storage.writing import AnyPath, atomic_path

_META = "meta"
_LARGE, _PACKED = 64 << 20, 100  # coordinates that differ do not deflate to a hundredth

# What reading a foreign, truncated or altered file raises.
_DAMAGES = (
    ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError, TypeError,
    ValueError, lzma.LZMAError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


class Arrays(Mapping[str, np.ndarray]):
    """The arrays of an open NPZ file by name; each is checked and read when it is asked for."""

    def __init__(self, archive: zipfile.ZipFile):
        self._archive, self._taken = archive, 0
        self._members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}

    def __getitem__(self, name: str) -> np.ndarray:
        member = self._members[name]
        self._taken += member.file_size
        check_size(self._taken, self._taken)  # what many arrays take together is limited as well
        with self._archive.open(member) as file:
            check_npy(file, min(member.file_size, DEFLATE * member.compress_size))
        with self._archive.open(member) as file:  # anew, since seeking back turns the checksum off
            array: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
            return array

    def shape(self, name: str) -> tuple[int, ...]:
        """Returns the shape of an array, from its header."""
        member = self._members[name]
        with self._archive.open(member) as file:
            return check_npy(file, min(member.file_size, DEFLATE * member.compress_size))

    def check_packed(self, name: str) -> None:
        """Checks that an array is not large by being the same over and over.

        Raises:
            UserError: If it takes more than 64 MiB and a hundred times the bytes of the file.
        """
        member = self._members[name]
        if member.file_size > max(_LARGE, _PACKED * member.compress_size):
            raise UserError(
                f"unpacks {member.compress_size:,} bytes to {member.file_size:,}: all much the same"
            )

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    @property
    def meta(self) -> Any:
        """The description that `write_npz` wrote."""
        return json.loads(str(self[_META]))


@contextlib.contextmanager
def open_arrays(path: AnyPath) -> Iterator[Arrays]:
    """Yields the arrays of an NPZ file; its errors, `UserError`s and many others, do not name the file."""
    with zipfile.ZipFile(path) as archive:
        check_held(sum(member.compress_size for member in archive.infolist()), Path(path).stat().st_size)
        yield Arrays(archive)


@contextlib.contextmanager
def open_npz(path: AnyPath, what: str) -> Iterator[Arrays]:
    """Yields the arrays of an NPZ file to a block that finds out whether it is the right one.

    Args:
        path: The file.
        what: What it should be, for the error, such as "an explanation file".

    Raises:
        UserError: If there is no such file, or it is damaged, or the block finds that it is something else.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file; give {what}")
    try:
        with open_arrays(path) as arrays:
            yield arrays
    except _DAMAGES as error:
        reason = reason_of(error)
        raise UserError(f"{path}: not {what} ({reason})") from error


def write_npz(
    path: AnyPath, arrays: Mapping[str, np.ndarray], meta: Any = None, compressed: bool = True
) -> None:
    """Writes arrays by name to an NPZ file, atomically.

    Args:
        path: The file.
        arrays: The arrays; none of them is named "meta".
        meta: A JSON-compatible description of them, if any.
        compressed: Whether to deflate them, which takes time.
    """
    described = {} if meta is None else {_META: np.array(json.dumps(meta))}
    save = np.savez_compressed if compressed else np.savez
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        save(file, **described, **arrays)  # type: ignore[arg-type]
