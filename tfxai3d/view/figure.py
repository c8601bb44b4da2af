"""What pictures and plots share of matplotlib; places are in inches from the lower left corner."""

from pathlib import Path
from typing import Any

import numpy as np

from tfxai3d.errors import UserError, missing_extra
from tfxai3d.storage import AnyPath, atomic_path
from tfxai3d.view.shown.colors import Colormap, bar_colors, bar_label

Place = tuple[float, float, float, float]
"""Left, bottom, width and height."""


def new_figure(width: float, height: float) -> Any:
    """Returns a matplotlib figure (inches) outside pyplot: no global state, no window, any thread."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise missing_extra("matplotlib", "view") from error
    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Any, path: AnyPath, **options: Any) -> None:
    """Writes a figure atomically, PNG or SVG by the suffix of the path; another one is a UserError."""
    suffix = Path(path).suffix.lower()
    if suffix not in (".png", ".svg"):
        raise UserError(f"{path}: pictures are .png or .svg")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=suffix[1:], **options)


def add_text(figure: Any, x: float, y: float, text: str, **style: Any) -> None:
    """Writes a text into a figure; a class may be called "$x"."""
    width, height = figure.get_size_inches()
    figure.text(x / width, y / height, text, parse_math=False, **style)


def add_image(figure: Any, image: np.ndarray, place: Place) -> None:
    """Puts an image at a place of a figure."""
    axes = add_axes(figure, place)
    axes.imshow(image, interpolation="antialiased")
    axes.set_axis_off()


def add_bar(
    figure: Any,
    place: Place,
    limits: tuple[float, float],
    label: str,
    colormap: Colormap,
    beyond: tuple[bool, bool],
) -> None:
    """Draws the colour bar at a place; `beyond` says whether values lie below and above the limits.

    It lies where the place is wider than it is high.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    extend = {(0, 0): "neither", (0, 1): "max", (1, 0): "min", (1, 1): "both"}[beyond]
    scale = ScalarMappable(Normalize(*limits), ListedColormap(bar_colors(colormap)))
    way, size = ("horizontal", 9) if place[2] > place[3] else ("vertical", 10)
    bar = figure.colorbar(scale, cax=add_axes(figure, place), extend=extend, orientation=way)
    bar.outline.set_linewidth(0.5)
    bar.ax.tick_params(labelsize=size)
    if way == "horizontal":
        bar.ax.locator_params(nbins=6)
    (bar.ax.xaxis if way == "horizontal" else bar.ax.yaxis).label.set_parse_math(False)
    bar.set_label(bar_label(label, colormap), size=size + 1)


def add_axes(figure: Any, place: Place) -> Any:
    """Returns new axes at a place of a figure."""
    return figure.add_axes(np.divide(place, np.tile(figure.get_size_inches(), 2)))
