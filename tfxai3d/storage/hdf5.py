"""HDF5, read by another process: its library hangs or crashes on some damaged files.

Errors do not name the file: its reader does.
"""

import itertools
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.storage.isolated import call
from tfxai3d.storage.limits import MAX_BYTES, check_chunks, check_h5, check_size, check_stored
from tfxai3d.storage.writing import AnyPath

_CHUNK_CACHE = 64 << 20  # bytes; a chunk of many rows is unpacked once, not once a row


def read_datasets(path: AnyPath, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Reads data sets whole.

    Raises:
        UserError: If one is missing or cannot be read.
        ValueError: If the file is damaged.
    """
    return call_reader(_read, path, list(names))


def dataset_shape(path: AnyPath, name: str) -> tuple[int, ...]:
    """Returns the shape of a data set that is stored as it is declared.

    Raises:
        UserError: If it is missing or declares more than is stored.
        ValueError: If the file is damaged.
    """
    return tuple(call_reader(_shape, path, name)["shape"].tolist())


def read_rows(
    path: AnyPath, name: str, start: int, stop: int | None, ndim: int
) -> tuple[np.ndarray, dict[int, str]]:
    """Reads consecutive rows of a data set; damaged ones are left out.

    Args:
        path: The file.
        name: The data set.
        start: Number of the first row.
        stop: Number after the last one; None for all there are.
        ndim: The dimensions of a row; a data set of so many is one row.

    Returns:
        The rows that can be read, and by its number in the data set the reason of each that cannot.

    Raises:
        UserError: If the data set is missing, declares more than is stored, or the rows take too much memory.
        ValueError: If the file is damaged.
    """
    found = call_reader(_rows, path, name, start, stop, ndim)
    return found["rows"], dict(zip(found["unread"].tolist(), found["reasons"].tolist(), strict=True))


def call_reader(
    function: Callable[..., Mapping[str, np.ndarray]], path: AnyPath, *arguments: Any
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
    return call(function, path, *arguments)


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


def _named(held: Mapping[str, Any], name: str) -> Any:
    if name not in held:
        raise UserError(f"has no data set `{name}` of numbers, only {', '.join(held)[:300] or 'nothing'}")
    return held[name]


def _shape(path: str, name: str) -> Mapping[str, np.ndarray]:
    import h5py

    with h5py.File(path, "r") as file:
        data = _named(datasets(file), name)
        check_stored(data)
        return {"shape": np.array(data.shape, np.int64)}


def _rows(path: str, name: str, start: int, stop: int | None, ndim: int) -> Mapping[str, np.ndarray]:
    import h5py

    rows, reasons = [], {}
    with h5py.File(path, "r", rdcc_nbytes=_CHUNK_CACHE) as file:
        data = _named(datasets(file), name)
        check_stored(data)
        check_chunks(data)
        if data.ndim not in (ndim, ndim + 1) or data.dtype.names:
            raise UserError(f"holds {data.dtype}{data.shape}; give {ndim} dimensions a row")
        stop = 1 if data.ndim == ndim else data.shape[0] if stop is None else stop
        shape, dtype = data.shape[-ndim:], data.dtype
        check_size((stop - start) * math.prod(shape) * dtype.itemsize, MAX_BYTES)
        for number in range(start, stop):
            try:
                rows.append(data[()] if data.ndim == ndim else data[number])
            except (OSError, RuntimeError, ValueError) as error:  # a damaged chunk; the others may be whole
                reasons[number] = str(error) or type(error).__name__
    return {
        "rows": np.array(rows, dtype).reshape(len(rows), *shape),
        "unread": np.array(list(reasons), np.int64),
        "reasons": np.array(list(reasons.values()), str),
    }


def _read(path: str, names: Sequence[str]) -> Mapping[str, np.ndarray]:
    import h5py

    with h5py.File(path, "r") as file:
        held = datasets(file)
        for name in names:
            check_h5(_named(held, name))
        return {name: held[name][()] for name in names}
