"""Pictures, pages and windows of galleries: filters, and what units look for."""

import html
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.storage.writing import atomic_path
from tfxai3d.view.page.document import document
from tfxai3d.view.page.panel import cell_data, hex_color
from tfxai3d.view.picture import process
from tfxai3d.view.picture.figure import add_text
from tfxai3d.view.picture.scenes import cropped, draw, scenes
from tfxai3d.view.plot.matrices import new_figure
from tfxai3d.view.shown.gallery import Gallery, check, side_by_side
from tfxai3d.view.shown.marks import in_unit_ball

_CELL, _GAP, _HEADER, _TITLE, _CAPTION = 3.0, 0.15, 0.95, 0.28, 0.3  # of the figure, in inches
_AZIMUTH = (25.0,)  # degrees; less than elsewhere, for walls of filters hardly overlap then
_LEAST_WIDTH = 7.0  # so that the header fits
_STYLE = """
main {{ display: grid; grid-template-columns: repeat({columns}, minmax(12rem, 1fr)); gap: .5rem;
  padding: 0 1rem 1rem }}
h1 {{ font-size: 1.3rem; margin: 1rem 1rem 0; overflow-wrap: anywhere }}
p {{ color: #444; margin: .3rem 1rem }}
#help {{ color: #666 }}
figure {{ margin: 0; text-align: center; border-bottom: 1px solid #ddd; padding-bottom: .4rem }}
figure b {{ overflow-wrap: anywhere }}
canvas {{ width: 100%; aspect-ratio: 1; cursor: grab; touch-action: none }}
p i {{ display: inline-block; width: .8rem; height: .8rem; margin: 0 .3rem 0 1rem }}
"""
_HELP = "Drag to turn all objects, Ctrl and scroll to zoom, double-click to start again."


def render_gallery(path: str | os.PathLike[str], gallery: Gallery) -> None:
    """Writes a picture of a gallery, drawn by Open3D in a process of its own or else by matplotlib.

    Args:
        path: The PNG file.
        gallery: Of `filter_gallery` or `feature_gallery`.

    Raises:
        UserError: If the gallery is empty, the file cannot be written or matplotlib is missing.
    """
    check(gallery)
    shown = scenes([cell.marks for cell in gallery.cells], [cell.colors for cell in gallery.cells], _AZIMUTH)
    figure = _compose(gallery, cropped(draw(shown)))
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def write_gallery(path: str | os.PathLike[str], gallery: Gallery) -> None:
    """Writes a gallery as one self-contained page, drawn with WebGL 2; all objects turn together.

    Args:
        path: The HTML file.
        gallery: Of `filter_gallery` or `feature_gallery`.

    Raises:
        UserError: If the gallery is empty or the file cannot be written.
    """
    check(gallery)
    marks = in_unit_ball([cell.marks for cell in gallery.cells])
    cells = [cell_data(some, cell.colors) for some, cell in zip(marks, gallery.cells, strict=True)]
    legend = "".join(
        f'<i style="background:{hex_color(np.array(c))}"></i>{_safe(t)}' for t, c in gallery.legend
    )
    figures = "\n".join(
        f'<figure><b>{_safe(cell.title)}</b><canvas data-cell="{number}"></canvas>'
        f"<figcaption>{_safe(cell.caption)}</figcaption></figure>"
        for number, cell in enumerate(gallery.cells)
    )
    content = document(
        title=_safe(gallery.title),
        style=_STYLE.format(columns=gallery.columns),
        script=(Path(__file__).parent.parent / "page" / "panel.js").read_text(encoding="utf-8"),
        body=f"<h1>{_safe(gallery.title)}</h1>\n<p>{_safe(gallery.note)} {legend}</p>\n"
        f'<p id="help">{_safe(_HELP)}</p>\n<main>\n{figures}\n</main>\n'
        f'<script type="application/json" id="data">{json.dumps(cells)}</script>',
    )
    with atomic_path(path) as temporary:
        temporary.write_text(content, encoding="utf-8")


def open_gallery(gallery: Gallery) -> None:
    """Shows a gallery in an Open3D window, all objects side by side, and waits until it is closed.

    Raises:
        UserError: If the gallery is empty, Open3D is missing or there is no display.
    """
    check(gallery)
    joined, colors = side_by_side(gallery)
    (marks,) = in_unit_ball([joined])
    scene = {"shape": marks.shape, "centres": marks.centres, "sizes": marks.sizes, "colors": colors}
    try:
        process.show(scene, gallery.title)
    except process.DrawingError as error:
        raise UserError(str(error)) from error


def _compose(gallery: Gallery, images: np.ndarray) -> Any:
    """Puts the images (M,H,W,3) below the header, `columns` a row."""
    rows = -(-len(images) // gallery.columns)
    height = _CELL * images.shape[1] / images.shape[2]
    pitch = _TITLE + height + _CAPTION + _GAP
    full_width = max(gallery.columns * (_CELL + _GAP) + _GAP, _LEAST_WIDTH)
    full_height = _HEADER + rows * pitch
    figure = new_figure(full_width, full_height)

    def write(x: float, y: float, text: str, **style: Any) -> None:
        add_text(figure, x / full_width, 1 - y / full_height, text, **style)

    write(_GAP, 0.3, gallery.title, size=13, weight="bold")
    write(_GAP, 0.54, gallery.note, size=9, color="0.3")
    x = _GAP
    for text, color in gallery.legend:
        write(x, 0.78, "\N{BLACK SQUARE}", size=11, color=color)
        write(x + 0.17, 0.78, text, size=9, color="0.3")
        x += 0.4 + 0.075 * len(text)
    for number, (cell, image) in enumerate(zip(gallery.cells, images, strict=True)):
        row, column = divmod(number, gallery.columns)
        left, top = _GAP + column * (_CELL + _GAP), _HEADER + row * pitch
        write(left + _CELL / 2, top + _TITLE - 0.08, cell.title, size=10, weight="bold", ha="center")
        bottom = 1 - (top + _TITLE + height) / full_height
        axes = figure.add_axes((left / full_width, bottom, _CELL / full_width, height / full_height))
        axes.imshow(image, interpolation="antialiased")
        axes.set_axis_off()
        write(left + _CELL / 2, top + _TITLE + height + 0.18, cell.caption, size=9, color="0.3", ha="center")
    return figure


def _safe(text: str) -> str:
    return html.escape(text)
