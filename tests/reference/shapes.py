"""A shape whose areas, creases and corners are known."""

import numpy as np

from tfxai3d.data.shapes import ShapeMesh, solids
from tfxai3d.data.shapes import mesh as meshes


def cube() -> ShapeMesh:
    return meshes.assemble([("body", solids.box((0, 1), (0, 1), (0, 1)))])


def areas(mesh: ShapeMesh) -> np.ndarray:
    u, v = (mesh.vertices[mesh.faces[:, k]] - mesh.vertices[mesh.faces[:, 0]] for k in (1, 2))
    return np.linalg.norm(np.cross(u.astype(float), v), axis=1) / 2
