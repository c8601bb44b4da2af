"""A gallery as one HTML page: filters, and what units look for; all objects turn together."""

import html

from tfxai3d.storage import AnyPath, write_text
from tfxai3d.view.page.document import canvas, document, packed
from tfxai3d.view.page.legend import keys
from tfxai3d.view.shown.camera import GALLERY_AZIMUTH
from tfxai3d.view.shown.gallery import Gallery, check

_STYLE = """
main {{ display: grid; grid-template-columns: repeat({columns}, minmax(12rem, 1fr)); gap: .5rem;
  padding: .5rem 1.5rem }}
figure {{ margin: 0; text-align: center; border-bottom: 1px solid #ddd; padding-bottom: .4rem }}
figure b {{ overflow-wrap: anywhere }}
canvas {{ aspect-ratio: 1; touch-action: pan-y }}
"""


def write_gallery(path: AnyPath, gallery: Gallery) -> None:
    """Writes a gallery as one self-contained page, drawn with WebGL 2; all objects turn together.

    Args:
        path: The HTML file.
        gallery: What `filter_gallery` or `feature_gallery` returned.

    Raises:
        UserError: If the gallery is empty or the file cannot be written.
    """
    check(gallery)
    marks, colors = [cell.marks for cell in gallery.cells], [cell.colors for cell in gallery.cells]
    figures = "\n".join(
        f"<figure><b>{html.escape(cell.title)}</b>{canvas(number, cell.title)}"
        f"<figcaption>{html.escape(cell.caption)}</figcaption></figure>"
        for number, cell in enumerate(gallery.cells)
    )
    title, note = html.escape(gallery.title), html.escape(gallery.note)
    content = document(
        title=gallery.title,
        style=_STYLE.format(columns=gallery.columns),
        body=f"<h1>{title}</h1>\n<p>{note}</p>\n<p>{keys(gallery.legend)}</p>\n<main>\n{figures}\n</main>",
        data={"cells": packed(marks, colors, unit=gallery.unit, value=gallery.value)},
        azimuth=GALLERY_AZIMUTH,
    )
    write_text(path, content)
