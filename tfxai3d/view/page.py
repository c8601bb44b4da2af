"""Heat clouds as one HTML page that turns in a browser, without network."""

import html
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfxai3d.errors import UserError, missing_extra
from tfxai3d.files import atomic_path
from tfxai3d.view._camera import unit_cloud
from tfxai3d.view._subject import Subject, subject
from tfxai3d.view.colors import Colormap, bar_colors, bar_label, color_range, edge_colors, point_colors

if TYPE_CHECKING:
    from tfxai3d.explain.explanation import Explanation

# The policy forbids the browser to fetch anything: the page is the same with and without network.
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; \
style-src 'unsafe-inline'; img-src data: blob:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
html {{ overflow-y: scroll }}
body {{ margin: 0; font-family: system-ui, "Segoe UI", sans-serif; color: #222; background: #fff }}
h1 {{ margin: 1rem 1.5rem 0; font-size: 1.4rem; overflow-wrap: anywhere }}
p {{ margin: .2rem 1.5rem 0; color: #666 }}
.cloud {{ height: {height}vh; min-height: 20rem }}
</style>
<script>{script}</script>
</head>
<body>
{body}
</body>
</html>
"""
_EYE = 1.37 * np.array([0.53, -0.76, 0.37])  # from the front, right and above; as near as nothing is cut
_SECTION = '<section>\n<h1>{title}</h1>\n<p>{subtitle}</p>\n<div class="cloud">{plot}</div>\n</section>'
_CONFIG = {
    "displaylogo": False,
    "responsive": True,
    "scrollZoom": True,
    "showSendToCloud": False,  # its button would upload the cloud
    "modeBarButtonsToRemove": ["resetCameraLastSave3d", "orbitRotation"],
}
_HELP = "drag to turn, scroll to zoom, hover to read a point"


def write_html(
    path: str | os.PathLike[str],
    explanation: "Explanation",
    index: int | Sequence[int] = 0,
    colormap: Colormap = "magma_r",
    title: str | None = None,
) -> None:
    """Writes one self-contained page (about 5 MB, nearly all of it plotly) with one or several clouds.

    Args:
        path: The HTML file.
        explanation: Of points, y up.
        index: Which example, or which ones, one below the other.
        colormap: One of `COLORMAPS`.
        title: Instead of class and score; for all examples.

    Raises:
        UserError: If an example cannot be drawn, the file cannot be written or plotly is missing.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise missing_extra("plotly", "view") from error
    indices = [int(number) for number in np.atleast_1d(np.asarray(index, dtype=int))]
    if not indices:
        raise UserError("no example to draw: index is empty")
    shown = [subject(explanation, number, title) for number in indices]
    content = _PAGE.format(
        title=html.escape(shown[0].title),
        height=80 if len(shown) == 1 else 65,
        script=get_plotlyjs(),
        body="\n".join(_section(one, colormap) for one in shown),
    )
    with atomic_path(path) as temporary:
        temporary.write_text(content, encoding="utf-8")


def _section(shown: Subject, colormap: Colormap) -> str:
    plot = _figure(shown, colormap).to_html(
        full_html=False,
        include_plotlyjs=False,
        default_height="100%",
        config=_CONFIG,
    )
    subtitle = f"{shown.subtitle}; {_HELP}"
    return _SECTION.format(title=html.escape(shown.title), subtitle=html.escape(subtitle), plot=plot)


def _figure(shown: Subject, colormap: Colormap) -> Any:
    import plotly.graph_objects as go

    axis = {"visible": False, "range": [-1.02, 1.02]}  # the cloud is in the unit ball
    return go.Figure(
        [_cloud(shown, colormap), _bar(shown, colormap)],
        go.Layout(
            margin={"l": 0, "r": 0, "t": 0, "b": 0},
            showlegend=False,
            paper_bgcolor="white",
            scene={
                "aspectmode": "cube",
                "dragmode": "turntable",
                "xaxis": axis,
                "yaxis": axis,
                "zaxis": axis,
                "camera": {"eye": dict(zip("xyz", _EYE, strict=True))},
            },
        ),
    )


def _cloud(shown: Subject, colormap: Colormap) -> Any:
    import plotly.graph_objects as go

    x, y, z = np.round(unit_cloud(shown.points)[0].T, 5)
    colors = point_colors(shown.importance, colormap)
    return go.Scatter3d(
        x=x.tolist(),
        y=(-z).tolist(),  # plotly's turntable keeps z upright, our clouds have y up
        z=y.tolist(),
        mode="markers",
        marker={
            "size": float(np.clip(240 / np.sqrt(len(x)), 2, 12)),
            "color": _css(colors),
            "opacity": 1,
            "line": {"color": _css(edge_colors(colors)), "width": 1},
        },
        customdata=[[number, f"{value:.4g}"] for number, value in enumerate(shown.importance)],
        hovertemplate="point %{customdata[0]}<br>importance %{customdata[1]}<extra></extra>",
    )


def _bar(shown: Subject, colormap: Colormap) -> Any:
    """A trace of one invisible point that carries the colour bar: the points have explicit colours."""
    import plotly.graph_objects as go

    vmin, vmax = color_range(shown.importance, colormap)
    bar = _css(bar_colors(colormap, 64))
    return go.Scatter3d(
        x=[None],
        y=[None],
        z=[None],
        mode="markers",
        hoverinfo="skip",
        marker={
            "color": [vmin],
            "cmin": vmin,
            "cmax": vmax,
            "colorscale": [[share, color] for share, color in zip(np.linspace(0, 1, 64), bar, strict=True)],
            "showscale": True,
            "colorbar": {
                "title": {"text": html.escape(bar_label(shown.heat, colormap)), "side": "right"},
                "thickness": 16,
                "len": 0.6,
                "outlinewidth": 0.5,
            },
        },
    )


def _css(colors: np.ndarray) -> list[str]:
    return [f"rgb({r},{g},{b})" for r, g, b in np.round(colors * 255).astype(int)]
