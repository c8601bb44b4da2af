"""What a panel shows, before it is a picture or a page: rows of objects, columns of methods."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.results.explanation import Explanation
from tfxai3d.view.shown.colors import Colormap, colormap_for, point_colors
from tfxai3d.view.shown.marks import ARRAYS, Marks
from tfxai3d.view.shown.slices import SlicedVolume, Window, sliced
from tfxai3d.view.shown.subject import Subject, caption, left_out, one_line, subject

PLAIN = (0.78, 0.80, 0.84)
"""Colour of the object itself, in the first column."""
REGION = (0.25, 0.28, 0.34)
"""Colour of the part of it that is asked about, of a segmentation."""
BAR_LABEL = "fraction of top"


@dataclasses.dataclass(frozen=True)
class Row:
    """One object."""

    name: str  # the object's name
    caption: str  # the class that was explained, and its score
    marks: list[Marks]  # first those of the object alone, then a set for each method
    colors: list[np.ndarray]  # (M,3) for each of `marks`
    tops: list[float]  # the top importance of each method


@dataclasses.dataclass(frozen=True)
class Scale:
    """The colours of one method, the same for all rows."""

    colormap: Colormap  # one that suits all of its importance
    limits: tuple[float, float]  # as fractions of the top importance of each row
    beyond: tuple[bool, bool]  # whether values lie below and above the limits


@dataclasses.dataclass(frozen=True)
class Panel:
    """Columns and rows."""

    columns: list[str]  # the titles: what the objects are, then the methods
    scales: list[Scale]  # of each method
    rows: list[Row]


def panel(
    rows: Sequence[Sequence[Explanation]], names: Sequence[str] | None, colormap: Colormap | None
) -> Panel:
    """Lays out explanations of one example each, see `render_panel`; the rows must be a table."""
    methods = check_table(rows, names)
    kind = "Points" if rows[0][0].kind == "points" else "Voxels"
    columns = [_column(column, colormap) for column in zip(*rows, strict=True)]
    scales = [scale for scale, _ in columns]
    shown = zip(*(subjects for _, subjects in columns), strict=True)
    named = zip(rows, shown, names if names is not None else [""] * len(rows), strict=True)
    return Panel([kind, *methods], scales, [_row(row, some, scales, name) for row, some, name in named])


def sliced_rows(
    rows: Sequence[Sequence[Explanation]],
    names: Sequence[str] | None,
    colormap: Colormap | None,
    window: Window | None,
) -> tuple[list[list[SlicedVolume]], list[str]]:
    """Lays out explanations of one volume each, as `panel` those of others, and returns the rows' names."""
    check_table(rows, names)
    if any(explanation.kind == "points" for row in rows for explanation in row):
        raise UserError("points and volumes have no panel in common; draw one of each")
    shown = [[sliced(explanation, 0, colormap, window=window) for explanation in row] for row in rows]
    captions = [row[0].title for row in shown]
    return shown, captions if names is None else [
        ": ".join(filter(None, [one_line(name), said])) for name, said in zip(names, captions, strict=True)
    ]


def check_table(rows: Sequence[Sequence[Explanation]], names: Sequence[str] | None) -> list[str]:
    """Returns the titles of the methods; a UserError if the rows are no table of them."""
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
    return methods


def _column(column: Sequence[Explanation], colormap: Colormap | None) -> tuple[Scale, list[Subject]]:
    colormap = colormap_for(colormap, *(one.importance for one in column))
    shown = [subject(explanation, 0, colormap) for explanation in column]
    # Gradients and score differences have different units; as fractions of their tops they have one scale.
    low = min(one.limits[0] / _top(one) for one in shown)
    below = any(one.extremes[0] < low * _top(one) for one in shown)
    above = any(one.extremes[1] > _top(one) for one in shown)
    return Scale(colormap, (low, 1.0), (below, above)), shown


def _row(row: Sequence[Explanation], shown: Sequence[Subject], scales: Sequence[Scale], name: str) -> Row:
    itself = matter(shown[0].marks)
    dark = _in_region(row[0], itself)
    asked = f"; asked about the dark {row[0].kind}" if dark.any() and not dark.all() else ""
    colors = [
        point_colors(one.marks.importance / _top(one), scale.colormap, scale.limits)
        for one, scale in zip(shown, scales, strict=True)
    ]
    return Row(
        name=one_line(name),
        caption=one_line(caption(row[0], 0)) + asked + left_out(*(one.drawn for one in shown)),
        marks=[itself, *(one.marks for one in shown)],
        colors=[np.where(dark[:, None], REGION, PLAIN), *colors],
        tops=[_top(one) for one in shown],
    )


def _top(shown: Subject) -> float:
    return max(map(abs, shown.limits))


def _in_region(explanation: Explanation, marks: Marks) -> np.ndarray:
    """Returns which marks stand in the region that was explained, bool (M,); none where there is none."""
    if explanation.region is None or explanation.region.size != explanation.importance.size:
        return np.zeros(len(marks.centres), bool)
    region = explanation.region.reshape(explanation.importance.shape)
    return np.asarray(region[0][tuple(marks.places.T)])


def matter(marks: Marks) -> Marks:
    """Returns the marks without those in empty space, the smaller ones."""
    kept = marks.sizes == marks.sizes.max()
    return Marks(marks.shape, *(getattr(marks, name)[kept] for name in ARRAYS))
