"""Explained objects as one HTML page that turns in a browser, without network."""

import html
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfxai3d.errors import UserError, missing_extra
from tfxai3d.storage.writing import atomic_path
from tfxai3d.view.page.document import document
from tfxai3d.view.shown.colors import Colormap, bar_colors, bar_label, edge_colors, point_colors
from tfxai3d.view.shown.marks import Marks, cube, in_unit_ball
from tfxai3d.view.shown.subject import Subject, subject

if TYPE_CHECKING:
    from tfxai3d.results.explanation import Explanation

_STYLE = """
html {{ overflow-y: scroll }}
h1 {{ margin: 1rem 1.5rem 0; font-size: 1.4rem; overflow-wrap: anywhere }}
p {{ margin: .2rem 1.5rem 0; color: #666 }}
.object {{ height: {height}vh; min-height: 20rem }}
"""
_EYE = 1.37 * np.array([0.53, -0.76, 0.37])  # from the front, right and above; as near as nothing is cut
_SECTION = '<section>\n<h1>{title}</h1>\n<p>{subtitle}</p>\n<div class="object">{plot}</div>\n</section>'
_CONFIG = {
    "displaylogo": False,
    "responsive": True,
    "scrollZoom": True,
    "showSendToCloud": False,  # its button would upload the object
    "modeBarButtonsToRemove": ["resetCameraLastSave3d", "orbitRotation"],
}
_HELP = "drag to turn, scroll to zoom, hover to read a {}"


def write_html(
    path: str | os.PathLike[str],
    explanation: "Explanation",
    index: int | Sequence[int] = 0,
    colormap: Colormap = "magma_r",
    title: str | None = None,
) -> None:
    """Writes one self-contained page (about 5 MB, nearly all of it plotly) with one or several objects.

    Args:
        path: The HTML file.
        explanation: Of points, y up, or voxels, z up.
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
    shown = [subject(explanation, number, colormap, title) for number in indices]
    content = document(
        title=html.escape(shown[0].title),
        style=_STYLE.format(height=80 if len(shown) == 1 else 65),
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
    unit = "point" if shown.marks.shape == "ball" else "voxel"
    subtitle = f"{shown.subtitle}; {_HELP.format(unit)}"
    return _SECTION.format(title=html.escape(shown.title), subtitle=html.escape(subtitle), plot=plot)


def _figure(shown: Subject, colormap: Colormap) -> Any:
    import plotly.graph_objects as go

    axis = {"visible": False, "range": [-1.05, 1.05]}  # the object is in the unit ball
    return go.Figure(
        [_object(shown, colormap), _bar(shown, colormap)],
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


def _object(shown: Subject, colormap: Colormap) -> Any:
    (marks,) = in_unit_ball([shown.marks])
    colors = point_colors(marks.importance, colormap, shown.limits)
    return _balls(marks, colors) if marks.shape == "ball" else _cubes(marks, colors)


def _balls(marks: Marks, colors: np.ndarray) -> Any:
    import plotly.graph_objects as go

    x, y, z = _turned(np.round(marks.centres, 5)).T
    return go.Scatter3d(
        x=x.tolist(),
        y=y.tolist(),
        z=z.tolist(),
        mode="markers",
        marker={
            "size": float(np.clip(240 / np.sqrt(len(x)), 2, 12)),
            "color": _css(colors),
            "opacity": 1,
            "line": {"color": _css(edge_colors(colors)), "width": 1},
        },
        customdata=[[number, f"{value:.4g}"] for number, value in enumerate(marks.importance)],
        hovertemplate="point %{customdata[0]}<br>importance %{customdata[1]}<extra></extra>",
    )


def _cubes(marks: Marks, colors: np.ndarray) -> Any:
    import plotly.graph_objects as go

    corners, first = np.unique(cube()[0], axis=0, return_inverse=True)
    triangles = first.reshape(-1)[cube()[2]]
    x, y, z = _turned(marks.centres[:, None] + marks.sizes[:, None, None] * corners).reshape(-1, 3).T
    offsets = len(corners) * np.arange(len(marks.centres))
    i, j, k = (triangles + offsets[:, None, None]).astype(np.int32).reshape(-1, 3).T
    says = [
        f"voxel {a}, {b}, {c}<br>importance {value:.4g}"
        for (a, b, c), value in zip(marks.places.tolist(), marks.importance, strict=True)
    ]
    painted = np.repeat(np.round(255 * colors).astype(int), len(corners), axis=0)
    return go.Mesh3d(
        x=x.astype(np.float32),
        y=y.astype(np.float32),
        z=z.astype(np.float32),
        i=i,
        j=j,
        k=k,
        vertexcolor=[f"#{r:02x}{g:02x}{b:02x}" for r, g, b in painted.tolist()],
        hovertext=np.repeat(says, len(corners)).tolist(),
        hoverinfo="text",
        flatshading=True,
        lighting={"ambient": 0.85, "diffuse": 0.35, "specular": 0, "fresnel": 0, "roughness": 1},
        lightposition={"x": 2000, "y": -6000, "z": 9000},
    )


def _turned(points: np.ndarray) -> np.ndarray:
    """Turns points (...,3) z up: plotly's turntable keeps z upright."""
    return points[..., [0, 2, 1]] * [1, -1, 1]


def _bar(shown: Subject, colormap: Colormap) -> Any:
    """A trace of one invisible point that carries the colour bar: the points have explicit colours."""
    import plotly.graph_objects as go

    vmin, vmax = shown.limits
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
