"""Plots of results: curves and bars of drop experiments, confusion, calibration."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.storage import AnyPath
from tfxai3d.view.figure import new_figure, save

_LABELS = {
    "loss": "mean cross entropy",
    "confidence": "mean probability of the true class",
    "points": "points left",
    "points_removed": "points removed",
    "points_inserted": "points inserted",
}


def render_curves(
    path: AnyPath,
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
    path: AnyPath, names: Sequence[str], values: Sequence[float], y: str, title: str = ""
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


def render_confusion(path: AnyPath, confusion: np.ndarray, class_names: Sequence[str], title: str) -> None:
    """Writes a confusion matrix: colours are fractions of each true class, numbers are counts.

    Args:
        path: The picture, PNG or SVG by its suffix.
        confusion: The counts of true class (rows) against predicted class (columns), int (C,C). Classes
            without examples are left out.
        class_names: Names of the C classes.
        title: The heading.
    """
    kept = np.flatnonzero(confusion.sum(axis=1) + confusion.sum(axis=0))
    counts, names = confusion[np.ix_(kept, kept)], [class_names[int(i)] for i in kept]
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 2.5 + 0.26 * len(names)
    figure = new_figure(size + 0.8, size)
    axes = figure.add_subplot()
    image = axes.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(counts):
        color = "white" if fractions[row, column] > 0.5 else "0.2"
        axes.text(column, row, counts[row, column], ha="center", va="center", fontsize=6, color=color)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=8, parse_math=False)
    axes.set_yticks(range(len(names)), names, fontsize=8, parse_math=False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(title, parse_math=False)
    axes.tick_params(length=0)
    figure.colorbar(image, ax=axes, label="fraction of the true class", fraction=0.04, pad=0.02)
    save(figure, path, dpi=130, bbox_inches="tight")


def render_reliability(
    path: AnyPath, edges: np.ndarray, counts: np.ndarray, accuracy: np.ndarray, title: str
) -> None:
    """Writes a reliability diagram: the accuracy of the answers of each confidence, above their numbers.

    Args:
        path: The picture, PNG or SVG by its suffix.
        edges: The limits of the bins of the confidence, (B+1,).
        counts: The number of examples in each bin (B,).
        accuracy: The fraction of them that is classified right (B,), NaN in an empty bin.
        title: The heading.
    """
    figure = new_figure(4.6, 5.2)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    middle, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    upper.bar(middle, np.nan_to_num(accuracy), width, color="tab:blue", edgecolor="white", label="accuracy")
    upper.plot((0, 1), (0, 1), color="0.2", linestyle="--", label="perfectly calibrated")
    upper.set_xlim(0, 1)
    upper.set_ylim(0, 1)
    upper.set_ylabel("accuracy")
    upper.set_title(title, parse_math=False, fontsize=10)
    upper.legend(loc="upper left", frameon=False)
    lower.bar(middle, counts, width, color="0.6", edgecolor="white")
    lower.set_ylabel("examples")
    lower.set_xlabel("probability of the predicted class")
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
