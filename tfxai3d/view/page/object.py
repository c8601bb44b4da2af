"""Explained objects as one HTML page: each turns in a browser, without network, beside its colour bar."""

import html
from collections.abc import Sequence

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.results.explanation import Explanation
from tfxai3d.storage import AnyPath, write_text
from tfxai3d.view.page.document import canvas, document, packed
from tfxai3d.view.page.legend import bar
from tfxai3d.view.page.slices import write_volumes
from tfxai3d.view.shown.colors import Colormap, colormap_for, point_colors
from tfxai3d.view.shown.slices import Window, has_slices, sliced
from tfxai3d.view.shown.subject import Subject, subject

_STYLE = """
.object {{ display: grid; grid-template-columns: 1fr auto; padding-right: 1rem }}
.object canvas {{ height: calc({height}vh - 6rem); min-height: 18rem }}
"""


def write_html(
    path: AnyPath,
    explanation: Explanation,
    index: int | Sequence[int] = 0,
    colormap: Colormap | None = None,
    title: str | None = None,
    window: Window | None = None,
) -> None:
    """Writes one self-contained page with one or several objects, drawn with WebGL 2.

    The page takes 30 kB and some 20 bytes for each point or visible voxel. All objects turn together; what
    is under the pointer says its number or voxel, its place and its importance. Volumes of real values have
    sliders through their slices instead, the map over them; they take about four bytes a voxel.

    Args:
        path: The HTML file.
        explanation: An explanation of points (y up) or of voxels (z up).
        index: The number of the example, or several numbers; their objects stand one below the other.
        colormap: One of `COLORMAPS`; by default as `colormap_for` says.
        title: The heading of every example, instead of its class and score.
        window: Of volumes, see `render_png`; it can be changed in the page.

    Raises:
        UserError: If an example cannot be drawn or the file cannot be written.
    """
    indices = [int(number) for number in np.atleast_1d(np.asarray(index, dtype=int))]
    if not indices:
        raise UserError("no example to draw: index is empty")
    if has_slices(explanation):
        return write_volumes(path, [[sliced(explanation, i, colormap, title, window)] for i in indices])
    colormap = colormap_for(colormap, explanation.importance)
    shown = [subject(explanation, number, colormap, title) for number in indices]
    colors = [point_colors(one.marks.importance, colormap, one.limits) for one in shown]
    about = {"unit": explanation.kind.removesuffix("s"), "value": "importance"}
    cells = [packed([one.marks], [color], **about)[0] for one, color in zip(shown, colors, strict=True)]
    content = document(
        title=shown[0].title,
        style=_STYLE.format(height=100 if len(shown) == 1 else 80),
        body="\n".join(_section(one, number, colormap) for number, one in enumerate(shown)),
        data={"cells": cells},
    )
    write_text(path, content)


def _section(shown: Subject, number: int, colormap: Colormap) -> str:
    scale = bar(shown.limits, "importance", colormap, shown.beyond)
    return (
        f"<section>\n<h1>{html.escape(shown.title)}</h1>\n<p>{html.escape(shown.subtitle)}</p>\n"
        f'<div class="object">{canvas(number, shown.title)}{scale}</div>\n</section>'
    )
