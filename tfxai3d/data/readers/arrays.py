"""What stored arrays mean: NPY, NPZ, and what `h5` finds in a file.

What a network takes tells points from voxels; where that is not known, the type and the shape do. Whatever a
header declares is compared with the file before memory is taken for it. Errors do not name the file:
`reading.read` does.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfxai3d.data.geometry import Mesh, PointCloud, Volume, VoxelGrid
from tfxai3d.data.readers.columns import column_names, coordinates
from tfxai3d.errors import UserError
from tfxai3d.results.explanation import DataKind as Kind
from tfxai3d.storage.limits import MAX_BYTES, check_npy, check_size
from tfxai3d.storage.npz import open_arrays

_MAX_COLUMNS = 12  # xyz, normals, colours and a few more; an array (M,N,C) of more is a volume
_MAX_CHANNELS = 4


def read_npy(path: Path, index: int, kind: Kind | None) -> PointCloud | VoxelGrid | Volume:
    """Reads the array of an NPY file."""
    with path.open("rb") as file:
        check_npy(file, path.stat().st_size)
        file.seek(0)
        return geometry(*pick(np.load(file, allow_pickle=False), index, kind))


def npy_with_column(path: Path, new: Path, values: np.ndarray, name: str, part: int) -> None:
    """Writes a table in NPY with a further column, so many rows at a time.

    Args:
        path: A table (N,C), or one with columns by name.
        new: The new file; its type is that which holds the numbers of both.
        values: A number for each row, float32 (N,).
        name: Of the column, where columns have names.
        part: The most rows at a time.

    Raises:
        UserError: If the file holds no such table.
    """
    table = np.load(path, mmap_mode="r")
    if table.dtype.names and table.ndim == 1:
        dtype = np.dtype([*((key, table.dtype[key]) for key in table.dtype.names), (name, "<f4")])
        shape: tuple[int, ...] = table.shape
    elif table.ndim == 2:
        dtype, shape = np.result_type(table, values), (len(table), table.shape[1] + 1)
    else:
        raise UserError("holds several clouds; give a file of one")
    with new.open("wb") as file:
        descr = np.lib.format.dtype_to_descr(dtype)
        header = {"descr": descr, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(table), part):
            old = np.load(path, mmap_mode="r")[start : start + part]
            rows = np.empty((len(old), *shape[1:]), dtype)
            if dtype.names:
                for key in table.dtype.names or ():
                    rows[key] = old[key]
                rows[name] = values[start : start + part]
            else:
                rows[:, :-1], rows[:, -1] = old, values[start : start + part]
            file.write(rows.tobytes())


def read_npz(
    path: Path, index: int, kind: Kind | None, name: str | None
) -> PointCloud | Mesh | VoxelGrid | Volume:
    """Reads the array of a name, else a mesh, `features` (voxels), `points`, `data`, or the only one."""
    with open_arrays(path) as arrays:
        if name is None and {"vertices", "faces"} <= arrays.keys():
            check_index(index, 1)
            return Mesh(arrays["vertices"], arrays["faces"])
        shapes = {key: arrays.shape(key) for key in arrays}
        chosen = choose(shapes, kind, name, ("features", "points", "data"))
        if kind != "voxels" and chosen != "features" and len(shapes[chosen]) < 4:
            arrays.check_packed(chosen)
        return geometry(*pick(arrays[chosen], index, "voxels" if chosen == "features" else kind))


def choose(
    shapes: Mapping[str, tuple[int, ...]], kind: Kind | None, name: str | None, usual: Sequence[str]
) -> str:
    """Returns the name of the array to read.

    Args:
        shapes: Of all arrays, by name.
        kind: What the network takes.
        name: The array that was asked for.
        usual: Names that go before others.

    Raises:
        UserError: If there is none of this name, or none or several could be meant.
    """
    held = ", ".join(f"{key} {shape}" for key, shape in shapes.items())[:300] or "nothing"
    if name is not None:
        if name not in shapes:
            raise UserError(f"has no array {name!r}; it holds {held}")
        return name
    if not shapes:
        raise UserError("holds no array of numbers; store the points or voxels in it")
    for name in usual:
        if len(shapes.get(name, ())) >= (3 if name == "features" else 2):
            return name
    fitting = [
        key for key, shape in shapes.items() if len(shape) >= 2 and (kind == "voxels" or shape[-1] >= 3)
    ]
    if len(fitting) == 1 or len(shapes) == 1:
        return (fitting or list(shapes))[0]
    raise UserError(f"holds {held}; name the array to read (array)")


def check_index(index: int, count: int) -> None:
    """Raises UserError unless there is an example `index` among `count`."""
    if not 0 <= index < count:
        raise UserError(f"index {index} is out of range; it has {count} example(s), counted from 0")


def pick(array: Any, index: int, kind: Kind | None) -> tuple[Kind, np.ndarray]:
    """Takes example `index` of an array or of an H5 data set.

    Args:
        array: Points (N,C) or (M,N,C), voxels (D,H,W), (D,H,W,C) or (M,D,H,W), of several channels
            (M,1,D,H,W) or (M,D,H,W,C); C is small.
        index: Counted from 0.
        kind: What the network takes.

    Returns:
        "points" and an array (N,C), or "voxels" and one (D,H,W) or (D,H,W,C).
    """
    if array.dtype.names and array.ndim == 1:  # a table with columns by name
        check_index(index, 1)
        return "points", array[()]
    if array.dtype.kind not in "biuf" or not 2 <= array.ndim <= 5:
        wanted = "voxels (D,H,W)" if kind == "voxels" else "points (N,3) or (M,N,3)"
        raise UserError(f"holds {array.dtype}{array.shape}; give {wanted}")
    if array.ndim == 2 or (array.ndim == 3 and not _is_grid(array, kind)):
        return "points", _example(array, 2, index)
    last = array.shape[-1]
    channels = array.ndim > 3 and last <= _MAX_CHANNELS and last < min(array.shape[-4:-1])
    if array.ndim == 5 and array.shape[1] == 1 and not channels:
        return "voxels", _example(array, 4, index)[0]
    return "voxels", _example(array, 4 if channels else 3, index)


def geometry(kind: Kind, array: np.ndarray) -> PointCloud | VoxelGrid | Volume:
    """Makes an object of what `pick` returned; a grid of 0 and 1 is occupancy, any other a volume."""
    if kind == "points":
        if array.dtype.names:
            return PointCloud(*coordinates({name: array[name] for name in array.dtype.names}))
        names = column_names(array.shape[1])
        return PointCloud(array[:, :3], dict(zip(names[3:], array.T[3:], strict=True)))
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.dtype == np.uint8 and array.max(initial=0) == 255 and np.isin(array, (0, 255)).all():
        array = array // 255  # an image of black and white
    binary = array.ndim == 3 and ((array == 0) | (array == 1)).all()
    return VoxelGrid(array) if binary else Volume(array)


def _is_grid(array: Any, kind: Kind | None) -> bool:
    """Whether an array of three dimensions is a grid (D,H,W), not clouds (M,N,C)."""
    if kind == "voxels":
        return bool(array.shape[2] != 3)
    return array.dtype in (np.bool_, np.uint8) or array.shape[2] > _MAX_COLUMNS


def _example(array: Any, ndim: int, index: int) -> np.ndarray:
    """Takes example `index`, of `ndim` dimensions."""
    several = array.ndim > ndim
    if array.ndim > ndim + 1:
        raise UserError(f"holds {array.dtype}{array.shape}; give examples of {ndim} dimensions")
    check_index(index, len(array) if several else 1)
    check_size(math.prod(array.shape[-ndim:]) * array.dtype.itemsize, MAX_BYTES)
    return np.asarray(array[index] if several else array[()])
