"""One example of an HDF5 file. Errors do not name the file: `reading.read` does."""

import os
from collections.abc import Mapping

import numpy as np

from tfxai3d.data.readers.arrays import Kind, choose, pick
from tfxai3d.storage.hdf5 import call_reader, datasets
from tfxai3d.storage.limits import check_chunks, check_stored


def read_example(
    path: str | os.PathLike[str], index: int, kind: Kind | None, name: str | None
) -> tuple[Kind, np.ndarray]:
    """Reads one example of a data set: the one of a name, else `data`, else the only one that fits.

    Returns:
        What it is, and its numbers; see `arrays.pick`.

    Raises:
        UserError: If none or several fit, there is no such example, or it cannot be read.
    """
    ((found, array),) = call_reader(_example, path, index, kind, name).items()
    return ("voxels" if found == "voxels" else "points"), array


def _example(path: str, index: int, kind: Kind | None, name: str | None) -> Mapping[str, np.ndarray]:
    import h5py

    with h5py.File(path, "r") as file:
        arrays = datasets(file)
        data = arrays[
            choose({key: array.shape for key, array in arrays.items()}, kind, name, ("data", "points"))
        ]
        check_chunks(data)
        check_stored(data)
        found, array = pick(data, index, kind)
    return {found: array}
