"""Where parts of a shape touch: faces of two parts that lie on each other."""

import numpy as np
import numpy.typing as npt

from tfxai3d.data.shapes.mesh import ShapeMesh
from tfxai3d.data.shapes.solids import Floats, Ints

_TOLERANCE = 1e-5  # of distances, in the shape's own units, which are about 1
_CELLS = 1000.0  # in a unit of a normal's numbers, and of a plane's distance from the origin
_PRIMES = np.array([73856093, 19349663, 83492791, 49979687])


def touched_parts(mesh: ShapeMesh, points: Floats, faces: Ints) -> npt.NDArray[np.bool_]:
    """Tells on which parts points of the surface lie: their own, and those whose faces lie on theirs.

    Args:
        mesh: The shape, of P parts.
        points: Points on it (N,3).
        faces: The face that each was drawn from (N,).

    Returns:
        Whether each point is on each part, bool (N,P), True at least for its own.
    """
    triangles = mesh.vertices[mesh.faces].astype(np.float64)
    corner, u, v = triangles[:, 0], triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    normal = np.cross(u, v)
    area = np.linalg.norm(normal, axis=1)
    normal /= area[:, None]
    offset = (corner * normal).sum(axis=1)
    chosen = np.flatnonzero(_in_shared_planes(normal, offset, mesh.face_parts))
    number, face = np.nonzero(np.abs(points @ normal[chosen].T - offset[chosen]) < _TOLERANCE)
    face = chosen[face]
    within = points[number] - corner[face]
    # Barycentric coordinates of `within` for the sides u and v.
    b = (np.cross(within, v[face]) * normal[face]).sum(axis=1) / area[face]
    c = (np.cross(u[face], within) * normal[face]).sum(axis=1) / area[face]
    inside = (b >= -_TOLERANCE) & (c >= -_TOLERANCE) & (b + c <= 1 + _TOLERANCE)
    touched = np.zeros((len(points), len(mesh.part_names)), bool)
    touched[number[inside], mesh.face_parts[face[inside]]] = True
    touched[np.arange(len(points)), mesh.face_parts[faces]] = True
    return touched


def _in_shared_planes(normal: Floats, offset: Floats, parts: Ints) -> npt.NDArray[np.bool_]:
    """Marks the faces (F,) whose plane, seen from either side, is about that of a face of another part."""
    planes = np.concatenate([normal, offset[:, None]], axis=1)
    cells = np.rint(np.concatenate([planes, -planes]) * _CELLS).astype(np.int64)
    _, group = np.unique(cells @ _PRIMES, return_inverse=True)  # equal by chance costs time alone
    there = np.zeros((group.max() + 1, parts.max() + 1), bool)
    there[group, np.tile(parts, 2)] = True
    return (there.sum(axis=1) > 1)[group[: len(parts)]]
