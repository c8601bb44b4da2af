"""Pictures and windows of heat clouds."""

import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.files import atomic_path
from tfxai3d.view import _process
from tfxai3d.view._camera import FIELD_OF_VIEW, camera_views, unit_cloud
from tfxai3d.view._subject import Subject, subject
from tfxai3d.view.colors import Colormap, bar_colors, bar_label, color_range, edge_colors, point_colors
from tfxai3d.view.plots import new_figure

if TYPE_CHECKING:
    from tfxai3d.explain.explanation import Explanation

_WIDTH, _BAR, _HEADER, _MARGIN = 10.0, 1.1, 0.75, 0.25  # of the figure, in inches


def render_png(
    path: str | os.PathLike[str],
    explanation: "Explanation",
    index: int = 0,
    colormap: Colormap = "magma_r",
    title: str | None = None,
) -> None:
    """Writes a picture of one example: the cloud from two sides, a title and a colour bar.

    Open3D draws in a process of its own, free of TensorFlow. Where it cannot (no driver, a crash, not
    installed), one line on stderr says so and matplotlib draws discs instead.

    Args:
        path: The PNG file.
        explanation: Of points, y up.
        index: Which example.
        colormap: One of `COLORMAPS`.
        title: Instead of class and score.

    Raises:
        UserError: If the example cannot be drawn, the file cannot be written or matplotlib is missing.
    """
    shown = subject(explanation, index, title)
    colors = point_colors(shown.importance, colormap)
    points, radius = unit_cloud(shown.points)
    views = camera_views(points, radius)
    try:
        images = _process.render(views, colors, radius)
    except _process.DrawingError as error:
        print(f"tfxai3d: {error}; drawing with matplotlib instead", file=sys.stderr)
        images = np.stack([_discs(view, colors, radius) for view in views])
    figure = _compose(_cropped(images), shown, colormap)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)


def open_window(explanation: "Explanation", index: int = 0, colormap: Colormap = "magma_r") -> None:
    """Shows one example in an Open3D window and waits until it is closed.

    The window belongs to a process of its own, free of TensorFlow.

    Args:
        explanation: Of points, y up.
        index: Which example.
        colormap: One of `COLORMAPS`.

    Raises:
        UserError: If the example cannot be drawn, Open3D is missing or there is no display.
    """
    shown = subject(explanation, index)
    colors = point_colors(shown.importance, colormap)
    points, radius = unit_cloud(shown.points)
    try:
        _process.show(points, colors, radius, f"{shown.title}, {shown.subtitle}")
    except _process.DrawingError as error:
        raise UserError(str(error)) from error


def _discs(points: np.ndarray, colors: np.ndarray, radius: float) -> np.ndarray:
    """Draws what the camera sees of (N,3) points as discs, uint8 (S,S,3): the picture without Open3D."""
    from matplotlib.collections import EllipseCollection

    order = np.argsort(points[:, 2])  # far first
    points, colors = points[order], colors[order]
    figure = new_figure(10, 10)
    axes = figure.add_axes((0, 0, 1, 1))
    limit = np.tan(np.radians(FIELD_OF_VIEW / 2))
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit))
    axes.set_axis_off()
    size = 2 * radius / -points[:, 2]
    discs = EllipseCollection(
        size, size, np.zeros(len(size)), units="x", offsets=points[:, :2] / -points[:, 2:],
        offset_transform=axes.transData, facecolors=colors, edgecolors=edge_colors(colors), linewidths=0.8,
    )  # fmt: skip
    axes.add_collection(discs)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]


def _cropped(images: np.ndarray) -> np.ndarray:
    """Cuts the white border that all images (V,H,W,3) share, the same on opposite sides."""
    seen: np.ndarray = np.any(images < 250, axis=(0, 3))
    seen |= seen[::-1] | seen[:, ::-1] | seen[::-1, ::-1]
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if not rows.size:
        return images
    return images[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _compose(images: np.ndarray, shown: Subject, colormap: Colormap) -> Any:
    """Puts the views side by side under the title, with the colour bar to their right."""
    view_width = (_WIDTH - _BAR - _MARGIN * (len(images) + 1)) / len(images)
    view_height = min(max(view_width * images.shape[1] / images.shape[2], 2.0), 6.0)
    height = view_height + _HEADER + 2 * _MARGIN
    figure = new_figure(_WIDTH, height)
    for number, image in enumerate(images):
        left = _MARGIN + number * (view_width + _MARGIN)
        axes = figure.add_axes((left / _WIDTH, _MARGIN / height, view_width / _WIDTH, view_height / height))
        axes.imshow(image, interpolation="antialiased")
        axes.set_axis_off()
    title_size = min(15.0, 15.0 * 64 / max(len(shown.title), 1))  # a long title still fits
    _add_text(figure, _MARGIN / _WIDTH, 1 - 0.38 / height, shown.title, size=title_size, weight="bold")
    _add_text(figure, _MARGIN / _WIDTH, 1 - 0.66 / height, shown.subtitle, size=11, color="0.35")
    bar_height = min(view_height, 3.0)
    bottom = _MARGIN + (view_height - bar_height) / 2
    bar_axes = figure.add_axes(
        ((_WIDTH - _BAR) / _WIDTH, bottom / height, 0.16 / _WIDTH, bar_height / height)
    )
    _add_bar(figure, bar_axes, shown, colormap)
    return figure


def _add_text(figure: Any, x: float, y: float, text: str, **style: Any) -> None:
    figure.text(x, y, text, parse_math=False, **style)  # a class may be called "$x"


def _add_bar(figure: Any, axes: Any, shown: Subject, colormap: Colormap) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    vmin, vmax = color_range(shown.importance, colormap)
    below, above = shown.importance.min() < vmin, shown.importance.max() > vmax
    extend = {(0, 0): "neither", (0, 1): "max", (1, 0): "min", (1, 1): "both"}[int(below), int(above)]
    scale = ScalarMappable(Normalize(vmin, vmax), ListedColormap(bar_colors(colormap)))
    bar = figure.colorbar(scale, cax=axes, extend=extend)
    bar.outline.set_linewidth(0.5)
    bar.ax.tick_params(labelsize=10)
    bar.ax.yaxis.label.set_parse_math(False)
    bar.set_label(bar_label(shown.heat, colormap), size=11)
