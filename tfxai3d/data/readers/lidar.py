"""LAS and LAZ by laspy, E57 by pye57, and the scans of KITTI.

These libraries read in Rust and C++, so another process calls them. Errors do not name the file:
`reading.read` does.
"""

import copy
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tfxai3d.data.geometry import PointCloud
from tfxai3d.data.readers.columns import coordinates
from tfxai3d.errors import UserError, missing_extra
from tfxai3d.storage.isolated import call
from tfxai3d.storage.limits import DEFLATE, MAX_BYTES, check_held, check_size

_PACKED = 30
_FAR = 1e6  # metres; no scanner sees so far, while bytes that are no numbers mostly say more


def read_las(path: Path) -> PointCloud:
    """Reads a LAS or LAZ file; all its dimensions are kept as columns, extra ones too."""
    return PointCloud(*coordinates(call(_las, path)))


def read_e57(path: Path) -> PointCloud:
    """Reads all scans of an E57 file, in its common frame, without the points that it marks as invalid."""
    return PointCloud(*coordinates(call(_e57, path)))


def read_bin(raw: bytes) -> PointCloud:
    """Reads a scan of KITTI, float32 x y z intensity, or of nuScenes, the same and the number of the ring.

    Raises:
        UserError: If the bytes are none of both.
    """
    names = ["x", "y", "z", "intensity"]
    if len(raw) % 20 == 0:
        ring = np.frombuffer(raw, "<f4").reshape(-1, 5)[:, 4]
        if np.isin(ring, np.arange(256)).all():
            names.append("ring")
    if len(raw) % (4 * len(names)):
        raise UserError(
            f"has {len(raw):,} bytes; a scan has 16 for each point: x, y, z and intensity as float32"
        )
    table = np.frombuffer(raw, "<f4").reshape(-1, len(names))
    if not (np.abs(table[:, :3]) < _FAR).all():
        raise UserError("holds numbers that are no metres; give a scan of x, y, z and intensity as float32")
    return PointCloud(*coordinates(dict(zip(names, table.T, strict=True))))


def las_size(path: str | os.PathLike[str]) -> int:
    """Returns the bytes by which reading a LAS or LAZ file is limited, see `isolated.call`: those unpacked.

    More than 30 times its own a LAZ file has hardly ever, whatever it declares.
    """
    return min(int(call(las_columns, path)["bytes"]), _PACKED * os.path.getsize(path))


def las_columns(path: str) -> Mapping[str, np.ndarray]:
    """Returns the points of a LAS or LAZ file: their `count`, `bytes` and the names of their `columns`."""
    with _open_las(path) as file:
        _, columns = coordinates(_las_columns(file.read_points(1)))
        count, width = file.header.point_count, file.header.point_format.size
        names = np.array([*columns], dtype=str)
        return {"count": np.array(count), "bytes": np.array(count * width), "columns": names}


def las_table(path: str, table: str, names: Sequence[str], part: int) -> Mapping[str, np.ndarray]:
    """Writes x, y, z and the columns of these names as an NPY table (N,3+F), so many points at a time."""
    with _open_las(path) as file, open(table, "wb") as out:
        shape = (file.header.point_count, 3 + len(names))
        np.lib.format.write_array_header_1_0(out, {"descr": "<f8", "fortran_order": False, "shape": shape})
        written = 0
        for points in file.chunk_iterator(part):
            xyz, columns = coordinates(_las_columns(points))
            rows = np.column_stack([xyz, *(columns[name] for name in names)]).astype("<f8")
            out.write(rows.tobytes())
            written += len(rows)
        _check_count(file.header.point_count, written)
    return {}


def las_with_column(path: str, new: str, values: str, name: str, part: int) -> Mapping[str, np.ndarray]:
    """Writes a LAS or LAZ file with a further dimension, so many points at a time, all else as it is.

    Args:
        path: The file.
        new: The new file.
        values: An NPY file of a number for each point, float32 (N,).
        name: Of the dimension.
        part: The most points at a time.
    """
    import laspy

    numbers = np.load(values, mmap_mode="r")
    with _open_las(path) as file, open(new, "wb") as out:
        header = copy.deepcopy(file.header)
        header.add_extra_dim(laspy.ExtraBytesParams(name, "float32"))
        compress, written = file.header.are_points_compressed, 0
        with laspy.open(out, mode="w", header=header, do_compress=compress, closefd=False) as writer:
            for points in file.chunk_iterator(part):
                longer = laspy.ScaleAwarePointRecord.zeros(len(points), header=header)
                longer.copy_fields_from(points)
                longer[name] = numbers[written : written + len(points)]
                writer.write_points(longer)
                written += len(points)
            if file.evlrs:
                writer.write_evlrs(file.evlrs)
        _check_count(file.header.point_count, written)
    return {}


def _las(path: str) -> Mapping[str, np.ndarray]:
    with _open_las(path) as file:
        declared = file.header.point_count * file.header.point_format.size
        check_size(declared, declared)
        points = file.read_points(-1)
        _check_count(file.header.point_count, len(points))
        return _las_columns(points)


def _open_las(path: str) -> "laspy.LasReader":  # type: ignore[name-defined]  # noqa: F821
    """Opens a LAS or LAZ file whose points can be what its header declares."""
    try:
        import laspy
    except ImportError as error:
        raise missing_extra("laspy", "lidar") from error
    file = laspy.open(path)
    header, size = file.header, Path(path).stat().st_size
    declared = header.point_count * header.point_format.size
    check_held(declared, DEFLATE * size if header.are_points_compressed else size)
    return file


def _check_count(declared: int, held: int) -> None:
    if held != declared:
        raise UserError(f"declares {declared} points but holds {held}; it is cut off")


def _las_columns(points: "laspy.ScaleAwarePointRecord") -> dict[str, np.ndarray]:  # type: ignore[name-defined]  # noqa: F821
    """Returns all dimensions of points, (n,) by name, x, y and z in their frame."""
    columns = {axis: getattr(points, axis).scaled_array() for axis in "xyz"}
    for name in points.point_format.dimension_names:
        if name not in "XYZ":
            columns |= _flat(name, np.asarray(points[name]))
    return columns


def _flat(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """Returns a dimension of several numbers a point as several columns."""
    if values.ndim == 1:
        return {name: values}
    return {f"{name}_{number}": column for number, column in enumerate(values.T)}


def _e57(path: str) -> Mapping[str, np.ndarray]:
    try:
        import pye57
    except ImportError as error:
        raise missing_extra("pye57", "lidar") from error
    file = pye57.E57(path)
    scans = [_scan(file, number) for number in range(file.scan_count)]
    if not scans:
        raise UserError("holds no scan; give a file with one")
    shared = [name for name in scans[0] if all(name in scan for scan in scans)]
    return {name: np.concatenate([scan[name] for scan in scans]) for name in shared}


def _scan(file: "pye57.E57", number: int) -> dict[str, np.ndarray]:  # type: ignore[name-defined]  # noqa: F821
    header = file.get_header(number)
    check_size(header.point_count * 8 * len(header.point_fields), MAX_BYTES)
    fields = file.read_scan_raw(number, ignore_unsupported_fields=True)
    if "sphericalRange" in fields:
        radius, turn, rise = (fields.pop(f"spherical{name}") for name in ("Range", "Azimuth", "Elevation"))
        away = radius * np.cos(rise)
        points = np.stack([away * np.cos(turn), away * np.sin(turn), radius * np.sin(rise)], axis=1)
    else:
        points = np.stack([fields.pop(f"cartesian{axis}") for axis in "XYZ"], axis=1)
    if header.has_pose():
        points = file.to_global(points, header.rotation, header.translation)
    states = [name for name in fields if name.endswith("InvalidState")]
    invalid = (
        np.any([fields.pop(name) != 0 for name in states], axis=0) if states else np.zeros(len(points), bool)
    )
    columns = dict(zip("xyz", points.T, strict=True)) | fields
    return {name: values[~invalid] for name, values in columns.items()}
