"""XYZ, PCD, NPY, NPZ and H5: columns of numbers and stored arrays.

Whatever a header declares is compared with the file before memory is taken for it. Errors do not
name the file: `reading.read` does.
"""

import io
import math
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np

from tfxai3d.data.geometry import Mesh, PointCloud, VoxelGrid
from tfxai3d.errors import UserError
from tfxai3d.storage.limits import MAX_BYTES, check_chunks, check_npy, check_size
from tfxai3d.storage.npz import open_arrays

_MAX_PCD_COLUMNS = 10_000


def read_xyz(raw: bytes) -> PointCloud:
    """Reads columns of numbers, separated by blanks or commas, x y z first; # starts a comment."""
    lines = raw.decode("utf-8-sig", "replace").replace(",", " ").splitlines()
    if not any(line.split("#")[0].strip() for line in lines):
        raise UserError("has no points; give a file with x y z in each line")
    return PointCloud(np.loadtxt(lines, ndmin=2)[:, :3])


def read_pcd(raw: bytes) -> PointCloud:
    """Reads the fields x, y and z of a PCD file, ASCII, binary or compressed."""
    import pypcd4

    header = re.match(rb"(?:.*\n)*?DATA\s+(\w+)[^\n]*\n", raw[: 1 << 16])
    if not header:
        raise UserError("has no complete PCD header; it is cut off or damaged, fetch or export it again")
    start = header.end()
    meta = pypcd4.MetaData.parse_header(header[0].decode("latin-1").splitlines())
    if not {"x", "y", "z"} <= set(meta.fields):
        raise UserError(f"has the fields {' '.join(meta.fields)}; give a cloud with x, y and z")
    if sum(meta.count) > _MAX_PCD_COLUMNS:
        raise UserError(f"declares {sum(meta.count)} columns; it is damaged, fetch or export it again")
    body = raw[start:]
    if header[1] == b"ascii":  # one blank between numbers is all that pypcd4 takes
        raw = raw[:start] + b"\n".join(b" ".join(line.split()) for line in body.splitlines())
    else:
        row = sum(size * count for size, count in zip(meta.size, meta.count, strict=True))
        _check_pcd_size(body, meta.points * row, compressed=header[1] != b"binary")
    cloud = pypcd4.PointCloud.from_fileobj(io.BufferedReader(io.BytesIO(raw)))
    points = np.atleast_2d(cloud.numpy(("x", "y", "z")))
    if len(points) != meta.points:
        raise UserError(
            f"declares {meta.points} points but holds {len(points)}; it is cut off, fetch it again"
        )
    return PointCloud(points)


def _check_pcd_size(body: bytes, declared: int, compressed: bool) -> None:
    """Raises UserError unless the body of a binary PCD can hold the `declared` bytes."""
    if not compressed:
        return check_size(declared, len(body))
    packed, unpacked = struct.unpack("<II", body[:8])
    check_size(packed, len(body) - 8)
    return check_size(declared, unpacked if unpacked == declared else 0)


def read_npy(path: Path, index: int) -> PointCloud | VoxelGrid:
    """Reads the array of an NPY file: bool or uint8 of three and more dimensions is voxels, else points."""
    with path.open("rb") as file:
        check_npy(file, path.stat().st_size)
        file.seek(0)
        return _by_type(np.load(file, allow_pickle=False), index)


def read_npz(path: Path, index: int) -> PointCloud | Mesh | VoxelGrid:
    """Reads `vertices` and `faces`, `features` (voxels), `points`, `data`, or the sole array."""
    with open_arrays(path) as arrays:
        if {"vertices", "faces"} <= arrays.keys():
            check_index(index, 1)
            return Mesh(arrays["vertices"], arrays["faces"])
        if "features" in arrays:
            return _voxels(arrays["features"], index)
        for name in ("points", "data"):
            if name in arrays:
                return _points(arrays[name], index)
        if len(arrays) == 1:
            return _by_type(next(iter(arrays.values())), index)
        names = ", ".join(arrays) or "nothing"
    raise UserError(f"holds {names}; name the array points, data or features, or give vertices and faces")


def read_h5(path: Path, index: int) -> PointCloud:
    """Reads one cloud of the dataset `data`, as in the ModelNet40 shards; only that one is loaded."""
    import h5py

    with h5py.File(path, "r") as file:
        data = file.get("data")
        if not isinstance(data, h5py.Dataset):
            raise UserError(
                f"has no dataset `data`, only {', '.join(file) or 'nothing'}; store the points there"
            )
        check_chunks(data)
        return _points(data, index)


def check_index(index: int, count: int) -> None:
    """Raises UserError unless there is an example `index` among `count`."""
    if not 0 <= index < count:
        raise UserError(f"index {index} is out of range; it has {count} example(s), counted from 0")


def _by_type(array: np.ndarray, index: int) -> PointCloud | VoxelGrid:
    """Reads an array without a name: only its type can tell voxels from points."""
    voxels = array.dtype in (np.bool_, np.uint8) and array.ndim >= 3
    return _voxels(array, index) if voxels else _points(array, index)


def _points(array: Any, index: int) -> PointCloud:
    """Takes one cloud from (N,C) or (M,N,C), C >= 3: what follows x y z is ignored."""
    return PointCloud(_pick(array, 2, index, "points (N,3) or (M,N,3)")[:, :3])


def _voxels(array: np.ndarray, index: int) -> VoxelGrid:
    """Takes one grid from (D,H,W), (M,D,H,W) or the VRN authors' (M,1,D,H,W)."""
    if array.ndim == 5 and array.shape[1] == 1:
        array = array[:, 0]
    return VoxelGrid(_pick(array, 3, index, "voxels (D,H,W), (M,D,H,W) or (M,1,D,H,W)"))


def _pick(array: Any, ndim: int, index: int, expected: str) -> np.ndarray:
    """Takes example `index` of an array or H5 dataset, whose examples have `ndim` dimensions."""
    if array.dtype.kind not in "biuf" or array.ndim not in (ndim, ndim + 1):
        raise UserError(f"holds {array.dtype}{array.shape}; give {expected}")
    several = array.ndim > ndim
    check_index(index, len(array) if several else 1)
    check_size(math.prod(array.shape[-ndim:]) * array.dtype.itemsize, MAX_BYTES)
    return np.asarray(array[index] if several else array[()])
