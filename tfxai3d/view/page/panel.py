"""A panel as one HTML page: all objects turn together in a browser, without network."""

import base64
import html
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfxai3d.storage.writing import atomic_path
from tfxai3d.view.page.document import document
from tfxai3d.view.shown.colors import Colormap, bar_colors, bar_label
from tfxai3d.view.shown.marks import Marks
from tfxai3d.view.shown.panel import BAR_LABEL, Panel, Row, panel

if TYPE_CHECKING:
    from tfxai3d.results.explanation import Explanation

_STYLE = """
main {{ display: grid; grid-template-columns: repeat({columns}, minmax(11rem, 1fr)) 7rem; gap: 0 .5rem;
  padding: 0 1rem 1rem }}
h1 {{ font-size: 1.3rem; margin: 1rem 1rem 0 }}
#help {{ color: #666; margin: .2rem 1rem .6rem }}
h2 {{ font-size: 1rem; margin: 0; text-align: center; position: sticky; top: 0; background: #fffe;
  padding: .4rem 0 }}
canvas {{ width: 100%; aspect-ratio: 4 / 3; cursor: grab; touch-action: none }}
.caption {{ grid-column: 1 / -1; border-bottom: 1px solid #ddd; padding: 0 0 .5rem; margin-bottom: .6rem;
  overflow-wrap: anywhere }}
.bar {{ display: grid; grid-template-columns: 1rem auto 1rem; grid-template-rows: auto 8rem auto;
  gap: .1rem .4rem; align-self: center; justify-content: start; font-size: .8rem }}
.bar i {{ grid-row: 2; border: 1px solid #999; background: linear-gradient(to top, {gradient}) }}
.bar span {{ grid-column: 1 / -1 }}
.bar small {{ grid-row: 2; grid-column: 2 / -1; writing-mode: vertical-rl; align-self: center;
  font-size: .8rem; color: #555 }}
"""
_HELP = (
    "Drag to turn all objects, Ctrl and scroll to zoom, double-click to start again. Each row has one colour "
    "scale, in shares of each method's top importance."
)


def write_panel(
    path: str | os.PathLike[str],
    rows: Sequence[Sequence["Explanation"]],
    names: Sequence[str] | None = None,
    colormap: Colormap = "magma_r",
) -> None:
    """Writes `render_panel`'s table as one self-contained page, drawn with WebGL 2; all cells turn together.

    It holds 15 to 20 bytes for each point and visible voxel of each cell, and no library.

    Args:
        path: The HTML file.
        rows: See `render_panel`.
        names: Of the objects.
        colormap: One of `COLORMAPS`.

    Raises:
        UserError: As `render_panel`.
    """
    shown = panel(rows, names, colormap)
    cells = [cell for row in shown.rows for cell in map(cell_data, row.marks, row.colors)]
    bar = ", ".join(hex_color(color) for color in bar_colors(colormap, 24))
    content = document(
        title="explanations",
        style=_STYLE.format(columns=len(shown.columns), gradient=bar),
        script=(Path(__file__).parent / "panel.js").read_text(encoding="utf-8"),
        body=_body(shown, colormap, cells),
    )
    with atomic_path(path) as temporary:
        temporary.write_text(content, encoding="utf-8")


def _body(shown: Panel, colormap: Colormap, cells: list[dict[str, Any]]) -> str:
    titles = "".join(f"<h2>{html.escape(title)}</h2>" for title in shown.columns)
    per_row = len(shown.columns)
    rows = "\n".join(
        _row(row, range(per_row * number, per_row * (number + 1)), colormap)
        for number, row in enumerate(shown.rows)
    )
    return (
        f'<h1>Explanations</h1>\n<p id="help">{html.escape(_HELP)}</p>\n'
        f"<main>\n{titles}<h2></h2>\n{rows}\n</main>\n"
        f'<script type="application/json" id="data">{json.dumps(cells)}</script>'
    )


def _row(row: Row, numbers: range, colormap: Colormap) -> str:
    canvases = "".join(f'<canvas data-cell="{number}"></canvas>' for number in numbers)
    low, high = (f"{limit:.2g}" for limit in row.limits)
    label = html.escape(bar_label(BAR_LABEL, colormap))
    below, above = ("≤ " if row.beyond[0] else ""), ("≥ " if row.beyond[1] else "")
    bar = f"<span>{above}{high}</span><i></i><small>{label}</small><span>{below}{low}</span>"
    name = f"<b>{html.escape(row.name)}</b> " if row.name else ""
    said = f'<div class="caption">{name}{html.escape(row.caption)}</div>'
    return f'{canvases}<div class="bar">{bar}</div>\n{said}'


def cell_data(marks: Marks, colors: np.ndarray) -> dict[str, Any]:
    """Returns a cell's marks, in the unit ball, as `panel.js` reads them."""
    return {
        "shape": marks.shape,
        "count": len(marks.centres),
        "centres": _base64(marks.centres.astype("<f4")),
        "sizes": _base64(marks.sizes.astype("<f4")),
        "colors": _base64(np.round(colors * 255).astype(np.uint8)),
    }


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode("ascii")


def hex_color(color: np.ndarray) -> str:
    """Returns a colour (3,) in 0..1 as a page writes it."""
    return "#" + "".join(f"{value:02x}" for value in np.round(color * 255).astype(int))
