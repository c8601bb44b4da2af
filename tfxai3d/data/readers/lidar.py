"""LAS and LAZ by laspy, E57 by pye57, and the scans of KITTI.

These libraries read in Rust and C++, so another process calls them. Errors do not name the file:
`reading.read` does.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tfxai3d.data.geometry import PointCloud
from tfxai3d.data.readers.columns import coordinates
from tfxai3d.errors import UserError, missing_extra
from tfxai3d.storage.isolated import call
from tfxai3d.storage.limits import DEFLATE, MAX_BYTES, check_size

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


def _las(path: str) -> Mapping[str, np.ndarray]:
    try:
        import laspy
    except ImportError as error:
        raise missing_extra("laspy", "lidar") from error
    with laspy.open(path) as file:
        header, size = file.header, Path(path).stat().st_size
        declared = header.point_count * header.point_format.size
        check_size(declared, DEFLATE * size if header.are_points_compressed else size)
        las = file.read()
    if len(las.points) != header.point_count:
        raise UserError(f"declares {header.point_count} points but holds {len(las.points)}; it is cut off")
    columns = {"x": las.x.scaled_array(), "y": las.y.scaled_array(), "z": las.z.scaled_array()}
    for name in las.point_format.dimension_names:
        if name not in "XYZ":
            columns |= _flat(name, np.asarray(las[name]))
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
