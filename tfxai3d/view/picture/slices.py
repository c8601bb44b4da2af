"""Pictures of volumes: three slices through the strongest place, and what is strongest along each line."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfxai3d.storage import AnyPath
from tfxai3d.view.figure import add_axes, add_bar, add_text, new_figure, save
from tfxai3d.view.shown.slices import PLANES, SlicedVolume

# Sizes in the figure, in inches.
_MARGIN, _GAP, _HEADER, _LABEL, _FOOT, _ROW_NAME = 0.25, 0.2, 0.75, 0.25, 0.65, 0.4
_ONE, _ONE_OF_SEVERAL, _LEAST = 9.5, 6.2, 5.5  # widths of a volume
_HIGHEST = 3.0  # an image
_CROSS = 0.06  # of an image left free around the strongest place
_LETTERS = ((0.02, 0.5, "left", "center"), (0.98, 0.5, "right", "center"), (0.5, 0.02, "center", "bottom"),
            (0.5, 0.98, "center", "top"))  # fmt: skip


def draw_volumes(
    path: AnyPath, rows: Sequence[Sequence[SlicedVolume]], names: Sequence[str] | None = None
) -> None:
    """Writes a picture of volumes in rows: of each the slices, and below them the projections of its map.

    Rows have names where there are several volumes; each is then headed by its method.
    """
    most = _ONE if max(map(len, rows)) == 1 else _ONE_OF_SEVERAL
    width = max(_LEAST, *(sum(_sizes(shown, most)[0]) + 2 * _GAP for row in rows for shown in row))
    room = 0.0 if names is None else _ROW_NAME
    heights = [room + max(_height(shown, most) for shown in row) for row in rows]
    figure = new_figure(max(map(len, rows)) * (width + _MARGIN) + _MARGIN, sum(heights) + _MARGIN)
    top = sum(heights) + _MARGIN
    for number, (row, height) in enumerate(zip(rows, heights, strict=True)):
        if names is not None:
            _write(figure, _MARGIN, top - 0.35, names[number], len(row) * width, 14, weight="bold")
        for column, shown in enumerate(row):
            left, below = _MARGIN + column * (width + _MARGIN), top - room
            head, said = (shown.title, f"{shown.method}, {shown.details}")
            if names is not None:
                head, said = shown.method, shown.details
            _write(figure, left, below - 0.35, head, width, 14 if names is None else 12, weight="bold")
            grey = f"; grey is channel {shown.channel}" if shown.values.shape[-1] > 1 else ""
            _write(figure, left, below - 0.6, f"{said}{grey}; {shown.held()}", width, 10, color="0.35")
            _draw(figure, shown, left, below - _HEADER, most)
        top -= height
    save(figure, path, dpi=max(150.0, *(_dpi(shown, most) for row in rows for shown in row)))


def _write(figure: Any, x: float, y: float, text: str, width: float, size: float, **style: Any) -> None:
    """Writes a text of a size, or as much smaller as fits into the width."""
    add_text(figure, x, y, text, size=min(size, 125 * width / max(len(text), 1)), **style)


def _sizes(shown: SlicedVolume, most: float) -> tuple[list[float], list[float]]:
    """Returns widths and heights of the images of the planes, all at one scale."""
    sides = shown.spacing * shown.shape
    across, up = np.array([sides[list(plane[:2])] for plane in PLANES]).T
    scale = min((most - 2 * _GAP) / across.sum(), _HIGHEST / up.max())
    return (scale * across).tolist(), (scale * up).tolist()


def _dpi(shown: SlicedVolume, most: float) -> float:
    """Returns the pixels of an inch with which each voxel has one, up to 600: none that is hot is lost."""
    voxels = np.array([[shown.shape[axis] for axis in plane[:2]] for plane in PLANES])
    return min(600.0, 1.02 * float((voxels / np.transpose(_sizes(shown, most))).max()))


def _height(shown: SlicedVolume, most: float) -> float:
    return _HEADER + 2 * (max(_sizes(shown, most)[1]) + _LABEL) + _GAP + _FOOT


def _draw(figure: Any, shown: SlicedVolume, left: float, top: float, most: float) -> None:
    """Draws the images and the colour bar below a place."""
    widths, heights = _sizes(shown, most)
    pitch = max(heights) + _LABEL + _GAP
    for plane, name in enumerate(shown.planes):
        x, y = left + sum(widths[:plane]) + plane * _GAP, top - _LABEL
        titles = (f"{name}, {shown.number(PLANES[plane][2])}", "maximum projection")
        for row, (title, colors) in enumerate(
            zip(titles, (shown.slice(plane), shown.projection(plane)), strict=True)
        ):
            add_text(figure, x, y - row * pitch + 0.06, title, size=9)
            place = (x, y - row * pitch - heights[plane], widths[plane], heights[plane])
            _image(figure, shown, plane, colors, place, cross=row == 0)
    place = (left + 0.1, top - 2 * pitch + _GAP - 0.25, 3.2, 0.12)
    add_bar(figure, place, shown.limits, "importance", shown.colormap, shown.beyond)


def _image(figure: Any, shown: SlicedVolume, plane: int, colors: np.ndarray, place: Any, cross: bool) -> None:
    from matplotlib.patheffects import withStroke

    axes = add_axes(figure, place)
    axes.imshow(colors.swapaxes(0, 1), origin="lower", aspect="auto", interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    across, up, _ = PLANES[plane]
    if shown.mirrored:
        axes.invert_xaxis()
    if cross:
        for axis, draw, room in ((across, axes.axvline, up), (up, axes.axhline, across)):
            middle = (shown.place[room] + 0.5) / shown.shape[room]
            middle = 1 - middle if room == across and shown.mirrored else middle
            for start, end in ((0, middle - _CROSS), (middle + _CROSS, 1)):
                if start < end:
                    draw(shown.place[axis], start, end, color="#5fd3bc", linewidth=0.7)
    ends = [*shown.ends(across)[:: -1 if shown.mirrored else 1], *shown.ends(up)]
    outline = [withStroke(linewidth=1.5, foreground="black")]
    for letter, (x, y, ha, va) in zip(ends, _LETTERS, strict=True):
        style: dict[str, Any] = {
            "size": 8,
            "color": "white",
            "path_effects": outline,
            "transform": axes.transAxes,
        }
        axes.text(x, y, letter, ha=ha, va=va, **style)
