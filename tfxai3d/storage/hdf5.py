"""HDF5, read by another process: its library hangs or crashes on some damaged files.

Errors do not name the file: its reader does.
"""

import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.storage.isolated import call
from tfxai3d.storage.limits import DEFLATE, MAX_BYTES, check_h5


def read_datasets(path: str | os.PathLike[str], names: Sequence[str]) -> dict[str, np.ndarray]:
    """Reads data sets whole.

    Raises:
        UserError: If one is missing or cannot be read.
        ValueError: If the file is damaged.
    """
    return call_reader(_read, path, list(names))


def call_reader(
    function: Callable[..., Mapping[str, np.ndarray]], path: str | os.PathLike[str], *arguments: Any
) -> dict[str, np.ndarray]:
    """Calls a function that reads an HDF5 file, see `isolated.call`.

    Raises:
        UserError: If it is no such file.
    """
    size = os.path.getsize(path)
    places = itertools.takewhile(lambda place: place < size, (0, *(512 << k for k in range(40))))
    with open(path, "rb") as file:
        if not any(_is_signature(file, place) for place in places):
            raise UserError("is no HDF5 file; fetch or export it again")
    return call(function, path, *arguments, memory=min(2 * MAX_BYTES, DEFLATE * size))


def datasets(file: Any) -> dict[str, Any]:
    """Returns the data sets of an open file that hold numbers or tables of them, by name, in groups too."""
    import h5py

    found: dict[str, Any] = {}

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.shape is not None and item.dtype.kind in "biufV":
            found[name] = item

    file.visititems(add)
    return found


def _is_signature(file: Any, place: int) -> bool:
    file.seek(place)
    return bool(file.read(8) == b"\x89HDF\r\n\x1a\n")


def _read(path: str, names: Sequence[str]) -> Mapping[str, np.ndarray]:
    import h5py

    with h5py.File(path, "r") as file:
        held = datasets(file)
        for name in names:
            if name not in held:
                raise UserError(f"has no data set `{name}`, only {', '.join(held)[:300] or 'nothing'}")
            check_h5(held[name])
        return {name: held[name][()] for name in names}
