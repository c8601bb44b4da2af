"""Pictures and windows of galleries: filters, and what units look for."""

from typing import Any

import numpy as np

from tfxai3d.storage import AnyPath
from tfxai3d.view.figure import add_image, add_text, new_figure, save
from tfxai3d.view.picture import process
from tfxai3d.view.picture.scenes import cropped, draw, scenes
from tfxai3d.view.shown.camera import GALLERY_AZIMUTH
from tfxai3d.view.shown.gallery import Gallery, check, side_by_side

_CELL, _GAP, _HEADER, _TITLE, _CAPTION = 3.0, 0.15, 0.95, 0.28, 0.3  # of the figure, in inches
_LEAST_WIDTH = 7.0  # so that the header fits


def render_gallery(path: AnyPath, gallery: Gallery) -> None:
    """Writes a picture of a gallery, drawn by Open3D in a process of its own or else by matplotlib.

    Args:
        path: The PNG file.
        gallery: What `filter_gallery` or `feature_gallery` returned.

    Raises:
        UserError: If the gallery is empty, the file cannot be written or matplotlib is missing.
    """
    check(gallery)
    marks, colors = [cell.marks for cell in gallery.cells], [cell.colors for cell in gallery.cells]
    shown = scenes(marks, colors, [GALLERY_AZIMUTH])
    save(_compose(gallery, cropped(draw(shown))), path, dpi=120)


def open_gallery(gallery: Gallery) -> None:
    """Shows a gallery in an Open3D window, all objects side by side, and waits until it is closed.

    Raises:
        UserError: If the gallery is empty, Open3D is missing or there is no display.
    """
    check(gallery)
    process.show(*side_by_side(gallery), gallery.title)


def _compose(gallery: Gallery, images: np.ndarray) -> Any:
    """Puts the images (M,H,W,3) below the header, `columns` a row."""
    rows = -(-len(images) // gallery.columns)
    height = _CELL * images.shape[1] / images.shape[2]
    pitch = _TITLE + height + _CAPTION + _GAP
    full_height = _HEADER + rows * pitch
    figure = new_figure(max(gallery.columns * (_CELL + _GAP) + _GAP, _LEAST_WIDTH), full_height)

    def write(x: float, y: float, text: str, **style: Any) -> None:
        add_text(figure, x, full_height - y, text, **style)

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
        add_image(figure, image, (left, full_height - (top + _TITLE + height), _CELL, height))
        write(left + _CELL / 2, top + _TITLE + height + 0.18, cell.caption, size=9, color="0.3", ha="center")
    return figure
