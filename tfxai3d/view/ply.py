"""Coloured points and cubes as PLY files, for MeshLab, CloudCompare, Blender and the like."""

from typing import Any

import numpy as np

from tfxai3d.results.explanation import Explanation
from tfxai3d.storage import AnyPath, atomic_path
from tfxai3d.view.shown.colors import Colormap, colormap_for, point_colors
from tfxai3d.view.shown.marks import Marks, cube
from tfxai3d.view.shown.subject import subject


def write_ply(
    path: AnyPath, explanation: Explanation, index: int = 0, colormap: Colormap | None = None
) -> None:
    """Writes one example as a binary PLY file.

    The vertices have the properties x, y, z, red, green, blue, alpha and importance (float32). Points stay
    where they are in the inputs. Voxels become a mesh of cubes in the unit of the grid, z up, as
    `render_png` shows them: with small cubes in empty space, and without voxels that nobody can see.

    Args:
        path: The PLY file.
        explanation: An explanation of points or of voxels.
        index: The number of the example.
        colormap: One of `COLORMAPS`; by default as `colormap_for` says.

    Raises:
        UserError: If the example cannot be drawn or the file cannot be written.
    """
    import trimesh

    colormap = colormap_for(colormap, explanation.importance)
    shown = subject(explanation, index, colormap)
    marks = shown.marks
    colors = np.round(point_colors(marks.importance, colormap, shown.limits) * 255).astype(np.uint8)
    importance = marks.importance.astype(np.float32)
    if marks.shape == "ball":
        geometry = trimesh.PointCloud(marks.centres, colors=colors)
    else:
        geometry, per_cube = _cubes(marks, colors)
        importance = np.repeat(importance, per_cube)
    setattr(geometry, "vertex_attributes", {"importance": importance})  # noqa: B010
    content = geometry.export(file_type="ply")
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _cubes(marks: Marks, colors: np.ndarray) -> tuple[Any, int]:
    """Returns the mesh, z up, and the number of vertices of a cube."""
    import trimesh

    vertices, _, triangles = cube()
    corners = marks.places[:, None] + 0.5 + marks.sizes[:, None, None] * vertices
    faces = (triangles + len(vertices) * np.arange(len(corners))[:, None, None]).reshape(-1, 3)
    painted = np.repeat(colors, len(vertices), axis=0)
    mesh = trimesh.Trimesh(corners.reshape(-1, 3), faces, vertex_colors=painted, process=False)
    return mesh, len(vertices)
