"""Creases of meshes as they are found: soups of triangles, open, doubled, with T-junctions."""

import numpy as np
import numpy.typing as npt

from tfxai3d.data.geometry import Mesh
from tfxai3d.data.orientation import z_up_to_y_up
from tfxai3d.data.sampling import face_areas
from tfxai3d.data.shapes.mesh import CREASE_DEGREES, ShapeMesh
from tfxai3d.data.shapes.solids import Floats

_REACH = 1e-3  # how far beyond an edge the surface is looked for, of the mesh's longest side
_PIECES = 4  # of an edge: a T-junction may end somewhere along it
_BLOCK = 32  # places at a time: neighbours in the file are mostly neighbours in space


def cad_shape(mesh: Mesh) -> ShapeMesh:
    """Returns a mesh, z up, as a shape whose creases are known; it has one part and no corners.

    A triangle's side is a crease where its face does not go on beyond it: a little way out, in the plane of
    the triangle, no other face is near enough to have been met by a turn of at most `CREASE_DEGREES`. In a
    closed mesh these are the sides of a dihedral angle farther from 180 degrees than that, and in an open one
    its borders as well. It asks for no common vertices, no order of the corners and no single faces: CAD
    models often have none of these.

    Args:
        mesh: The object; y is up in the shape.
    """
    areas = face_areas(mesh.vertices, mesh.faces)
    extent = float(np.ptp(mesh.vertices.astype(np.float64), axis=0).max())
    faces = mesh.faces[areas > 1e-10 * extent**2]
    vertices = z_up_to_y_up(mesh.vertices.astype(np.float64))
    return ShapeMesh(
        vertices=vertices.astype(np.float32),
        faces=faces,
        face_parts=np.zeros(len(faces), np.int64),
        part_names=("surface",),
        edges=_creases(vertices[faces], _REACH * extent).astype(np.float32),
        corners=np.zeros((0, 3), np.float32),
    )


def _creases(triangles: Floats, reach: float) -> Floats:
    """Returns the pieces (E,2,3) of the sides of triangles (F,3,3) beyond which no face goes on."""
    starts, ends = triangles.reshape(-1, 3), np.roll(triangles, -1, axis=1).reshape(-1, 3)
    along = ends - starts
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    out = np.cross(along, np.repeat(_normals(triangles), 3, axis=0))
    inwards = np.roll(triangles, -2, axis=1).reshape(-1, 3) - starts
    out *= -np.sign((out * inwards).sum(axis=1, keepdims=True))
    steps = np.arange(_PIECES + 1)[:, None] / _PIECES
    corners = starts[:, None] + steps * (ends - starts)[:, None]  # (3F, pieces + 1, 3)
    pieces = np.stack([corners[:, :-1], corners[:, 1:]], axis=2)
    beyond = pieces.mean(axis=2) + reach * out[:, None]
    found = ~_near_a_face(beyond.reshape(-1, 3), triangles, reach)
    return pieces.reshape(-1, 2, 3)[found]


def _near_a_face(points: Floats, triangles: Floats, reach: float) -> npt.NDArray[np.bool_]:
    """Tells of points (P,3) whether a triangle (F,3,3) is as near as one met by a small turn would be."""
    height = reach * np.sin(np.radians(CREASE_DEGREES))
    normals = _normals(triangles)
    along = np.roll(triangles, -1, axis=1) - triangles
    inwards = np.cross(normals[:, None], along)
    inwards /= np.linalg.norm(inwards, axis=2, keepdims=True)
    # A plane and three sides each: what is left of its offset at a point is the distance from it.
    planes = np.concatenate([normals[:, None], inwards], axis=1)
    offsets = np.concatenate(
        [(normals * triangles[:, 0]).sum(axis=1)[:, None], (inwards * triangles).sum(axis=2)], axis=1
    )
    low, high = triangles.min(axis=1) - reach, triangles.max(axis=1) + reach
    near = np.zeros(len(points), bool)
    for start in range(0, len(points), _BLOCK):
        block = points[start : start + _BLOCK]
        close = ((low <= block.max(axis=0)) & (high >= block.min(axis=0))).all(axis=1)
        distance = np.einsum("pk,fsk->pfs", block, planes[close]) - offsets[close]
        inside = (distance[..., 1:] > -0.1 * reach).all(axis=2) & (np.abs(distance[..., 0]) < height)
        near[start : start + _BLOCK] = inside.any(axis=1)
    return near


def _normals(triangles: Floats) -> Floats:
    """Returns the unit normals (F,3) of triangles (F,3,3)."""
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)
