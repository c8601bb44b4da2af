"""What a gallery shows, before it is a picture, a page or a window: objects side by side at one scale."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.view.shown.marks import Marks, joined

_GAP = 0.15  # between objects in a window, as a fraction of the widest


@dataclasses.dataclass(frozen=True)
class Cell:
    """One object."""

    title: str  # the text above it
    caption: str  # the text below it
    marks: Marks  # the marks, in the same space as those of the other cells
    colors: np.ndarray  # float64 (M,3) in 0..1


@dataclasses.dataclass(frozen=True)
class Gallery:
    """Objects in rows, and what their colours mean."""

    title: str  # the heading of the whole gallery
    note: str  # what the objects and their sizes mean
    legend: Sequence[tuple[str, Sequence[float]]]  # what colours mean, with red, green and blue in 0..1
    cells: Sequence[Cell]  # the objects, from left to right and row by row
    columns: int  # the number of objects in a row
    unit: str  # what a mark stands for, such as a voxel
    value: str  # what the importance of a mark is, such as a weight


def check(gallery: Gallery) -> None:
    """Raises a UserError for a gallery with nothing in it."""
    if not gallery.cells or not any(len(cell.marks.centres) for cell in gallery.cells):
        raise UserError(f"nothing to draw: {gallery.title!r} is empty")


def side_by_side(gallery: Gallery) -> tuple[Marks, np.ndarray]:
    """Returns the marks of all cells, which must be of one shape, in one space, and their colours.

    The first row is on top, as in a picture; x runs to the right and y up.
    """
    centres = [cell.marks.centres for cell in gallery.cells if len(cell.marks.centres)]
    low = np.min([some.min(axis=0) for some in centres], axis=0)
    high = np.max([some.max(axis=0) for some in centres], axis=0)
    step = (1 + _GAP) * (high - low + 2 * max(cell.marks.sizes.max(initial=0) for cell in gallery.cells))
    moved = []
    for number, cell in enumerate(gallery.cells):
        row, column = divmod(number, gallery.columns)
        moved.append(dataclasses.replace(cell.marks, centres=cell.marks.centres + step * (column, -row, 0)))
    return joined(moved), np.concatenate([cell.colors for cell in gallery.cells])
