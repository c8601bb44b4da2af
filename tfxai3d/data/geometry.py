"""The three kinds of object a file can hold; an instance that exists is valid."""

import dataclasses

import numpy as np

from tfxai3d.data.sampling import face_areas
from tfxai3d.errors import UserError

MIN_POINTS = 10
"""The fewest points that count as an object."""

# Below this share of the squared extent an area is float32 rounding of a line or a point.
_RELATIVE_AREA = 1e-7


@dataclasses.dataclass(frozen=True, eq=False)
class PointCloud:
    """A cloud of at least `MIN_POINTS` points, not all in one place.

    Attributes:
        points: Coordinates, float32 (N,3), finite. Any real numbers are taken and converted.

    Raises:
        UserError: If the points are not such a cloud.
    """

    points: np.ndarray

    def __post_init__(self) -> None:
        points = _coordinates(self.points)
        if len(points) < MIN_POINTS:
            raise UserError(f"has {len(points)} points; an object needs at least {MIN_POINTS}")
        if (points == points[0]).all():
            raise UserError(f"all {len(points)} points are identical; give an object with an extent")
        object.__setattr__(self, "points", points)


@dataclasses.dataclass(frozen=True, eq=False)
class Mesh:
    """A triangle mesh with a surface.

    Attributes:
        vertices: Coordinates, float32 (V,3), finite. Any real numbers are taken and converted.
        faces: Three vertex numbers per triangle, int32 (F,3), each in [0,V).

    Raises:
        UserError: If there are no faces, one points to no vertex, or the surface area is zero.
    """

    vertices: np.ndarray
    faces: np.ndarray

    def __post_init__(self) -> None:
        vertices, faces = _coordinates(self.vertices), np.asarray(self.faces)
        if not faces.size:
            raise UserError("is a mesh with no faces; export it with faces, or as a point cloud")
        if faces.dtype.kind not in "iu" or faces.ndim != 2 or faces.shape[1] != 3:
            raise UserError(f"faces are {faces.dtype}{faces.shape}; give vertex numbers, integers (F,3)")
        outside = (faces < 0) | (faces >= len(vertices))
        if outside.any():
            raise UserError(
                f"has a face index out of range, {faces[outside][0]} with {len(vertices)} vertices; "
                "export the mesh again"
            )
        extent = np.ptp(vertices.astype(np.float64), axis=0).max()
        if face_areas(vertices, faces).sum() <= _RELATIVE_AREA * extent**2:
            raise UserError("is a mesh with zero surface area; give one whose faces have an area")
        object.__setattr__(self, "vertices", vertices)
        object.__setattr__(self, "faces", faces.astype(np.int32))


@dataclasses.dataclass(frozen=True, eq=False)
class VoxelGrid:
    """A grid with at least one occupied voxel.

    Attributes:
        occupancy: 1 where there is matter, else 0, uint8 (D,H,W). Any numbers equal to 0 or 1 are taken.

    Raises:
        UserError: If the values are not 0 and 1, the shape is not (D,H,W), or the grid is empty.
    """

    occupancy: np.ndarray

    def __post_init__(self) -> None:
        grid = np.asarray(self.occupancy)
        if grid.ndim != 3 or grid.dtype.kind not in "biuf":
            raise UserError(f"voxels are {grid.dtype}{grid.shape}; give occupancy 0 or 1 as (D,H,W)")
        if not ((grid == 0) | (grid == 1)).all():
            raise UserError("voxels have values other than 0 and 1; threshold them to occupancy")
        if not grid.any():
            raise UserError("the voxel grid is empty; pick another example (index)")
        object.__setattr__(self, "occupancy", grid.astype(np.uint8))


def _coordinates(values: np.ndarray) -> np.ndarray:
    """Returns `values` as finite float32 (N,3)."""
    values = np.asarray(values)
    if values.dtype.kind not in "fiu":
        raise UserError(f"coordinates are of type {values.dtype}; save them as float32")
    if values.ndim != 2 or values.shape[1] != 3:
        raise UserError(f"coordinates have shape {values.shape}; give x y z for each point, (N,3)")
    with np.errstate(over="ignore"):  # what overflows becomes infinite and is refused below
        values = values.astype(np.float32)
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values).all(axis=1)).sum())
        raise UserError(f"has NaN or infinite coordinates in {bad} of {len(values)} points; remove these")
    return values
