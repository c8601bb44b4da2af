"""What a file declares, held against what it holds before memory is taken for it.

A few bytes can declare an array of any size. Errors do not name the file: its reader does.
"""

import io
import math
from typing import Any, BinaryIO

import numpy as np

from tfxai3d.errors import UserError

MAX_BYTES = 4 << 30
"""The largest array that is read, 4 GiB: the largest public set, VRN's rotated ModelNet40, has 3.9 GB."""

DEFLATE = 1032
"""No deflated byte holds more bytes, in NPZ and in gzipped HDF5 alike."""


def check_size(declared: int, held: int, most: int | None = None) -> None:
    """Raises a UserError if an array declares more bytes than the file can hold, or more than `most`.

    That is MAX_BYTES by default.
    """
    most = MAX_BYTES if most is None else most
    if declared > most:
        raise UserError(f"declares {declared:,} bytes, more than the limit of {most:,}; split the file")
    check_held(declared, held)


def check_held(declared: int, held: int) -> None:
    """Raises a UserError if a file, or a part of it, declares more bytes than it holds."""
    if declared > held:
        raise UserError(f"declares {declared:,} bytes but holds {held:,}; it is cut off, fetch it again")


def check_npy(file: BinaryIO | Any, size: int, most: int | None = None) -> tuple[int, ...]:
    """Reads the header of an NPY file or member of `size` bytes, and returns the array's shape.

    Raises:
        UserError: If it declares Python objects or more than it can hold.
    """
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    length = file.read(2 if version == (1, 0) else 4)
    if int.from_bytes(length, "little") > size:  # before as much memory is taken for it
        raise ValueError("declares a header that is longer than the file")
    shape, _, dtype = read(io.BytesIO(length + file.read(int.from_bytes(length, "little"))))
    if dtype.hasobject:
        raise UserError("holds Python objects, and pickles are refused; save a plain float32 array")
    check_size(math.prod(shape) * dtype.itemsize, size - file.tell(), most)
    return tuple(shape)


def check_chunks(dataset: Any) -> None:
    """Raises a UserError if a chunk of an HDF5 dataset would take too much memory, or the process down."""
    if not dataset.chunks:
        return
    check_size(math.prod(dataset.chunks) * dataset.dtype.itemsize, MAX_BYTES)
    stored: list[int] = []
    if dataset.fletcher32:  # HDF5 1.14 crashes on a chunk that is smaller than its 4-byte checksum
        dataset.id.chunk_iter(lambda chunk: stored.append(chunk.size))
    if min(stored, default=5) <= 4:
        raise UserError("has a damaged chunk; fetch or export it again")


def check_stored(dataset: Any) -> None:
    """Raises a UserError unless an HDF5 dataset of which any part is to be read stores what it declares.

    What was never stored would be read as zeros, for as long as the declaration says.
    """
    if dataset.is_virtual:
        raise UserError("is a virtual dataset; give the files that hold its parts")
    check_held(dataset.size * dataset.dtype.itemsize, DEFLATE * dataset.id.get_storage_size())


def check_h5(dataset: Any) -> None:
    """Raises a UserError if an HDF5 dataset that is to be read whole declares more than it stores."""
    check_chunks(dataset)
    check_size(dataset.size * dataset.dtype.itemsize, DEFLATE * dataset.id.get_storage_size())
