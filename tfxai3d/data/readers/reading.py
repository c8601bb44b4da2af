"""Reading any supported file with one function."""

import contextlib
import gzip
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tfxai3d.data.geometry import Mesh, PointCloud, Volume, VoxelGrid
from tfxai3d.data.readers import arrays, binvox, h5, lidar, meshes, off, pcd, ply, tables, volumes
from tfxai3d.errors import UserError, reason_of
from tfxai3d.storage.leftovers import scratch_folder

Geometry = PointCloud | Mesh | VoxelGrid | Volume

# One object in the bytes of a file ...
_SINGLE: dict[str, Callable[[bytes], Geometry]] = {
    ".off": off.read_off,
    ".ply": ply.read_ply,
    ".stl": meshes.read_stl,
    ".obj": meshes.read_obj,
    ".pcd": pcd.read_pcd,
    ".xyz": tables.read_table,
    ".xyzn": partial(tables.read_table, usual=tables.XYZN),
    ".xyzrgb": partial(tables.read_table, usual=tables.XYZRGB),
    ".pts": partial(tables.read_table, usual=tables.PTS),
    ".asc": tables.read_table,
    ".txt": tables.read_table,
    ".csv": tables.read_table,
    ".binvox": binvox.parse,
    ".bin": lidar.read_bin,
}
# ... or in a file that its library opens itself ...
_FILES: dict[str, Callable[[Path], Geometry]] = {
    ".las": lidar.read_las,
    ".laz": lidar.read_las,
    ".e57": lidar.read_e57,
    ".nii": volumes.read_nifti,
    ".nrrd": volumes.read_itk,
    ".nhdr": volumes.read_itk,
    ".mha": volumes.read_itk,
    ".mhd": volumes.read_itk,
    ".dcm": volumes.read_itk,
}
# ... or one of several arrays or examples.
_ARRAYS = (".npy", ".npz", ".h5", ".hdf5")

_MAX_SINGLE_BYTES = 1 << 30  # these are read into memory whole, and as text take several times their size

EXTENSIONS = (*_SINGLE, *_FILES, *_ARRAYS)
"""The extensions that `read` knows, in lower case; each may be followed by .gz."""


def read(
    path: str | os.PathLike[str],
    index: int | None = None,
    kind: arrays.Kind | None = None,
    *,
    array: str | None = None,
) -> Geometry:
    """Reads a point cloud, a mesh or a voxel grid; the extension, also before .gz, tells the format.

    - OFF, PLY, STL, OBJ: meshes, polygons cut into triangles. Without faces, all but STL are clouds.
    - PCD, without points that it marks as invalid; XYZ, XYZN, XYZRGB, PTS, ASC, TXT and CSV: columns of
      numbers, their names in a title or x y z first. Further columns are kept by name.
    - NPY, NPZ, H5: points (N,C) or (M,N,C), x y z first; voxels (D,H,W), (D,H,W,C), (M,D,H,W), (M,1,D,H,W),
      0 and 1 or any values. `kind` tells one from the other; without it bool and uint8 of three dimensions
      are voxels, and so is what has more than 12 columns. NPZ also holds meshes, as `vertices` and `faces`.
    - binvox: voxels.
    - LAS, LAZ, E57, BIN (KITTI, nuScenes): clouds, in metres. With the extra `lidar`, but for BIN.
    - NIfTI, NRRD, MHA, MHD, DICOM (a file, or the folder of one series): volumes. With the extra `volumes`.

    Files of one object are read up to 1 GiB, arrays up to 4 GiB, whatever their headers declare, no pickle is
    ever opened, and HDF5 is read by another process.

    Args:
        path: The file.
        index: Which example of a file with several (M), counted from 0; None is the first.
        kind: "points" or "voxels": what the network takes, where this tells what an array means.
        array: Which array of an NPZ or H5 file; by default `features` (NPZ; voxels), `points`, `data`, or the
            only one that fits.

    Returns:
        A `PointCloud` (float32 or float64, at least 10 points, not all equal), a `Mesh` (int32 faces, with an
        area), a `VoxelGrid` (uint8, not empty) or a `Volume` (float32). All numbers are finite.

    Raises:
        UserError: If there is no such file or example, or it does not hold such an object; the
            message is one line with the file, what is wrong and what to do.
    """
    path = Path(path)
    suffix = extension(path)
    try:
        with unpacked(path, suffix) as plain:
            return _read(plain, suffix, index or 0, kind, array)
    except Exception as error:  # third-party readers raise nearly anything on damaged files
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> UserError:
    """Returns the one line that names a file, for whatever was raised while it was read."""
    if isinstance(error, UserError):
        return UserError(f"{path}: {error}")
    reason = reason_of(error)
    kind = extension(path)[1:].upper()
    return UserError(f"{path}: not a readable {kind} file ({reason}); fetch or export it again")


def is_readable(path: Path) -> bool:
    """Whether the extension is one that `read` knows."""
    return extension(path) in EXTENSIONS


def extension(path: Path) -> str:
    """Returns the extension in lower case, without .gz."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix == ".gz" else suffix


@contextlib.contextmanager
def unpacked(path: Path, suffix: str) -> Iterator[Path]:
    """Yields the file, or where it is gzipped a temporary one that holds what it does."""
    if path.is_dir():
        if not any(map(volumes.is_dicom, path.iterdir())):
            raise UserError("is a folder; give a file")
        yield path
        return
    if not path.is_file():
        raise UserError("no such file; check the path")
    if suffix not in EXTENSIONS:
        raise UserError(f"unknown extension {suffix!r}; give one of {' '.join(EXTENSIONS)}")
    if not path.stat().st_size:
        raise UserError("is empty; fetch or export it again")
    if path.suffix.lower() != ".gz":
        yield path
        return
    with scratch_folder() as folder:
        plain, left = Path(folder, f"unpacked{suffix}"), _MAX_SINGLE_BYTES
        with gzip.open(path) as source, plain.open("wb") as target:
            while part := source.read(1 << 20):
                left -= len(part)
                if left < 0:
                    raise UserError(f"unpacks to more than the limit of {_MAX_SINGLE_BYTES:,} bytes")
                target.write(part)
        yield plain


def _read(path: Path, suffix: str, index: int, kind: arrays.Kind | None, array: str | None) -> Geometry:
    if suffix == ".npy":
        return arrays.read_npy(path, index, kind)
    if suffix == ".npz":
        return arrays.read_npz(path, index, kind, array)
    if suffix in _ARRAYS:
        return arrays.geometry(*h5.read_example(path, index, kind, array))
    if path.is_dir():
        arrays.check_index(index, 1)
        return volumes.read_itk(path)
    if (size := path.stat().st_size) > _MAX_SINGLE_BYTES:
        raise UserError(
            f"has {size:,} bytes, more than the limit of {_MAX_SINGLE_BYTES:,}; simplify the object"
        )
    arrays.check_index(index, 1)
    return _FILES[suffix](path) if suffix in _FILES else _SINGLE[suffix](path.read_bytes())
