"""The parts that matplotlib adds to pictures of objects."""

from typing import Any

from tfxai3d.view.shown.colors import Colormap, bar_colors


def add_text(figure: Any, x: float, y: float, text: str, **style: Any) -> None:
    """Writes a text into a figure; a class may be called "$x"."""
    figure.text(x, y, text, parse_math=False, **style)


def add_bar(
    figure: Any,
    axes: Any,
    limits: tuple[float, float],
    label: str,
    colormap: Colormap,
    *,
    below: bool,
    above: bool,
) -> None:
    """Draws the colour bar into axes; `below` and `above` say whether values lie outside the limits."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    extend = {(0, 0): "neither", (0, 1): "max", (1, 0): "min", (1, 1): "both"}[int(below), int(above)]
    scale = ScalarMappable(Normalize(*limits), ListedColormap(bar_colors(colormap)))
    bar = figure.colorbar(scale, cax=axes, extend=extend)
    bar.outline.set_linewidth(0.5)
    bar.ax.tick_params(labelsize=10)
    bar.ax.yaxis.label.set_parse_math(False)
    bar.set_label(label, size=11)
