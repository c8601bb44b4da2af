"""The kinds of object a file can hold; an instance that exists is valid."""

import dataclasses
from collections.abc import Mapping

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
        points: Coordinates (N,3), finite. Any real numbers are taken and converted to float32, or to float64
            where float32 would round points of an object far from the origin, as map coordinates are.
        columns: What else is known of each point, (N,) by name: `nx ny nz`, `red green blue`, `intensity` and
            whatever the file calls the rest; in the units of the file.

    Raises:
        UserError: If the points are not such a cloud.
    """

    points: np.ndarray
    columns: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

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
        vertices: Coordinates (V,3), finite, converted as those of a cloud.
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


@dataclasses.dataclass(frozen=True, eq=False)
class Volume:
    """A grid of real values, such as a scan.

    Attributes:
        values: float32 (D,H,W,C), finite, not all equal. Any real numbers are taken, and (D,H,W).
        affine: Takes voxel numbers (i,j,k,1) to millimetres, to the right, front and head of a patient as in
            NIfTI; float64 (4,4). Without it: the voxel numbers.
        oriented: Whether there was an affine, so that left and right are known.

    Raises:
        UserError: If they are not such values.
    """

    values: np.ndarray
    affine: np.ndarray = None  # type: ignore[assignment]  # an instance always has one
    oriented: bool = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        values = values[..., None] if values.ndim == 3 else values
        if values.ndim != 4 or values.dtype.kind not in "biuf" or not values.size:
            raise UserError(f"values are {values.dtype}{values.shape}; give a volume (D,H,W) or (D,H,W,C)")
        with np.errstate(over="ignore"):
            values = values.astype(np.float32)
        if not np.isfinite(values).all():
            broken = int((~np.isfinite(values)).sum())
            raise UserError(f"has {broken} values that are NaN or infinite; give them a number, such as 0")
        if (values == values.flat[0]).all():
            raise UserError("all values of the volume are equal; give one that shows something")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "oriented", self.affine is not None)
        affine = np.asarray(self.affine if self.oriented else np.eye(4), np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all() or not np.linalg.det(affine):
            raise UserError("has an affine that does not say where its voxels are; export the scan again")
        object.__setattr__(self, "affine", affine)

    @property
    def spacing(self) -> np.ndarray:
        """Size of a voxel along each axis of the values, float64 (3,), in the units of the affine."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)


# Farther from the origin than so many times its extent, float32 rounds an object by more than a millionth.
_FAR = 8


def _coordinates(values: np.ndarray) -> np.ndarray:
    """Returns `values` as finite (N,3), float32 or where this would round them float64."""
    values = np.asarray(values)
    if values.dtype.kind not in "fiu":
        raise UserError(f"coordinates are of type {values.dtype}; save them as float32")
    if values.ndim != 2 or values.shape[1] != 3:
        raise UserError(f"coordinates have shape {values.shape}; give x y z for each point, (N,3)")
    single = check_points(values)
    if values.dtype.itemsize > 4 and len(values):
        extent = (values.max(axis=0) - values.min(axis=0)).max()
        if np.abs(values).max() > _FAR * extent:
            return values.astype(np.float64)
    return single


def check_points(values: np.ndarray) -> np.ndarray:
    """Returns coordinates (N,3) in single precision.

    Raises:
        UserError: If any is NaN, infinite or too large for it.
    """
    # What overflows becomes infinite and is refused below; a signalling NaN is one.
    with np.errstate(over="ignore", invalid="ignore"):
        single = values.astype(np.float32)
    if not np.isfinite(single).all():
        bad = int((~np.isfinite(single).all(axis=1)).sum())
        raise UserError(f"has NaN or infinite coordinates in {bad} of {len(values)} points; remove these")
    return single
