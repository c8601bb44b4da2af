"""What units look for, as a gallery."""

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.results.visualization import Visualization
from tfxai3d.view.shown.colors import Colormap, point_colors
from tfxai3d.view.shown.gallery import Cell, Gallery
from tfxai3d.view.shown.marks import Marks, joined, point_marks, scaled_marks
from tfxai3d.view.shown.subject import one_line

LEAST_FRACTION = 0.3
"""The fraction of a unit's top importance from which on a voxel is drawn."""
_COLUMNS = 4
_TITLES = {
    "activation_maximization": "Inputs that excite most",
    "mean_surface": "Mean activating surfaces",
    "patterns": "Points around a centroid that excite most",
}
_LEGENDS = {
    "activation_maximization": {"voxels": "occupancy", "points": "gradient"},
    "mean_surface": {"voxels": "fraction of the surfaces"},
    "patterns": {"points": "activation"},
}
_RING, _RING_COLOR = 72, (0.80, 0.82, 0.86)  # points of each great circle of a ball of neighbours


def feature_gallery(visualization: Visualization, colormap: Colormap = "magma_r") -> Gallery:
    """Lays out a `features.Visualization`, with one cell for each unit.

    A voxel is a cube whose side grows with its fraction of the unit's top importance, from `LEAST_FRACTION`
    on. Points are balls; patterns stand in their ball, of which three great circles are drawn.

    Args:
        visualization: The visualisation of any method.
        colormap: The colours of the importance, as a fraction of the unit's top importance.

    Returns:
        For `render_gallery`, `write_gallery` and `open_gallery`.

    Raises:
        UserError: If an importance is NaN or infinite.
    """
    if not np.isfinite(visualization.importance).all() or not np.isfinite(visualization.inputs).all():
        raise UserError("the visualisation holds NaN or infinite values and cannot be drawn")
    method, kind = visualization.method, visualization.kind
    what = _LEGENDS.get(method, {}).get(kind, "importance")
    least = LEAST_FRACTION if kind == "voxels" else 0.0
    steps = np.array([least, (1 + least) / 2, 1.0])
    return Gallery(
        title=_TITLES.get(method, one_line(method)),
        note=f"colour{' and size' if kind == 'voxels' else ''}: {what}, as a fraction of the unit's highest",
        legend=tuple(zip((f"{step:.0%}" for step in steps), _colors(steps, colormap), strict=True)),
        cells=[_cell(visualization, unit, colormap) for unit in range(len(visualization))],
        columns=min(len(visualization), _COLUMNS),
        unit=kind.removesuffix("s"),
        value=what,
    )


def _cell(visualization: Visualization, unit: int, colormap: Colormap) -> Cell:
    importance = visualization.importance[unit].astype(np.float64)
    top = float(importance.max()) if importance.max() > 0 else 1.0
    if visualization.kind == "voxels":
        marks = scaled_marks(np.maximum(importance, 0), top, LEAST_FRACTION)
    else:
        marks = point_marks(visualization.inputs[unit].astype(np.float64), importance)
    colors = _colors(marks.importance / top, colormap)
    if visualization.method == "patterns":
        marks, colors = _in_ball(marks, colors, float(visualization.options["radius"]))
    name, activation = visualization.names[unit], float(visualization.activations[unit])
    return Cell(one_line(name), f"activation {activation:.3g}", marks, colors)


def _colors(fraction: np.ndarray, colormap: Colormap) -> np.ndarray:
    """Returns the colours of fractions of the top; there may be none."""
    return point_colors(fraction, colormap, (0.0, 1.0)) if len(fraction) else np.zeros((0, 3))


def _in_ball(marks: Marks, colors: np.ndarray, radius: float) -> tuple[Marks, np.ndarray]:
    """Adds three great circles of small balls to points, for the eye."""
    angle = np.linspace(0, 2 * np.pi, _RING, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle), np.zeros(_RING)], axis=1) * radius
    rings = np.concatenate([np.roll(circle, axis, axis=1) for axis in range(3)])
    sizes = np.full(len(rings), 0.012 * radius)
    outline = Marks("ball", rings, sizes, np.zeros(len(rings)), np.full((len(rings), 1), -1))
    return joined([marks, outline]), np.concatenate([colors, np.tile(_RING_COLOR, (len(rings), 1))])
