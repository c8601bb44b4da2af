"""A file again, with one more number for each of its points; all else stays as it is."""

import gzip
import re
import shutil
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from tfxai3d.data.geometry import Mesh
from tfxai3d.data.readers import arrays, lidar, pcd, ply, tables
from tfxai3d.data.readers.clouds import PART, open_cloud
from tfxai3d.data.readers.reading import extension, unpacked, unreadable
from tfxai3d.errors import UserError
from tfxai3d.storage import AnyPath, atomic_path
from tfxai3d.storage.isolated import call
from tfxai3d.storage.leftovers import scratch_folder


def write_column(source: AnyPath, path: AnyPath, values: np.ndarray, name: str = "importance") -> None:
    """Writes a cloud's file again with a further column, such as the importance of each point.

    Coordinates and all other columns stay as they are, in their own frame and type. LAS, LAZ and NPY are
    written in parts, so files of any size need little memory.

    Args:
        source: A LAS, LAZ, PLY, PCD, NPY or text file of one cloud, gzipped or not.
        path: The new file, of the same format, gzipped or not.
        values: A number for each point, as many and in the order as `read` returns them; float32 (N,).
        name: What the column is called.

    Raises:
        UserError: If the format is none of these, the source has such a column already or other points.
    """
    source, path, values = Path(source), Path(path), np.asarray(values, np.float32)
    if not re.fullmatch(r"[A-Za-z_]\w{0,31}", name, re.ASCII):
        raise UserError(f"name {name!r}: give a word of up to 32 letters")
    if extension(source) not in _WRITERS:
        raise UserError(
            f"{source}: columns are written to {' '.join(_WRITERS)} alone; save the cloud as one of them"
        )
    if extension(path) != extension(source):
        raise UserError(f"{path}: give a file of the format of {source.name}")
    count = _count(source, name)
    if values.shape != (count,) or not np.isfinite(values).all():
        raise UserError(
            f"{name} has the shape {values.shape}; give a finite number for each of {count} points"
        )
    write = _WRITERS[extension(source)]
    with atomic_path(path) as temporary, scratch_folder() as folder:
        try:
            with unpacked(source, extension(source)) as plain:
                if path.suffix.lower() != ".gz":
                    write(plain, temporary, values, name)
                else:
                    new = Path(folder, f"new{extension(path)}")
                    write(plain, new, values, name)
                    with new.open("rb") as file, gzip.open(temporary, "wb") as target:
                        shutil.copyfileobj(file, target)
        except (UserError, ValueError, struct.error) as error:  # of a damaged source
            raise unreadable(source, error) from error


def takes_column(source: AnyPath) -> bool:
    """Whether `write_column` writes files of this format; of NPY those of one cloud."""
    suffix = extension(Path(source))
    if suffix != ".npy":
        return suffix in _WRITERS
    with unpacked(Path(source), suffix) as plain:
        table = np.load(plain, mmap_mode="r")
        return table.ndim == 2 or bool(table.dtype.names)


def _count(source: Path, name: str) -> int:
    """Returns how many numbers a column of this name needs."""
    cloud = open_cloud(source)
    if isinstance(cloud, Mesh):
        return len(cloud.vertices)
    if name.lower() in cloud.columns:
        raise UserError(f"{source}: has a column {name} already; choose another name")
    return cloud.count


def _npy(source: Path, path: Path, values: np.ndarray, name: str) -> None:
    arrays.npy_with_column(source, path, values, name, PART)


def _text(usual: Mapping[int, Sequence[str]] | None = None) -> "_Writer":
    def write(source: Path, path: Path, values: np.ndarray, name: str) -> None:
        path.write_bytes(tables.with_column(source.read_bytes(), values, name, usual))

    return write


def _ply(source: Path, path: Path, values: np.ndarray, name: str) -> None:
    path.write_bytes(ply.with_column(source.read_bytes(), values, name))


def _pcd(source: Path, path: Path, values: np.ndarray, name: str) -> None:
    path.write_bytes(pcd.with_column(source.read_bytes(), values, name))


def _las(source: Path, path: Path, values: np.ndarray, name: str) -> None:
    with scratch_folder() as folder:
        kept = Path(folder, "values.npy")
        np.save(kept, values)
        size = 2 * lidar.las_size(source)  # it is read and written
        call(lidar.las_with_column, source, str(path), str(kept), name, PART, size=size)


_Writer = Callable[[Path, Path, np.ndarray, str], None]
_WRITERS: dict[str, _Writer] = {
    ".las": _las,
    ".laz": _las,
    ".ply": _ply,
    ".pcd": _pcd,
    ".npy": _npy,
    ".xyz": _text(),
    ".xyzn": _text(tables.XYZN),
    ".xyzrgb": _text(tables.XYZRGB),
    ".pts": _text(tables.PTS),
    ".asc": _text(),
    ".txt": _text(),
    ".csv": _text(),
}
