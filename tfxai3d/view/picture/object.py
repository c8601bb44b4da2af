"""Pictures and windows of one explained object."""

from typing import Any

import numpy as np

from tfxai3d.results.explanation import Explanation
from tfxai3d.storage import AnyPath
from tfxai3d.view.figure import add_bar, add_image, add_text, new_figure, save
from tfxai3d.view.picture import process
from tfxai3d.view.picture.scenes import cropped, draw, scenes
from tfxai3d.view.picture.slices import draw_volumes
from tfxai3d.view.shown.camera import AZIMUTHS
from tfxai3d.view.shown.colors import Colormap, colormap_for, point_colors
from tfxai3d.view.shown.slices import Window, has_slices, sliced
from tfxai3d.view.shown.subject import Subject, subject

_WIDTH, _BAR, _HEADER, _MARGIN = 10.0, 1.1, 0.75, 0.25  # of the figure, in inches


def render_png(
    path: AnyPath,
    explanation: Explanation,
    index: int = 0,
    colormap: Colormap | None = None,
    title: str | None = None,
    window: Window | None = None,
) -> None:
    """Writes a picture of one example: the object from two sides, a title and a colour bar.

    Occupied voxels are cubes. Small cubes show where a method finds empty space important: from
    `FAINTEST` of the colour scale's top on. Open3D draws, or else matplotlib, as `scenes.draw` says. Of a
    volume of real values three slices go through its strongest place, above the projections of its map.
    Where all importance is 0 there is no bar.

    Args:
        path: The PNG file.
        explanation: An explanation of points (y up) or of voxels (z up).
        index: The number of the example.
        colormap: One of `COLORMAPS`; by default as `colormap_for` says.
        title: The heading, instead of class and score.
        window: Of a volume, the values that are black and white; by default the quantiles of .5 and 99.5 %.

    Raises:
        UserError: If the example cannot be drawn, the file cannot be written or matplotlib is missing.
    """
    if has_slices(explanation):
        return draw_volumes(path, [[sliced(explanation, index, colormap, title, window)]])
    colormap = colormap_for(colormap, explanation.importance)
    shown = subject(explanation, index, colormap, title)
    colors = point_colors(shown.marks.importance, colormap, shown.limits)
    images = draw(scenes([shown.marks], [colors], AZIMUTHS))
    save(_compose(cropped(images), shown, colormap), path, dpi=150)


def open_window(explanation: Explanation, index: int = 0, colormap: Colormap | None = None) -> None:
    """Shows one example in an Open3D window, of a process without TensorFlow, and waits until it is closed.

    Args:
        explanation: An explanation of points (y up) or of voxels (z up).
        index: The number of the example.
        colormap: One of `COLORMAPS`; by default as `colormap_for` says.

    Raises:
        UserError: If the example cannot be drawn, Open3D is missing or there is no display.
    """
    colormap = colormap_for(colormap, explanation.importance)
    shown = subject(explanation, index, colormap)
    colors = point_colors(shown.marks.importance, colormap, shown.limits)
    process.show(shown.marks, colors, f"{shown.title}, {shown.subtitle}")


def _compose(images: np.ndarray, shown: Subject, colormap: Colormap) -> Any:
    """Puts the views side by side under the title, with the colour bar to their right."""
    view_width = (_WIDTH - _BAR - _MARGIN * (len(images) + 1)) / len(images)
    view_height = min(max(view_width * images.shape[1] / images.shape[2], 2.0), 6.0)
    height = view_height + _HEADER + 2 * _MARGIN
    figure = new_figure(_WIDTH, height)
    for number, image in enumerate(images):
        left = _MARGIN + number * (view_width + _MARGIN)
        add_image(figure, image, (left, _MARGIN, view_width, view_height))
    title_size = min(15.0, 15.0 * 64 / max(len(shown.title), 1))  # a long title still fits
    add_text(figure, _MARGIN, height - 0.38, shown.title, size=title_size, weight="bold")
    add_text(figure, _MARGIN, height - 0.66, shown.subtitle, size=11, color="0.35")
    if np.any(shown.marks.importance):  # of nothing there is no scale
        bar_height = min(view_height, 3.0)
        place = (_WIDTH - _BAR, _MARGIN + (view_height - bar_height) / 2, 0.16, bar_height)
        add_bar(figure, place, shown.limits, "importance", colormap, shown.beyond)
    return figure
