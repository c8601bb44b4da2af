"""Files as inputs of networks: clouds and grids."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from tfxai3d.data.geometry import MIN_POINTS, Mesh, PointCloud, Volume, VoxelGrid
from tfxai3d.data.orientation import z_up_to_y_up
from tfxai3d.data.readers.columns import single_precision, wanted
from tfxai3d.data.readers.reading import Geometry, read
from tfxai3d.data.resampling import resampled
from tfxai3d.data.sampling import normalize as to_unit_sphere
from tfxai3d.data.sampling import sample_surface
from tfxai3d.data.voxelization import voxelize, voxelize_points
from tfxai3d.errors import UserError
from tfxai3d.storage import AnyPath


def load_points(
    path: AnyPath,
    num_points: int = 2048,
    seed: int = 0,
    index: int | None = None,
    normalize: bool = True,
    *,
    features: int | Sequence[str] = 0,
    up: Literal["y", "z"] = "y",
    array: str | None = None,
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
        features: Further columns (F) that the network takes after x y z, by name, such as `nx`, `ny`, `nz` or
            `intensity`, in the units of the file; or how many, if the file has so many. A mesh has normals.
        up: The up axis in the file; the points have y up.
        array: Which array of an NPZ or H5 file, see `read`.

    Returns:
        The points, float32 (num_points,3+F), or (N,3+F) for a cloud of only N points.

    Raises:
        UserError: As `read`; if the file holds a voxel grid or lacks a feature, or `num_points` is below 10.
    """
    if num_points < MIN_POINTS:
        raise UserError(f"{num_points} points are too few; ask for at least {MIN_POINTS}")
    geometry = read(path, index, "points", array=array)
    try:
        return to_points(geometry, num_points, seed, normalize, features=features, up=up)
    except UserError as error:
        raise UserError(f"{Path(path)}: {error}") from error


def to_points(
    geometry: Geometry,
    num_points: int = 2048,
    seed: int = 0,
    normalize: bool = True,
    *,
    features: int | Sequence[str] = 0,
    up: Literal["y", "z"] = "y",
) -> np.ndarray:
    """Makes a point cloud for a network of what `read` returned; see `load_points`."""
    cloud = _cloud(geometry, num_points, seed)
    columns = {name: single_precision(name, cloud.columns[name]) for name in wanted(cloud.columns, features)}
    return as_inputs(cloud.points, columns, up, normalize)


def load_volume(path: AnyPath, index: int | None = None, *, array: str | None = None) -> Volume:
    """Reads a scan or a grid with its values, its affine and its spacing.

    Args:
        path: The file or DICOM folder, see `read`.
        index: Which example of a file with several, see `read`.
        array: Which array of an NPZ or H5 file, see `read`.

    Raises:
        UserError: As `read`; and if the file holds a mesh or a cloud.
    """
    found = read(path, index, "voxels", array=array)
    if isinstance(found, VoxelGrid):
        return Volume(found.occupancy)
    if not isinstance(found, Volume):
        raise UserError(f"{Path(path)}: holds no volume; give a scan or a grid")
    return found


def load_grid(
    path: AnyPath,
    index: int | None = None,
    *,
    up: Literal["y", "z"] = "z",
    array: str | None = None,
    shape: tuple[int, int, int] | None = None,
    resolution: int = 32,
) -> np.ndarray:
    """Reads a file as a grid, ready for a network of voxels.

    A mesh is voxelised, solid; of a cloud the voxels that hold a point are occupied.

    Args:
        path: The file, see `read`.
        index: Which example of a file with several, see `read`.
        up: The up axis of a mesh or cloud in the file. A voxel grid stays as it is.
        array: Which array of an NPZ or H5 file, see `read`.
        shape: What a grid or volume is resampled to, see `resampled`; by default it stays as it is.
        resolution: Voxels along each axis of the grid that a mesh or cloud becomes.

    Returns:
        Occupancy, float32 (resolution,resolution,resolution,1), z up; or of a file that holds a grid or
        volume (D,H,W,C), its values.

    Raises:
        UserError: As `read`.
    """
    return to_grid(read(path, index, "voxels", array=array), up=up, shape=shape, resolution=resolution)


def to_grid(
    geometry: Geometry,
    *,
    up: Literal["y", "z"] = "z",
    shape: tuple[int, int, int] | None = None,
    resolution: int = 32,
) -> np.ndarray:
    """Makes of an object what `load_grid` returns, float32 (D,H,W,C)."""
    upright = z_up_to_y_up if up == "y" else np.asarray  # the map is its own inverse
    if isinstance(geometry, VoxelGrid | Volume):
        values = geometry.values if isinstance(geometry, Volume) else Volume(geometry.occupancy).values
        return values if shape is None else resampled(values, shape)
    if isinstance(geometry, Mesh):
        grid = voxelize(Mesh(upright(geometry.vertices), geometry.faces), size=resolution)
    else:
        grid = voxelize_points(upright(geometry.points), size=resolution)
    return grid[..., None].astype(np.float32)


def _cloud(geometry: Geometry, count: int, seed: int) -> PointCloud:
    """Returns at most `count` points of a cloud, or so many of a mesh, with their columns."""
    if isinstance(geometry, Mesh):
        points, faces = sample_surface(geometry.vertices, geometry.faces, count, seed)
        a, b, c = np.moveaxis(geometry.vertices.astype(np.float64)[geometry.faces[faces]], 1, 0)
        normals = np.cross(b - a, c - a)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        return PointCloud(points, dict(zip(("nx", "ny", "nz"), normals.T, strict=True)))
    if not isinstance(geometry, PointCloud):
        raise UserError(
            "a voxel grid is not a point cloud; give points (N,3) or (M,N,3), or take a voxel network"
        )
    if len(geometry.points) <= count:
        return geometry
    order = np.random.default_rng(seed).random(len(geometry.points))  # as `cut_tiles` chooses
    chosen = np.sort(np.argsort(order, kind="stable")[:count])
    columns = {name: values[chosen] for name, values in geometry.columns.items()}
    return PointCloud(geometry.points[chosen], columns)


def as_inputs(
    points: np.ndarray, columns: Mapping[str, np.ndarray], up: Literal["y", "z"], normalize: bool = True
) -> np.ndarray:
    """Returns points and their features as a network takes them, float32 (N,3+F), y up; see `load_points`.

    Args:
        points: Coordinates (N,3).
        columns: The features, float32 (N,) by name.
        up: The up axis of the points, and of the columns `nx ny nz`.
        normalize: Whether to bring the points to the unit sphere.
    """
    points = to_unit_sphere(points) if normalize else points.astype(np.float32)
    if up == "z":
        points = z_up_to_y_up(points)
        if columns.keys() >= {"nx", "ny", "nz"}:
            normals = z_up_to_y_up(np.stack([columns["nx"], columns["ny"], columns["nz"]], axis=1))
            columns = {**columns, "nx": normals[:, 0], "ny": normals[:, 1], "nz": normals[:, 2]}
    return np.column_stack([points, *columns.values()]) if columns else points
