"""Many objects and methods in one picture, as figures 2, 3 and 5 of the paper."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfxai3d.results.explanation import Explanation
from tfxai3d.storage import AnyPath
from tfxai3d.view.figure import add_bar, add_image, add_text, new_figure, save
from tfxai3d.view.picture.scenes import cropped, draw, scenes
from tfxai3d.view.picture.slices import draw_volumes
from tfxai3d.view.shown.camera import AZIMUTHS
from tfxai3d.view.shown.colors import Colormap
from tfxai3d.view.shown.panel import BAR_LABEL, Panel, panel, sliced_rows
from tfxai3d.view.shown.slices import Window, has_slices

# Sizes in the figure, in inches.
_CELL, _BAR, _GAP, _TITLE, _CAPTION = 2.6, 0.65, 0.15, 0.4, 0.4
_LOWEST, _HIGHEST = 1.2, 3.4  # a cell


def render_panel(
    path: AnyPath,
    rows: Sequence[Sequence[Explanation]],
    names: Sequence[str] | None = None,
    colormap: Colormap | None = None,
    window: Window | None = None,
) -> None:
    """Writes a picture of several objects (rows) as several methods explain them (columns).

    The first column shows the object itself, above its name, the explained class and the score. Each method
    has a colour scale of its own, in fractions of its top importance in each row: the end of the range of
    `color_range`. Volumes of real values are drawn as `render_png` draws them, without the first column.

    Args:
        path: The PNG file.
        rows: For each object the explanations of the same methods in the same order, each of that one
            example. Points and voxels may not be mixed in a row.
        names: The names of the objects.
        colormap: One of `COLORMAPS`; by default what suits each method, see `colormap_for`.
        window: Of volumes, see `render_png`.

    Raises:
        UserError: If the rows are no such table, an example cannot be drawn, the file cannot be written or
            matplotlib is missing.
    """
    if any(has_slices(one) for row in rows for one in row):
        return draw_volumes(path, *sliced_rows(rows, names, colormap, window))
    shown = panel(rows, names, colormap)
    cells = [scene for row in shown.rows for scene in scenes(row.marks, row.colors, AZIMUTHS[:1])]
    images = np.split(draw(cells), len(shown.rows))
    save(_compose(shown, [cropped(row) for row in images]), path, dpi=150)


def _compose(shown: Panel, images: Sequence[np.ndarray]) -> Any:
    heights = [float(np.clip(_CELL * row.shape[1] / row.shape[2], _LOWEST, _HIGHEST)) for row in images]
    width = len(shown.columns) * (_CELL + _GAP) + _GAP
    height = _TITLE + _BAR + sum(heights) + len(heights) * (_CAPTION + _GAP)
    figure = new_figure(width, height)

    top = height - _TITLE
    lefts = [_GAP + column * (_CELL + _GAP) for column in range(len(shown.columns))]
    for left, title in zip(lefts, shown.columns, strict=True):
        add_text(figure, left + _CELL / 2, top + 0.1, title, size=12, weight="bold", ha="center")
    for left, scale in zip(lefts[1:], shown.scales, strict=True):
        place = (left + 0.2 * _CELL, top - 0.12, 0.6 * _CELL, 0.11)
        add_bar(figure, place, scale.limits, BAR_LABEL, scale.colormap, scale.beyond)
    top -= _BAR
    for row, cells, cell_height in zip(shown.rows, images, heights, strict=True):
        bottom = top - cell_height
        for left, image in zip(lefts, cells, strict=True):
            add_image(figure, image, (left, bottom, _CELL, cell_height))
        said = ": ".join(filter(None, [row.name, row.caption]))
        add_text(figure, _GAP, bottom - 0.22, said, size=10, color="0.2")
        top = bottom - _CAPTION - _GAP
    return figure
