"""Coloured point clouds as PLY files, for MeshLab, CloudCompare, Blender and the like."""

import os

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.files import atomic_path
from tfxai3d.view.colors import Colormap, point_colors


def write_ply(
    path: str | os.PathLike[str],
    points: np.ndarray,
    importance: np.ndarray,
    colormap: Colormap = "magma_r",
) -> None:
    """Writes points, their colours and their importance as a binary PLY file.

    The vertices have the properties x, y, z, red, green, blue, alpha and importance (float32).

    Args:
        path: The PLY file.
        points: (N,3).
        importance: One value a point, (N,).
        colormap: One of `COLORMAPS`.

    Raises:
        UserError: If the shapes do not fit, a value is not finite or the file cannot be written.
    """
    import trimesh

    points = np.asarray(points)
    if points.shape != (len(importance), 3) or not np.isfinite(points).all():
        raise UserError(f"points {points.shape}: expected ({len(importance)}, 3), finite")
    colors = np.round(point_colors(importance, colormap) * 255).astype(np.uint8)
    cloud = trimesh.PointCloud(points, colors=colors)
    setattr(cloud, "vertex_attributes", {"importance": np.asarray(importance, dtype=np.float32)})  # noqa: B010
    content = cloud.export(file_type="ply")
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
