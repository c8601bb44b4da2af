"""Plots of tables: coloured cells, and named dots."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.storage import AnyPath
from tfxai3d.view.figure import new_figure, save


def render_cells(
    path: AnyPath, rows: Sequence[str], columns: Sequence[str], values: np.ndarray, title: str = ""
) -> None:
    """Writes a table of numbers from 0, dark, to 1, bright; NaN cells stay empty.

    Args:
        path: The picture, PNG or SVG by its suffix.
        rows: Names of the rows, from the top.
        columns: Names of the columns.
        values: The numbers (rows,columns).
        title: The heading.

    Raises:
        UserError: If the table is empty or the suffix is neither.
    """
    if not values.size:
        raise UserError("no cells to draw")
    figure = new_figure(3.4 + 0.75 * len(columns), 1.6 + 0.27 * len(rows))
    axes = figure.add_subplot()
    axes.imshow(values, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    for row, column in np.argwhere(np.isfinite(values)):
        color = "white" if values[row, column] < 0.6 else "0.1"
        text = f"{values[row, column]:.2f}"
        axes.text(column, row, text, ha="center", va="center", fontsize=8, color=color)
    axes.set_xticks(range(len(columns)), columns, rotation=30, ha="right", fontsize=8, parse_math=False)
    axes.set_yticks(range(len(rows)), rows, fontsize=8, parse_math=False)
    axes.tick_params(length=0)
    axes.set_title(title, parse_math=False, fontsize=10)
    save(figure, path, dpi=130, bbox_inches="tight")


def render_dots(
    path: AnyPath, names: Sequence[str], x: Sequence[float], y: Sequence[float], labels: tuple[str, str]
) -> None:
    """Writes one named dot for each method, on a logarithmic horizontal axis.

    Args:
        path: The picture, PNG or SVG by its suffix.
        names: What the dots stand for.
        x: Their places from the left, above 0.
        y: Their heights.
        labels: What x and y are.

    Raises:
        UserError: If there are no dots or the suffix is neither.
    """
    if not len(names):
        raise UserError("no dots to draw")
    figure = new_figure(7.2, 4.6)
    axes = figure.add_subplot()
    axes.scatter(x, y, s=22, color="tab:blue", zorder=3)
    for name, place in _apart(names, x, y):
        offset: Any = (5, place)
        at = (x[names.index(name)], y[names.index(name)])
        axes.annotate(name, at, xytext=offset, textcoords="offset points", fontsize=7, parse_math=False)
    axes.set_xscale("log")
    axes.margins(x=0.18, y=0.08)
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.grid(color="0.92", zorder=0)
    save(figure, path, dpi=130, bbox_inches="tight")


def _apart(names: Sequence[str], x: Sequence[float], y: Sequence[float]) -> list[tuple[str, float]]:
    """Returns the names from the lowest dot up, and how far above its dot each stands, so that none overlap.

    In points of the figure: a name is 9 high and some 110 wide, where the axes are 480 by 300.
    """
    wide, high = np.ptp(np.log10(x)) or 1.0, np.ptp(y) or 1.0
    placed: list[tuple[float, float]] = []
    found = []
    for i in np.argsort(y, kind="stable"):
        left, bottom = 480 * float(np.log10(x[i])) / wide, 300 * float(y[i]) / high
        free = bottom
        for other, level in sorted(placed, key=lambda one: one[1]):
            if abs(other - left) < 110 and abs(level - free) < 9:
                free = level + 9
        placed.append((left, free))
        found.append((names[int(i)], free - bottom - 2))
    return found
