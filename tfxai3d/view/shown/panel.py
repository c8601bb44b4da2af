"""What a panel shows, before it is a picture or a page: rows of objects, columns of methods."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.results.explanation import Explanation
from tfxai3d.view.shown.colors import Colormap, point_colors
from tfxai3d.view.shown.marks import ARRAYS, Marks
from tfxai3d.view.shown.subject import caption, one_line, subject

PLAIN = (0.78, 0.80, 0.84)
"""Colour of the object itself, in the first column."""
BAR_LABEL = "fraction of top"


@dataclasses.dataclass(frozen=True)
class Row:
    """One object."""

    name: str  # the object's name
    caption: str  # the class that was explained, and its score
    marks: list[Marks]  # first those of the object alone, then a set for each method
    colors: list[np.ndarray]  # (M,3) for each of `marks`
    tops: list[float]  # the top importance of each method
    limits: tuple[float, float]  # the colour scale of all methods, as fractions of the top importance of each
    beyond: tuple[bool, bool]  # whether values lie below and above the limits


@dataclasses.dataclass(frozen=True)
class Panel:
    """Titles of the columns, and the rows."""

    columns: list[str]
    rows: list[Row]


def panel(rows: Sequence[Sequence[Explanation]], names: Sequence[str] | None, colormap: Colormap) -> Panel:
    """Lays out explanations of one example each, see `render_panel`; the rows must be a table."""
    if not rows or not rows[0]:
        raise UserError("nothing to draw: the panel has no rows or no columns")
    if names is not None and len(names) != len(rows):
        raise UserError(f"{len(names)} names for {len(rows)} rows")
    methods = [one_line(explanation.title) for explanation in rows[0]]
    for number, row in enumerate(rows):
        if [one_line(explanation.title) for explanation in row] != methods:
            raise UserError(f"row {number}: every row needs the methods {', '.join(methods)}, in this order")
        if any(len(explanation) != 1 for explanation in row):
            raise UserError(f"row {number}: a cell shows one example; explain each object by itself")
        if any(not np.array_equal(explanation.inputs, row[0].inputs) for explanation in row[1:]):
            raise UserError(f"row {number}: the explanations are of different objects")
    kind = "Points" if rows[0][0].kind == "points" else "Voxels"
    named = zip(rows, names if names is not None else [""] * len(rows), strict=True)
    return Panel([kind, *methods], [_row(row, name, colormap) for row, name in named])


def _row(row: Sequence[Explanation], name: str, colormap: Colormap) -> Row:
    shown = [subject(explanation, 0, colormap) for explanation in row]
    # Gradients and score differences have different units; as fractions of their tops they have one scale.
    tops = [max(map(abs, one.limits)) for one in shown]
    pairs = list(zip(shown, tops, strict=True))
    limits = (min(one.limits[0] / top for one, top in pairs), 1.0)
    colors = [point_colors(one.marks.importance / top, colormap, limits) for one, top in pairs]
    itself = _object(shown[0].marks)
    return Row(
        name=one_line(name),
        caption=one_line(caption(row[0], 0)),
        marks=[itself, *(one.marks for one in shown)],
        colors=[np.tile(PLAIN, (len(itself.centres), 1)), *colors],
        tops=tops,
        limits=limits,
        beyond=(
            any(one.extremes[0] < limits[0] * top for one, top in pairs),
            any(one.extremes[1] > top for one, top in pairs),
        ),
    )


def _object(marks: Marks) -> Marks:
    """Returns the marks without those in empty space, the smaller ones."""
    kept = marks.sizes == marks.sizes.max()
    return Marks(marks.shape, *(getattr(marks, name)[kept] for name in ARRAYS))
