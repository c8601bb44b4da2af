"""HDF5, read by another process: its library hangs or crashes on some damaged files.

Errors do not name the file: `reading.read` does.
"""

import itertools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfxai3d.data.readers.arrays import Kind, choose, pick
from tfxai3d.errors import UserError
from tfxai3d.storage.isolated import call
from tfxai3d.storage.limits import DEFLATE, MAX_BYTES, check_chunks, check_h5, check_stored


def read_example(
    path: str | os.PathLike[str], index: int, kind: Kind | None, name: str | None
) -> tuple[Kind, np.ndarray]:
    """Reads one example of a data set: the one of a name, else `data`, else the only one that fits.

    Returns:
        What it is, and its numbers; see `arrays.pick`.

    Raises:
        UserError: If none or several fit, there is no such example, or it cannot be read.
    """
    _check_signature(path)
    ((found, array),) = call(_example, path, index, kind, name, memory=_memory(path)).items()
    return ("voxels" if found == "voxels" else "points"), array


def read_whole(path: str | os.PathLike[str], names: Sequence[str]) -> dict[str, np.ndarray]:
    """Reads data sets whole.

    Raises:
        UserError: If one is missing or cannot be read.
    """
    _check_signature(path)
    return call(_whole, path, list(names), memory=_memory(path))


def _check_signature(path: str | os.PathLike[str]) -> None:
    """Raises UserError unless it is an HDF5 file, whose signature is at byte 0, 512, 1024 and so on."""
    size = os.path.getsize(path)
    places = itertools.takewhile(lambda place: place < size, (0, *(512 << k for k in range(40))))
    with open(path, "rb") as file:
        for place in places:
            file.seek(place)
            if file.read(8) == b"\x89HDF\r\n\x1a\n":
                return
    raise UserError("is no HDF5 file; fetch or export it again")


def _memory(path: str | os.PathLike[str]) -> int:
    return min(2 * MAX_BYTES, DEFLATE * os.path.getsize(path))


def _example(path: str, index: int, kind: Kind | None, name: str | None) -> Mapping[str, np.ndarray]:
    import h5py

    with h5py.File(path, "r") as file:
        arrays = _datasets(file)
        data = arrays[choose({key: array.shape for key, array in arrays.items()}, kind, name, ("data",))]
        check_chunks(data)
        check_stored(data)
        found, array = pick(data, index, kind)
    return {found: array}


def _whole(path: str, names: Sequence[str]) -> Mapping[str, np.ndarray]:
    import h5py

    with h5py.File(path, "r") as file:
        arrays = _datasets(file)
        for name in names:
            if name not in arrays:
                raise UserError(f"has no data set `{name}`, only {', '.join(arrays) or 'nothing'}")
            check_h5(arrays[name])
        return {name: arrays[name][()] for name in names}


def _datasets(file: Any) -> dict[str, Any]:
    """Returns the data sets of numbers in a file, in groups too."""
    import h5py

    found: dict[str, Any] = {}

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.shape is not None and item.dtype.kind in "biuf":
            found[name] = item

    file.visititems(add)
    return found
