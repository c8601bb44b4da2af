"""A file again, with one more number for each of its points; all else stays as it is."""

import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.lib import recfunctions

from tfxai3d.data.geometry import Mesh, PointCloud
from tfxai3d.data.readers import pcd, ply
from tfxai3d.data.readers.reading import read
from tfxai3d.errors import UserError
from tfxai3d.storage import AnyPath, atomic_path
from tfxai3d.storage.isolated import call


def write_column(source: AnyPath, path: AnyPath, values: np.ndarray, name: str = "importance") -> None:
    """Writes a cloud's file again with a further column, such as the importance of each point.

    Coordinates and all other columns stay as they are, in their own frame and type.

    Args:
        source: A LAS, LAZ, PLY, PCD or NPY file of one cloud.
        path: The new file, of the same format.
        values: A number for each point, as many and in the order as `read` returns them; float32 (N,).
        name: What the column is called.

    Raises:
        UserError: If the format is none of these, the source has such a column already or other points.
    """
    source, path = Path(source), Path(path)
    suffix = source.suffix.lower()
    if suffix not in _WRITERS or path.suffix.lower() != suffix:
        raise UserError(f"{path}: columns are written to {' '.join(_WRITERS)}, in the format of the source")
    if not re.fullmatch(r"[A-Za-z_]\w{0,31}", name, re.ASCII):
        raise UserError(f"name {name!r}: give a word of up to 32 letters")
    found, values = read(source, kind="points"), np.asarray(values, np.float32)
    if isinstance(found, PointCloud):
        count = len(found.points)
    elif isinstance(found, Mesh) and suffix == ".ply":
        count = len(found.vertices)
    else:
        raise UserError(f"{source}: holds no cloud of points")
    if isinstance(found, PointCloud) and name.lower() in found.columns:
        raise UserError(f"{source}: has a column {name} already; choose another name")
    if values.shape != (count,) or not np.isfinite(values).all():
        raise UserError(
            f"{name} has the shape {values.shape}; give a finite number for each of {count} points"
        )
    with atomic_path(path) as temporary:
        try:
            _WRITERS[suffix](source, temporary, values, name)
        except UserError as error:
            raise UserError(f"{source}: {error}") from error


def _npy(source: Path, path: Path, values: np.ndarray, name: str) -> None:
    array = np.load(source)
    if array.dtype.names:
        array = recfunctions.append_fields(array, name, values, usemask=False)
    elif array.ndim == 2:
        array = np.column_stack([array, values])
    else:
        raise UserError("holds several clouds; give a file of one")
    with path.open("wb") as file:
        np.save(file, array)


def _ply(source: Path, path: Path, values: np.ndarray, name: str) -> None:
    path.write_bytes(ply.with_column(source.read_bytes(), values, name))


def _pcd(source: Path, path: Path, values: np.ndarray, name: str) -> None:
    path.write_bytes(pcd.with_column(source.read_bytes(), values, name))


def _las(source: Path, path: Path, values: np.ndarray, name: str) -> None:
    with tempfile.TemporaryDirectory(prefix="tfxai3d-") as folder:
        kept = Path(folder, "values.npy")
        np.save(kept, values)
        call(_las_with_dimension, source, str(path), str(kept), name)


def _las_with_dimension(source: str, path: str, values: str, name: str) -> Mapping[str, np.ndarray]:
    import laspy

    las = laspy.read(source)
    las.add_extra_dim(laspy.ExtraBytesParams(name, "float32"))
    las[name] = np.load(values)
    with open(path, "wb") as file:
        las.write(file, do_compress=Path(source).suffix.lower() == ".laz")
    return {}


_WRITERS: dict[str, Callable[[Path, Path, np.ndarray, str], None]] = {
    ".las": _las,
    ".laz": _las,
    ".ply": _ply,
    ".pcd": _pcd,
    ".npy": _npy,
}
