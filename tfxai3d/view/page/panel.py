"""A panel as one HTML page: all objects turn together in a browser, without network."""

import html
from collections.abc import Sequence
from typing import Any

from tfxai3d.results.explanation import Explanation
from tfxai3d.storage import AnyPath, write_text
from tfxai3d.view.page.document import canvas, document, packed
from tfxai3d.view.page.legend import bar
from tfxai3d.view.page.slices import write_volumes
from tfxai3d.view.shown.colors import Colormap
from tfxai3d.view.shown.panel import BAR_LABEL, Row, panel, sliced_rows
from tfxai3d.view.shown.slices import Window, has_slices

_STYLE = """
main {{ display: grid; grid-template-columns: repeat({columns}, minmax(11rem, 1fr)); gap: 0 .5rem;
  padding: 0 1rem 1rem 1.5rem }}
h2 {{ font-size: 1rem; margin: 0; text-align: center; position: sticky; top: 0; background: #fffe;
  padding: .4rem 0 }}
canvas {{ aspect-ratio: 1; touch-action: pan-y }}
.caption {{ grid-column: 1 / -1; border-bottom: 1px solid #ddd; padding: 0 0 .5rem; margin-bottom: .6rem;
  overflow-wrap: anywhere }}
"""
_NOTE = "Each method has a colour scale of its own, as a fraction of its top importance in each row."


def write_panel(
    path: AnyPath,
    rows: Sequence[Sequence[Explanation]],
    names: Sequence[str] | None = None,
    colormap: Colormap | None = None,
    window: Window | None = None,
) -> None:
    """Writes `render_panel`'s table as one self-contained page, drawn with WebGL 2; all cells turn together.

    It takes 30 kB and some 20 bytes for each point and visible voxel of each cell. Volumes of real values
    have sliders through their slices instead, the maps of all methods over them.

    Args:
        path: The HTML file.
        rows: See `render_panel`.
        names: The names of the objects.
        colormap: One of `COLORMAPS`; by default what suits each method, see `colormap_for`.
        window: Of volumes, see `render_png`; it can be changed in the page.

    Raises:
        UserError: As `render_panel`.
    """
    if any(has_slices(one) for row in rows for one in row):
        return write_volumes(path, *sliced_rows(rows, names, colormap, window))
    shown = panel(rows, names, colormap)
    cells = [cell for row in shown.rows for cell in _cells(row, rows[0][0].kind.removesuffix("s"))]
    columns = shown.columns
    bars = ["", *(bar(one.limits, BAR_LABEL, one.colormap, one.beyond, 6, flat=True) for one in shown.scales)]
    titles = "".join(
        f"<h2>{html.escape(title)}{scale}</h2>" for title, scale in zip(columns, bars, strict=True)
    )
    body = "\n".join(_row(row, columns, len(columns) * i) for i, row in enumerate(shown.rows))
    content = document(
        title="Explanations",
        style=_STYLE.format(columns=len(columns)),
        body=f"<h1>Explanations</h1>\n<p>{_NOTE}</p>\n<main>\n{titles}\n{body}\n</main>",
        data={"cells": cells},
    )
    write_text(path, content)


def _cells(row: Row, unit: str) -> list[dict[str, Any]]:
    itself, *methods = packed(row.marks, row.colors, unit=unit, value="importance")
    del itself["values"]  # the object alone
    return [itself, *(cell | {"top": top} for cell, top in zip(methods, row.tops, strict=True))]


def _row(row: Row, columns: Sequence[str], first: int) -> str:
    labels = [f"{title}: {row.name} {row.caption}" for title in columns]
    canvases = "".join(canvas(first + number, label) for number, label in enumerate(labels))
    name = f"<b>{html.escape(row.name)}</b> " if row.name else ""
    return f'{canvases}\n<div class="caption">{name}{html.escape(row.caption)}</div>'
