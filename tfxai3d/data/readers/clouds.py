"""Clouds of any number of points, read a part at a time, so that memory does not grow with their number.

NPY is read in parts where it lies; LAS and LAZ are unpacked by another process into a temporary table of the
columns that are wanted; of other formats, which are of a limited size, the whole cloud is in memory.
"""

import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from tfxai3d.data.geometry import MIN_POINTS, Mesh, PointCloud, check_points
from tfxai3d.data.readers import lidar
from tfxai3d.data.readers.columns import column_names, coordinates, single_precision, wanted
from tfxai3d.data.readers.reading import read, unreadable
from tfxai3d.errors import UserError
from tfxai3d.storage import AnyPath
from tfxai3d.storage.isolated import call
from tfxai3d.storage.leftovers import scratch_folder
from tfxai3d.storage.limits import check_npy

PART = 1 << 19
"""Points in a part."""

_Rows = Iterator[tuple[np.ndarray, Mapping[str, np.ndarray]]]  # coordinates (n,3), columns (n,) by name


@dataclasses.dataclass(frozen=True)
class CloudFile:
    """A file of one cloud.

    Attributes:
        path: The file.
        count: How many points it has.
        columns: What else is known of each point, by the names of `PointCloud.columns`.
    """

    path: Path
    count: int
    columns: tuple[str, ...]
    _rows: Callable[[Sequence[str]], _Rows] = dataclasses.field(repr=False)

    def features(self, features: int | Sequence[str]) -> list[str]:
        """Returns the names of the features that a network takes, see `load_points`."""
        try:
            return wanted(self.columns, features)
        except UserError as error:
            raise UserError(f"{self.path}: {error}") from error

    def parts(self, features: Sequence[str] = ()) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields the points in the order of the file, at most `PART` at a time.

        Args:
            features: Columns to go with them.

        Yields:
            Coordinates (n,3) in the file's own frame and type, and features, float32 (n,F).

        Raises:
            UserError: If a number is NaN, infinite or too large, or the file is damaged.
        """
        try:
            for points, columns in self._rows(features):
                check_points(points)
                kept = [single_precision(name, columns[name]) for name in features]
                yield points, np.stack(kept, axis=1) if kept else np.zeros((len(points), 0), np.float32)
        except Exception as error:
            raise unreadable(self.path, error) from error


def open_cloud(path: AnyPath, index: int | None = None, *, array: str | None = None) -> CloudFile | Mesh:
    """Opens a file as a cloud that is read a part at a time; a mesh is read and returned as it is.

    Args:
        path: The file, see `read`; LAS, LAZ and NPY may be of any size.
        index: Which example of a file with several, see `read`.
        array: Which array of an NPZ or H5 file, see `read`.

    Raises:
        UserError: As `read`, and if the file holds no cloud.
    """
    path, opened = Path(path), None
    if path.is_file() and path.stat().st_size and not index:
        try:
            if path.suffix.lower() == ".npy":
                opened = _open_npy(path)
            elif path.suffix.lower() in (".las", ".laz"):
                opened = _open_las(path)
        except Exception as error:
            raise unreadable(path, error) from error
    if opened is None:
        found = read(path, index, "points", array=array)
        if isinstance(found, Mesh):
            return found
        if not isinstance(found, PointCloud):
            raise UserError(
                f"{path}: a voxel grid is not a point cloud; give points (N,3) or (M,N,3), or take a voxel "
                "network"
            )
        opened = _in_memory(path, found)
    if opened.count < MIN_POINTS:
        raise UserError(f"{path}: has {opened.count} points; an object needs at least {MIN_POINTS}")
    return opened


def _in_memory(path: Path, cloud: PointCloud) -> CloudFile:
    def rows(features: Sequence[str]) -> _Rows:
        for start in range(0, len(cloud.points), PART):
            some = slice(start, start + PART)
            yield cloud.points[some], {name: cloud.columns[name][some] for name in features}

    return CloudFile(path, len(cloud.points), tuple(cloud.columns), rows)


def _open_npy(path: Path) -> CloudFile | None:
    """Opens a table (N,C) or one with columns by name; None for an array of another form."""
    with path.open("rb") as file:
        check_npy(file, path.stat().st_size, most=path.stat().st_size)
    table = np.load(path, mmap_mode="r")
    if table.dtype.names and table.ndim == 1:
        names = list(table.dtype.names)
    elif table.dtype.kind in "fiu" and table.ndim == 2 and table.shape[1] >= 3:
        names = column_names(table.shape[1])
    else:
        return None
    _, columns = coordinates({name: np.zeros(0) for name in names})
    return CloudFile(path, len(table), tuple(columns), lambda features: _table_rows(path))


def _table_rows(path: Path) -> _Rows:
    """Yields the rows of an NPY table, mapped anew each time: what was mapped does not stay in memory."""
    for start in range(0, len(np.load(path, mmap_mode="r")), PART):
        table = np.load(path, mmap_mode="r")[start : start + PART]
        if table.dtype.names:
            yield coordinates({name: table[name] for name in table.dtype.names})
        else:
            yield coordinates(dict(zip(column_names(table.shape[1]), table.T, strict=True)))


def _open_las(path: Path) -> CloudFile:
    found = call(lidar.las_columns, path)
    unpacked: dict[tuple[str, ...], tempfile.TemporaryDirectory[str]] = {}  # removed with the cloud

    def rows(features: Sequence[str]) -> _Rows:
        key = tuple(features)
        if key not in unpacked:
            unpacked[key] = scratch_folder()
            table = str(Path(unpacked[key].name, "table.npy"))
            call(lidar.las_table, path, table, list(features), PART, size=lidar.las_size(path))
        for points, columns in _table_rows(Path(unpacked[key].name, "table.npy")):
            yield points, dict(zip(features, columns.values(), strict=True))

    return CloudFile(path, int(found["count"]), tuple(found["columns"].tolist()), rows)
