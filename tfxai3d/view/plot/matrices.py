"""Plots of results."""

import os
from collections.abc import Sequence

import numpy as np

from tfxai3d.view.figure import new_figure, save


def render_confusion(
    path: str | os.PathLike[str], confusion: np.ndarray, class_names: Sequence[str], title: str
) -> None:
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
    path: str | os.PathLike[str], edges: np.ndarray, counts: np.ndarray, accuracy: np.ndarray, title: str
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
