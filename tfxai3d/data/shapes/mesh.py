"""A shape as one mesh, with its parts and its exact creases and corners."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tfxai3d.data.geometry import Mesh
from tfxai3d.data.orientation import z_up_to_y_up
from tfxai3d.data.shapes.solids import Floats, Ints, Parts

_QUARTER = np.array([1, 1, -1], np.float32)  # (x, y, z) -> (z, y, -x)
CREASE_DEGREES = 30.0
"""Neighbouring faces that turn by more meet in a crease; the facets of round surfaces stay below it."""


@dataclass(frozen=True)
class ShapeMesh:
    """A procedural shape. Every part is closed; y is up.

    Its edges are creases, where the surface turns by more than `CREASE_DEGREES`; the rim of a round body is
    one of many short segments. Corners are where creases meet, end or bend by more, and tips as of a cone.
    """

    vertices: npt.NDArray[np.float32]  # (V, 3)
    faces: npt.NDArray[np.int32]  # (F, 3), counter-clockwise seen from outside
    face_parts: npt.NDArray[np.int64]  # (F,), index into `part_names`
    part_names: tuple[str, ...]
    edges: npt.NDArray[np.float32]  # segments (E, 2, 3)
    corners: npt.NDArray[np.float32]  # (C, 3)

    def z_up(self) -> Mesh:
        """Returns the surface with z up, as `voxelize` wants it."""
        return Mesh(z_up_to_y_up(self.vertices), self.faces)  # the map is its own inverse


def assemble(parts: Parts) -> ShapeMesh:
    """Puts named solids together to one mesh; solids of one name form one part."""
    names = tuple(dict.fromkeys(name for name, _ in parts))
    solids = [solid for _, solid in parts]
    offsets = np.cumsum([0] + [len(solid.vertices) for solid in solids[:-1]])
    vertices = np.concatenate([solid.vertices for solid in solids])
    faces = np.concatenate([solid.faces + offset for solid, offset in zip(solids, offsets, strict=True)])
    creases = _creases(vertices, faces)
    corner = _bends(vertices, creases) | _tips(vertices, faces)
    return ShapeMesh(
        vertices=vertices.astype(np.float32),
        faces=faces.astype(np.int32),
        face_parts=np.repeat([names.index(n) for n, _ in parts], [len(solid.faces) for solid in solids]),
        part_names=names,
        edges=vertices[creases].astype(np.float32),
        corners=vertices[corner].astype(np.float32),
    )


def rotated(mesh: ShapeMesh, quarters: int) -> ShapeMesh:
    """Returns the shape rotated by quarter turns about the up axis, the first one from +z to +x."""
    for _ in range(quarters % 4):
        turned = {
            name: getattr(mesh, name)[..., ::-1] * _QUARTER for name in ("vertices", "edges", "corners")
        }
        mesh = replace(mesh, **turned)
    return mesh


def _creases(vertices: Floats, faces: Ints) -> Ints:
    """Returns the vertex pairs (E, 2) of the sides over which the normal turns sharply."""
    triangles = vertices[faces]
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    sides = faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    key = sides.min(axis=1) * len(vertices) + sides.max(axis=1)
    twins = np.argsort(key, kind="stable").reshape(-1, 2)  # solids are closed: each side has two faces
    cosine = (normals[twins[:, 0] // 3] * normals[twins[:, 1] // 3]).sum(axis=1)
    return sides[twins[cosine < np.cos(np.radians(CREASE_DEGREES)), 0]]


def _bends(vertices: Floats, creases: Ints) -> npt.NDArray[np.bool_]:
    """Marks (V,) the vertices where creases meet, end or bend."""
    count = len(vertices)
    along = vertices[creases[:, 1]] - vertices[creases[:, 0]]
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    ends, leaving = creases.T.ravel(), np.concatenate([along, -along])
    degree = np.bincount(ends, minlength=count)
    total = np.stack([np.bincount(ends, leaving[:, k], minlength=count) for k in range(3)], axis=-1)
    bent = np.linalg.norm(total, axis=1) > 2 * np.sin(np.radians(CREASE_DEGREES / 2))
    return (degree == 1) | (degree > 2) | ((degree == 2) & bent)


def _tips(vertices: Floats, faces: Ints) -> npt.NDArray[np.bool_]:
    """Marks (V,) the vertices round which the face angles fall short of a full turn by `CREASE_DEGREES`."""
    triangles = vertices[faces]
    out = np.roll(triangles, -1, axis=1) - triangles
    out /= np.linalg.norm(out, axis=2, keepdims=True)
    cosine = -(out * np.roll(out, 1, axis=1)).sum(axis=2)
    angles = np.bincount(faces.ravel(), np.arccos(np.clip(cosine, -1, 1)).ravel(), minlength=len(vertices))
    return angles < 2 * np.pi - np.radians(CREASE_DEGREES)
