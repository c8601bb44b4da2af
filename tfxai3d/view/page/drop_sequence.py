"""A drop sequence as one HTML page: scrub through the steps, removed points stay as ghosts."""

import html
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.storage import AnyPath, write_text
from tfxai3d.view.page.document import canvas, document, encoded, packed
from tfxai3d.view.page.legend import hex_color, keys
from tfxai3d.view.shown.marks import point_marks

_STAYS, _NEXT, _GONE = (0.24, 0.40, 0.72), (0.894, 0.341, 0.180), (0.6, 0.6, 0.6)
_GHOST = 0.28  # opacity of a removed point
_FADED = (1 - _GHOST * (1 - _GONE[0]),) * 3
_STYLE = f"""
#said {{ color: #222; font-variant-numeric: tabular-nums; min-height: 1.3em }}
#bar {{ display: flex; gap: 1rem; margin: .6rem 1.5rem }}
#step {{ flex: 1 }}
canvas {{ height: calc(90vh - 15rem); min-height: 14rem }}
svg {{ display: block; width: calc(100% - 8rem); height: 10vh; margin: 0 2rem 0 6rem; overflow: visible;
  font-size: 12px; fill: #666 }}
svg rect {{ fill: none; stroke: #999 }}
svg line {{ stroke: {hex_color(np.array(_STAYS))}; stroke-width: 1.5 }}
#now {{ fill: {hex_color(np.array(_NEXT))} }}
"""


def write_drop_page(
    path: AnyPath,
    points: np.ndarray,
    dropped_at: np.ndarray,
    steps: np.ndarray,
    label: int,
    title: str,
    class_names: Sequence[str] | None = None,
) -> None:
    """Writes one self-contained page with a cloud that loses its points.

    `page.html#12` opens at step 12.

    Args:
        path: The HTML file.
        points: The whole cloud (N,3), y up.
        dropped_at: The iteration in which each point goes, -1 for those that stay, int (N,).
        steps: One record for each iteration, with the fields points, predicted and confidence, such as the
            rows of one cloud in a `DropTable`.
        label: The true class.
        title: The heading.
        class_names: Names of the classes, if known.

    Raises:
        UserError: If the arrays do not belong together or the file cannot be written.
    """
    if len(points) != len(dropped_at) or not len(points) or not len(steps):
        raise UserError(
            f"a drop sequence needs one iteration for each point, and one step or more; there are "
            f"{len(points)} points, {len(dropped_at)} iterations and {len(steps)} steps"
        )
    if not np.isfinite(points).all():
        raise UserError("the points are NaN or infinite and cannot be drawn")
    marks = point_marks(np.asarray(points, np.float64), np.zeros(len(points)))
    (cell,) = packed([marks], [np.tile(_STAYS, (len(points), 1))], unit="point", going="goes after step")
    del cell["values"]  # the points have no importance here
    cell["goes"] = encoded(np.asarray(dropped_at), "<i4")
    x = np.linspace(0, 100, len(steps))
    y = 100 * (1 - np.clip(steps["confidence"].astype(float), 0, 1))
    places = [(f"{across:.2f}%", f"{down:.2f}%") for across, down in zip(x, y, strict=True)]
    name = _name(int(label), class_names)
    said = [
        f"step {number} of {len(steps) - 1}: {step['points']} of {steps['points'][0]} points, "
        f"seen as {_name(int(step['predicted']), class_names)}, "
        f"confidence in {name} {step['confidence']:.3f}"
        for number, step in enumerate(steps)
    ]
    shown = [{"said": text, "x": a, "y": b} for text, (a, b) in zip(said, places, strict=True)]
    data = {"cells": [cell], "steps": shown, "next": _NEXT, "gone": (*_GONE, _GHOST)}
    colors = keys([("there", _STAYS), ("goes next", _NEXT), ("removed", _FADED)])
    content = document(
        title=title,
        style=_STYLE,
        body=f'<h1>{html.escape(title)}</h1>\n<p>{colors}</p>\n<p id="said"></p>\n'
        '<div id="bar"><button id="play" aria-label="play">&#9654;</button>'
        f'<input id="step" type="range" min="0" max="{len(steps) - 1}" value="0" aria-label="step"></div>\n'
        f"{canvas(0, title)}\n{_curve(places, steps['points'])}",
        data=data,
    )
    write_text(path, content)


def _curve(places: Sequence[tuple[str, str]], points: np.ndarray) -> str:
    """Returns the confidence by step as SVG; the viewer moves the dot."""
    ends = pairwise(places)
    lines = "".join(f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>' for (x1, y1), (x2, y2) in ends)
    return (
        f'<svg><rect width="100%" height="100%"/>{lines}<circle id="now" r="4"/>'
        '<text x="-14" y="9">1</text><text x="-14" y="100%">0</text><text x="-82" y="55%">confidence</text>'
        f'<text y="100%" dy="16">{points[0]} points</text>'
        f'<text x="100%" y="100%" dy="16" text-anchor="end">{points[-1]}</text></svg>'
    )


def _name(number: int, class_names: Sequence[str] | None) -> str:
    return class_names[number] if class_names else str(number)
