"""Marks in front of a camera, drawn by Open3D or, where it cannot, by matplotlib."""

import dataclasses
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfxai3d.view.figure import new_figure
from tfxai3d.view.picture import process
from tfxai3d.view.shown.camera import FIELD_OF_VIEW, LIGHT, in_front, rotation
from tfxai3d.view.shown.colors import edge_colors
from tfxai3d.view.shown.marks import Marks, cube, in_unit_ball


@dataclasses.dataclass(frozen=True)
class Scene:
    """Coloured marks as the camera of `in_front` sees them."""

    shape: str  # "ball" or "cube"
    centres: np.ndarray  # float64 (M,3)
    sizes: np.ndarray  # float64 (M,), see `Marks`
    colors: np.ndarray  # float64 (M,3) in 0..1
    rotation: np.ndarray  # how the cubes are rotated, float64 (3,3)


def scenes(marks: Sequence[Marks], colors: Sequence[np.ndarray], azimuths: Sequence[float]) -> list[Scene]:
    """Returns the scenes of marks that belong together: each mark set from each azimuth, all at one scale."""
    marks = in_unit_ball(marks)
    rotations = np.stack([rotation(azimuth) for azimuth in azimuths])
    reach = np.concatenate([some.reach for some in marks])
    views = in_front(np.concatenate([some.centres for some in marks]), reach, rotations)
    ends = np.cumsum([len(some.centres) for some in marks])[:-1]
    return [
        Scene(some.shape, centres, some.sizes, color, turn)
        for view, turn in zip(views, rotations, strict=True)
        for some, color, centres in zip(marks, colors, np.split(view, ends), strict=True)
    ]


def draw(shown: Sequence[Scene]) -> np.ndarray:
    """Draws scenes, uint8 (len(shown),S,S,3).

    Open3D draws in a process of its own, free of TensorFlow. Where it cannot (no driver, a crash, not
    installed), one line on stderr says so and matplotlib draws flat shapes instead.
    """
    try:
        return process.render([dataclasses.asdict(scene) for scene in shown])
    except process.DrawingError as error:
        print(f"tfxai3d: {error}; drawing with matplotlib instead", file=sys.stderr)
        return np.stack([_flat(scene) for scene in shown])


def cropped(images: np.ndarray) -> np.ndarray:
    """Cuts the white border that all images (V,H,W,3) share, the same on opposite sides."""
    seen: np.ndarray = np.any(images < 250, axis=(0, 3))
    seen |= seen[::-1] | seen[:, ::-1] | seen[::-1, ::-1]
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if not rows.size:
        return images
    return images[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _flat(scene: Scene) -> np.ndarray:
    """Draws a scene without Open3D."""
    figure = new_figure(10, 10)
    axes = figure.add_axes((0, 0, 1, 1))
    limit = np.tan(np.radians(FIELD_OF_VIEW / 2))
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit))
    axes.set_axis_off()
    axes.add_collection(_squares(scene) if scene.shape == "cube" else _discs(scene, axes))
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]


def _discs(scene: Scene, axes: Any) -> Any:
    from matplotlib.collections import EllipseCollection

    order = np.argsort(scene.centres[:, 2])  # far first
    points, colors = scene.centres[order], scene.colors[order]
    size = 2 * scene.sizes[order] / -points[:, 2]
    return EllipseCollection(
        size, size, np.zeros(len(size)), units="x", offsets=points[:, :2] / -points[:, 2:],
        offset_transform=axes.transData, facecolors=colors, edgecolors=edge_colors(colors), linewidths=0.8,
    )  # fmt: skip


def _squares(scene: Scene) -> Any:
    """Returns the faces of the cubes that look at the camera, shaded by where they look."""
    from matplotlib.collections import PolyCollection

    vertices, normals, _ = cube()
    corners, normals = (vertices @ scene.rotation.T).reshape(6, 4, 3), normals[::4] @ scene.rotation.T
    middles = scene.centres[:, None] + scene.sizes[:, None, None] * corners.mean(axis=1)
    towards = np.einsum("mfc,fc->mf", -middles, normals) > 0
    mark, face = np.nonzero(towards)
    order = np.argsort(middles[mark, face, 2])  # far first
    mark, face = mark[order], face[order]
    polygons = scene.centres[mark, None] + scene.sizes[mark, None, None] * corners[face]
    light = np.clip(0.6 + 0.5 * np.clip(normals @ LIGHT, 0, 1), 0, 1)
    colors = scene.colors[mark] * light[face, None]
    return PolyCollection(
        polygons[..., :2] / -polygons[..., 2:], facecolors=colors, edgecolors=0.7 * colors, linewidths=0.5
    )
