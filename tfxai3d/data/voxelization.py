"""Meshes and points to occupancy grids: uint8 (D,H,W), 1 where there is matter; x, y, z of the object, z up.

Voxel (i,j,k) is the closed cube from (i,j,k) to (i+1,j+1,k+1).
"""

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from tfxai3d.data.geometry import Mesh
from tfxai3d.data.orientation import rotations_about
from tfxai3d.errors import UserError

_MAX_PAIRS = 1 << 19  # pairs of a triangle and a voxel that are tested at a time, about 100 MB


def voxelize(mesh: Mesh, *, extent: int | None = None, size: int = 32, solid: bool = True) -> np.ndarray:
    """Fits a mesh into the middle of a grid and marks the voxels it touches.

    ModelNet's convention: the bounding box is centred and its longest side spans `extent` voxels, 24 of 32.

    Args:
        mesh: The object, z up.
        extent: Voxels along the longest side; by default about three quarters of the grid, 24 of 32 as in 3D
            ShapeNets and VoxNet.
        size: Voxels along each axis of the grid.
        solid: Whether to fill what the surface encloses, see `fill_inside`.

    Returns:
        The grid, uint8 (size,size,size).

    Raises:
        UserError: If an object of this extent cannot be centred in the grid.
    """
    extent = _usual_extent(size) if extent is None else extent
    grid = surface_voxels(_fit(mesh.vertices, extent, size), mesh.faces, extent)
    return np.pad(fill_inside(grid) if solid else grid, (size - extent) // 2)


def voxelize_points(points: np.ndarray, *, extent: int | None = None, size: int = 32) -> np.ndarray:
    """Fits points into a grid, uint8 (size,size,size), as `voxelize` does, and marks those that hold one.

    Args:
        points: The object (N,3), z up, finite.
        extent: Voxels along the longest side, see `voxelize`.
        size: Voxels along each axis of the grid.

    Raises:
        UserError: If an object of this extent cannot be centred, or the points have no extent.
    """
    extent = _usual_extent(size) if extent is None else extent
    index = np.minimum(_fit(points, extent, size).astype(int), extent - 1)
    grid = np.zeros((extent,) * 3, np.uint8)
    grid[tuple(index.T)] = 1
    return np.pad(grid, (size - extent) // 2)


def poses(mesh: Mesh, count: int = 12) -> list[Mesh]:
    """Returns copies of a mesh rotated about the up axis z by multiples of 360 / `count` degrees.

    The first is the mesh as it is. VoxNet and VRN train on 12 or 24 voxelised copies of each.
    """
    vertices = mesh.vertices.astype(np.float64)
    rotations = rotations_about(2, 2 * np.pi * np.arange(count) / count)
    return [Mesh(vertices @ rotation.T, mesh.faces) for rotation in rotations]


def fill_inside(grid: np.ndarray) -> np.ndarray:
    """Fills what cannot be reached from outside a grid (D,H,W) through faces of free voxels."""
    return ndimage.binary_fill_holes(grid).astype(np.uint8)


def surface_voxels(vertices: np.ndarray, faces: np.ndarray, size: int = 32) -> np.ndarray:
    """Marks the voxels that a triangle touches, uint8 (size,size,size): exact overlap with boxes in float64.

    By separating axes (Akenine-Möller, "Fast 3D triangle-box overlap testing", 2001). A triangle in the plane
    between two layers of voxels touches both. The vertices (V,3) count in voxels, each within 0..size.
    """
    _check_inside(vertices, size)
    triangles = vertices.astype(np.float64)[faces]
    first = np.maximum(np.ceil(triangles.min(axis=1)) - 1, 0).astype(int)
    last = np.minimum(np.floor(triangles.max(axis=1)), size - 1).astype(int)
    grid = np.zeros((size,) * 3, np.uint8)
    for triangle, voxel in _pairs(first, last - first + 1):
        touched = _touching(triangles, triangle, voxel)
        grid[tuple(voxel[touched].T)] = 1
    return grid


def _usual_extent(size: int) -> int:
    return size - 2 * round(size / 8)


def _fit(points: np.ndarray, extent: int, size: int) -> np.ndarray:
    """Moves points into the middle of the box 0..extent, which their longest side spans."""
    if not 0 < extent <= size or (size - extent) % 2:
        raise UserError(f"{extent} voxels cannot be centred in {size}; take {size} less an even number")
    points = points.astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    longest = (high - low).max()
    if not longest > 0:
        raise UserError("all points are identical and cannot be scaled; give an object with an extent")
    return np.clip((points - (low + high) / 2) * (extent / longest) + extent / 2, 0, extent)


def _check_inside(vertices: np.ndarray, size: int) -> None:
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    if low.min() < 0 or high.max() > size:
        ends = " to ".join("({:.4g}, {:.4g}, {:.4g})".format(*corner) for corner in (low, high))
        raise UserError(f"the mesh reaches from {ends}, outside the grid 0..{size}; use voxelize")


def _pairs(first: np.ndarray, shape: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields numbers (P,) of triangles and all voxels (P,3) in their boxes: lowest voxel and shape (F,3)."""
    counts = shape.prod(axis=1)
    part = np.cumsum(counts) // _MAX_PAIRS
    for members in np.split(np.arange(len(counts)), np.flatnonzero(np.diff(part)) + 1):
        triangle = np.repeat(members, counts[members])
        ends = np.cumsum(counts[members])
        within = np.arange(len(triangle)) - np.repeat(ends - counts[members], counts[members])
        rest, z = np.divmod(within, shape[triangle, 2])
        x, y = np.divmod(rest, shape[triangle, 1])
        yield triangle, first[triangle] + np.stack([x, y, z], axis=1)


def _touching(triangles: np.ndarray, triangle: np.ndarray, voxel: np.ndarray) -> np.ndarray:
    """Returns the numbers of the pairs that touch, given that the bounding boxes do."""
    left = np.arange(len(triangle))
    for axis in _axes(triangles):
        # The triangle's shadow on the axis, widened by the cube's: the cube's centre must lie within.
        shadow = (triangles * axis[:, None]).sum(axis=2)
        reach = np.abs(axis).sum(axis=1) / 2
        low, high = shadow.min(axis=1) - reach, shadow.max(axis=1) + reach
        number = triangle[left]
        centre = ((voxel[left] + 0.5) * axis[number]).sum(axis=1)
        left = left[(low[number] <= centre) & (centre <= high[number])]
    return left


def _axes(triangles: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the candidates (F,3) for a separating axis: the normals, and each edge across each grid axis."""
    edges = np.roll(triangles, -1, axis=1) - triangles
    yield np.cross(edges[:, 0], edges[:, 1])
    for edge in np.moveaxis(edges, 1, 0):
        for unit in np.eye(3):
            yield np.cross(edge, unit)
