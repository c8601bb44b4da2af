"""Pages that a browser shows without network: the one document around all of them, and their cells."""

import base64
import html
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfxai3d.storage import AnyPath
from tfxai3d.view.page import legend
from tfxai3d.view.shown.camera import AZIMUTHS, ELEVATION, FIELD_OF_VIEW, LIGHT
from tfxai3d.view.shown.marks import Marks, middle

# The policy forbids the browser to fetch anything: the page is the same with and without network. That of a
# server on this machine may ask its server.
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; \
style-src 'unsafe-inline'; img-src data: blob:{connect}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}
</style>
<script>{script}</script>
</head>
<body>
{body}
<p id="help">{help}</p>
<div id="tip" role="status" hidden></div>
<script type="application/json" id="data">{data}</script>
</body>
</html>
"""
_HELP = (
    "Drag to rotate, Shift and drag to move, {wheel} to zoom, double-click to start again "
    "(keys: arrows, +, -, Home). Point at a mark to read it."
)
_STYLE = """
body { margin: 0 0 2rem; font-family: system-ui, "Segoe UI", sans-serif; color: #222; background: #fff }
h1 { margin: 1rem 1.5rem 0; font-size: 1.4rem; overflow-wrap: anywhere }
p { margin: .2rem 1.5rem 0; color: #666; overflow-wrap: anywhere }
canvas { display: block; width: 100%; cursor: grab; touch-action: none }
canvas:active { cursor: grabbing }
canvas:focus { outline: none }
canvas:focus-visible { outline: 1px solid #bbb }
#help { position: fixed; bottom: 0; left: 0; right: 0; margin: 0; padding: .3rem 1.5rem; background: #fffd;
  font-size: .8rem }
#tip { position: fixed; padding: .3rem .5rem; border-radius: .3rem; background: #222e; color: #fff;
  font-size: .85rem; white-space: pre; pointer-events: none }
.key { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 .9em }
.key:first-child { margin-left: 0 }
"""


def document(
    title: str,
    style: str,
    body: str,
    data: Mapping[str, Any],
    azimuth: float = AZIMUTHS[0],
    scripts: Sequence[AnyPath] = ("viewer.js", "marks.js"),
    help: str | None = None,
    served: bool = False,
) -> str:
    """Returns a self-contained page, drawn with WebGL 2 by two scripts beside this module, or by others.

    Args:
        title: The title in plain text.
        style: CSS beside that of all pages.
        body: HTML with a `canvas` for each cell; the caller escapes what is in it.
        data: What the scripts read: "cells", a list of `packed`, and what a page adds to them.
        azimuth: The side from which the cells are seen at first, in degrees as in a picture.
        scripts: Names of the files, or paths of files elsewhere.
        help: What is written at the bottom; by default how cells are turned.
        served: Whether the page may ask the server that it comes from.
    """
    if help is None:
        help = _HELP.format(wheel="scroll" if len(data["cells"]) == 1 else "Ctrl and scroll")
    camera = {"turn": azimuth, "lift": ELEVATION, "view": FIELD_OF_VIEW, "light": LIGHT.tolist()}
    folder = Path(__file__).parent
    return _PAGE.format(
        connect="; connect-src 'self'" if served else "",
        title=html.escape(title),
        style=_STYLE.strip() + legend.STYLE.rstrip() + style.rstrip(),
        script="".join((folder / name).read_text(encoding="utf-8") for name in ("inflate.js", *scripts)),
        body=body,
        help=help,
        # A "</script>" in a name would end the script.
        data=json.dumps({"camera": camera, **data}, separators=(",", ":")).replace("<", "\\u003c"),
    )


def canvas(cell: int, label: str) -> str:
    """Returns the place where a cell is drawn; the label is read to those who cannot see it."""
    return f'<canvas data-cell="{cell}" tabindex="0" role="img" aria-label="{html.escape(label)}"></canvas>'


def packed(marks: Sequence[Marks], colors: Sequence[np.ndarray], **about: Any) -> list[dict[str, Any]]:
    """Returns cells of marks that belong together, with colours (M,3): the viewer shows them at one scale.

    The centres stay in the original frame; "middle" and "reach" take them, with all of their marks, into the
    unit ball. `about` says what a mark is called ("unit"), and its value ("value").
    """
    centres = np.concatenate([some.centres for some in marks])
    centre = middle(centres)
    reach = (np.linalg.norm(centres - centre, axis=1) + np.concatenate([some.reach for some in marks])).max()
    return [
        {
            "shape": some.shape,
            "count": len(some.centres),
            "axes": some.places.shape[1],
            "middle": centre.tolist(),
            "reach": float(reach),
            "centres": encoded(some.centres, "<f4"),
            "sizes": encoded(some.sizes, "<f4"),
            "values": encoded(some.importance, "<f4"),
            "places": encoded(some.places, "<i4"),
            "colors": encoded(np.round(color * 255), "u1"),
        }
        | about
        for some, color in zip(marks, colors, strict=True)
    ]


def encoded(array: np.ndarray, kind: str) -> str:
    """Returns an array as base64 of its zlib-compressed numbers of a NumPy kind."""
    return base64.b64encode(zlib.compress(array.astype(kind).tobytes(), 9)).decode("ascii")
