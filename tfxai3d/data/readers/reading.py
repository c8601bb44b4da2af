"""Reading any supported file with one function."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from tfxai3d.data.geometry import MIN_POINTS, Mesh, PointCloud, VoxelGrid
from tfxai3d.data.orientation import z_up_to_y_up
from tfxai3d.data.readers import arrays, meshes
from tfxai3d.data.sampling import normalize as to_unit_sphere
from tfxai3d.data.sampling import sample_surface
from tfxai3d.data.voxelization import voxelize, voxelize_points
from tfxai3d.errors import UserError

Geometry = PointCloud | Mesh | VoxelGrid

# One object in the bytes of a file ...
_SINGLE: dict[str, Callable[[bytes], Geometry]] = {
    ".off": meshes.read_off,
    ".ply": meshes.read_ply,
    ".stl": meshes.read_stl,
    ".obj": meshes.read_obj,
    ".pcd": arrays.read_pcd,
    ".xyz": arrays.read_xyz,
    ".txt": arrays.read_xyz,
    ".csv": arrays.read_xyz,
}
# ... or one of several, by its index.
_SEVERAL: dict[str, Callable[[Path, int], Geometry]] = {
    ".npy": arrays.read_npy,
    ".npz": arrays.read_npz,
    ".h5": arrays.read_h5,
    ".hdf5": arrays.read_h5,
}

_MAX_SINGLE_BYTES = 1 << 30  # these are read into memory whole, and as text take several times their size

EXTENSIONS = (*_SINGLE, *_SEVERAL)
"""The extensions that `read` knows, in lower case."""


def read(path: str | os.PathLike[str], index: int | None = None) -> Geometry:
    """Reads a point cloud, a mesh or a voxel grid; the extension tells the format.

    - OFF, PLY, STL, OBJ: meshes, polygons cut into triangles. Without faces, all but STL are clouds.
    - PCD; XYZ, TXT and CSV with columns of numbers, no title line.
    - NPY: points (N,3) or (M,N,3), or voxels (D,H,W), (M,D,H,W), (M,1,D,H,W) as bool or uint8.
    - NPZ: the arrays `vertices` and `faces`, or `features` (voxels, the VRN authors' format), or
      `points`, or `data`, or any sole array, read like NPY.
    - H5: the dataset `data`, (N,3) or (M,N,3), as in the ModelNet40 shards.

    Columns after x y z, such as normals or colours, are ignored. Files of one object are read up
    to 1 GiB, arrays up to 4 GiB, whatever their headers declare, and no pickle is ever opened.

    Args:
        path: The file.
        index: Which example of a file with several (M), counted from 0; None is the first.

    Returns:
        A `PointCloud` (float32, at least 10 points), a `Mesh` (float32 vertices, int32 faces, with
        an area) or a `VoxelGrid` (uint8, not empty). All numbers are finite.

    Raises:
        UserError: If there is no such file or example, or it does not hold such an object; the
            message is one line with the file, what is wrong and what to do.
    """
    path = Path(path)
    try:
        return _read(path, index or 0)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except Exception as error:  # third-party readers raise nearly anything on damaged files
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        kind = path.suffix[1:].upper()
        raise UserError(f"{path}: not a readable {kind} file ({reason}); fetch or export it again") from error


def load_points(
    path: str | os.PathLike[str],
    num_points: int = 2048,
    seed: int = 0,
    index: int | None = None,
    normalize: bool = True,
) -> np.ndarray:
    """Reads a file as a point cloud, ready for a network.

    A mesh is sampled uniformly by area. Of a cloud with more points than wanted a random part is
    taken, without replacement; one with fewer points is returned whole, with the points it has.

    Args:
        path: The file, see `read`.
        num_points: How many points to return, at least 10.
        seed: Equal seeds choose equal points.
        index: Which example of a file with several, see `read`.
        normalize: Whether to move the centroid to the origin and the farthest point to radius 1.

    Returns:
        The points, float32 (num_points,3), or (N,3) for a cloud of only N points.

    Raises:
        UserError: As `read`; and if the file holds a voxel grid, or `num_points` is below 10.
    """
    if num_points < MIN_POINTS:
        raise UserError(f"{num_points} points are too few; ask for at least {MIN_POINTS}")
    geometry = read(path, index)
    if isinstance(geometry, VoxelGrid):
        raise UserError(f"{Path(path)}: a voxel grid is not a point cloud; give it to a voxel network")
    points = _points(geometry, num_points, seed)
    if not normalize:
        return points
    try:
        return to_unit_sphere(points)
    except UserError as error:
        raise UserError(f"{Path(path)}: {error}") from error


def load_grid(
    path: str | os.PathLike[str], index: int | None = None, *, up: Literal["y", "z"] = "z"
) -> np.ndarray:
    """Reads a file as a grid, ready for a network of voxels.

    A mesh is voxelised, solid; of a cloud the voxels that hold a point are occupied.

    Args:
        path: The file, see `read`.
        index: Which example of a file with several, see `read`.
        up: The up axis of a mesh or cloud in the file. A voxel grid stays as it is.

    Returns:
        Occupancy, float32 (32,32,32,1), z up, or (D,H,W,1) of a file that holds a grid.

    Raises:
        UserError: As `read`.
    """
    geometry = read(path, index)
    upright = z_up_to_y_up if up == "y" else np.asarray  # the map is its own inverse
    if isinstance(geometry, Mesh):
        grid = voxelize(Mesh(upright(geometry.vertices), geometry.faces))
    elif isinstance(geometry, PointCloud):
        grid = voxelize_points(upright(geometry.points))
    else:
        grid = geometry.occupancy
    return grid[..., None].astype(np.float32)


def _read(path: Path, index: int) -> Geometry:
    if path.is_dir():
        raise UserError("is a folder; give a file")
    if not path.is_file():
        raise UserError("no such file; check the path")
    suffix = path.suffix.lower()
    if suffix not in EXTENSIONS:
        raise UserError(f"unknown extension {suffix!r}; give one of {' '.join(EXTENSIONS)}")
    size = path.stat().st_size
    if not size:
        raise UserError("is empty; fetch or export it again")
    if suffix in _SEVERAL:
        return _SEVERAL[suffix](path, index)
    if size > _MAX_SINGLE_BYTES:
        raise UserError(
            f"has {size:,} bytes, more than the limit of {_MAX_SINGLE_BYTES:,}; simplify the object"
        )
    arrays.check_index(index, 1)
    return _SINGLE[suffix](path.read_bytes())


def _points(geometry: PointCloud | Mesh, count: int, seed: int) -> np.ndarray:
    if isinstance(geometry, Mesh):
        return sample_surface(geometry.vertices, geometry.faces, count, seed)[0]
    points = geometry.points
    if len(points) <= count:
        return points
    return points[np.random.default_rng(seed).choice(len(points), size=count, replace=False)]
