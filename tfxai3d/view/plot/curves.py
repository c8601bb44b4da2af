"""Plots of drop experiments, from their tables."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.view.figure import new_figure, save

_LABELS = {
    "loss": "mean cross entropy",
    "confidence": "mean probability of the true class",
    "points": "points left",
    "points_removed": "points removed",
    "points_inserted": "points inserted",
}


def render_curves(
    path: str | os.PathLike[str],
    curves: Mapping[str, Mapping[str, np.ndarray]],
    y: str,
    x: str = "points_removed",
    title: str = "",
) -> None:
    """Writes lines of one column against another, one line for each name.

    Args:
        path: The picture, PNG or SVG by its suffix.
        curves: The columns (S,) of each line by its name, such as `DropTable.by_step` gives them;
            "points_removed" is made from "points".
        y: The column on the vertical axis.
        x: The column on the horizontal axis.
        title: The heading.

    Raises:
        UserError: If there are no lines, a column is missing or the suffix is neither.
    """
    if not curves:
        raise UserError("no curves to draw")
    figure = new_figure(6.4, 4.2)
    axes = figure.add_subplot()
    # Many lines, such as one an object, are shades of one map; a few are told apart by colour.
    many = len(curves) > 10
    for number, (name, columns) in enumerate(curves.items()):
        style = {"color": _shade(number / len(curves)), "linewidth": 0.8} if many else {"marker": "."}
        axes.plot(_column(columns, x, name), _column(columns, y, name), label=name, **style)
    axes.set_xlabel(_LABELS.get(x, x))
    axes.set_ylabel(_LABELS.get(y, y))
    if y in ("accuracy", "confidence"):
        axes.set_ylim(0, 1.02)
    if x == "points":
        axes.invert_xaxis()
    axes.set_title(title, parse_math=False)
    axes.grid(color="0.92")
    axes.legend(frameon=False, fontsize=5 if many else 9, ncols=2 if many else 1)
    save(figure, path, dpi=130, bbox_inches="tight")


def render_bars(
    path: str | os.PathLike[str], names: Sequence[str], values: Sequence[float], y: str, title: str = ""
) -> None:
    """Writes one bar for each name, and a line at their mean.

    Args:
        path: The picture, PNG or SVG by its suffix.
        names: What the bars stand for, such as objects.
        values: The heights of the bars.
        y: What the height is.
        title: The heading.

    Raises:
        UserError: If there are no bars or the suffix is neither.
    """
    if not len(values):
        raise UserError("no bars to draw")
    figure = new_figure(max(4.0, 1.5 + 0.22 * len(values)), 4.2)
    axes = figure.add_subplot()
    axes.bar(range(len(values)), values, color="tab:blue")
    mean = float(np.mean(values))
    axes.axhline(mean, color="tab:red", linewidth=1, label=f"mean {mean:.4g}")
    axes.set_xticks(range(len(values)), names, rotation=90, fontsize=7, parse_math=False)
    axes.set_ylabel(_LABELS.get(y, y))
    axes.set_title(title, parse_math=False)
    axes.legend(frameon=False)
    save(figure, path, dpi=130, bbox_inches="tight")


def _column(columns: Mapping[str, np.ndarray], name: str, line: str) -> np.ndarray:
    if name == "points_removed" and "points" in columns:
        return columns["points"][0] - columns["points"]
    if name not in columns:
        raise UserError(f"the curve {line!r} has no column {name!r}; it has {', '.join(columns)}")
    return columns[name]


def _shade(fraction: float) -> Any:
    from matplotlib import colormaps

    return colormaps["viridis"](fraction)
