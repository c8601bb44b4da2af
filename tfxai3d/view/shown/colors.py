"""Importance as colours: one scale for the picture, the PLY file and the page."""

from typing import Literal, get_args

import numpy as np

from tfxai3d.errors import UserError, missing_extra

Colormap = Literal["magma_r", "viridis", "inferno", "coolwarm", "green_red"]
COLORMAPS: tuple[str, ...] = get_args(Colormap)

# The part of a map that is used: the ends of magma_r are so near white and black that no shading would show;
# the lower third of inferno is as dark as the tissue that it would be laid over.
_PARTS = {"magma_r": (0.04, 0.9), "viridis": (0.0, 1.0), "inferno": (0.3, 0.97), "coolwarm": (0.0, 1.0)}


def colormap_for(colormap: Colormap | None, *importance: np.ndarray, plain: Colormap = "magma_r") -> Colormap:
    """Returns the colour map that is asked for or, of None, the one that suits the importance.

    Where any of it is below 0, it has a sign, and "coolwarm" with 0 in its middle shows what speaks for the
    target and what against it; the `plain` one shows magnitudes.
    """
    return colormap or ("coolwarm" if any(np.any(values < 0) for values in importance) else plain)


def color_range(
    importance: np.ndarray, colormap: Colormap = "magma_r", top: float = 0.98
) -> tuple[float, float]:
    """Returns the importance at the lower and the upper end of the colours.

    Importance has a long tail: a few points far above the rest would leave one single colour for all others.
    Zero is always in the range. Its ends are the `top` quantiles of the positive and of the negative values,
    for "coolwarm" the farther of them on both sides; for "green_red" the range is 0 to the median of the
    positive values, where the published colours cut. Values outside take the colour of the nearest end.

    Args:
        importance: One value for each point, (N,).
        colormap: One of `COLORMAPS`.
        top: The quantile.

    Returns:
        `(vmin, vmax)` with vmin < vmax; (0, 1) where every value is zero.

    Raises:
        UserError: If `importance` is empty, not finite or not (N,), or the colour map has no such name.
    """
    values = _checked(importance, colormap)
    positive, negative = values[values > 0], values[values < 0]
    if colormap == "green_red":
        return 0.0, float(np.median(positive)) if positive.size else 1.0
    vmin = float(np.quantile(negative, 1 - top)) if negative.size else 0.0
    vmax = float(np.quantile(positive, top)) if positive.size else 0.0
    if colormap == "coolwarm":
        vmin, vmax = -max(-vmin, vmax), max(-vmin, vmax)
    return (vmin, vmax) if vmin < vmax else (0.0, 1.0)


def point_colors(
    importance: np.ndarray, colormap: Colormap = "magma_r", limits: tuple[float, float] | None = None
) -> np.ndarray:
    """Returns one colour for each point or voxel.

    "magma_r", "viridis" and "inferno" are perceptually uniform; "magma_r" reads best on white: points
    without importance are pale, important ones dark. "inferno" is for maps over grey values. "coolwarm" is
    for signed importance: red speaks for the target, blue against it, grey neither. "green_red" are the
    published colours of p-grad-CAM (Struhs 2020): values v are cut at the median of the positive ones, then
    red = v / max, green = 1 - v / max, blue = 0; points without importance (zero or less) are black.

    Args:
        importance: One value for each point, (N,).
        colormap: One of `COLORMAPS`.
        limits: The importance at both ends of the colours; the `color_range` of the importance by default.

    Returns:
        Red, green and blue between 0 and 1, float64 (N,3).

    Raises:
        UserError: As `color_range`.
    """
    values = _checked(importance, colormap)
    vmin, vmax = limits or color_range(importance, colormap)
    fraction = np.clip((values - vmin) / (vmax - vmin), 0.0, 1.0)
    if colormap == "green_red":
        colors = _green_red(fraction)
        colors[values <= 0] = 0.0
        return colors
    return _matplotlib_map(colormap, fraction)


def bar_colors(colormap: Colormap = "magma_r", count: int = 256) -> np.ndarray:
    """Returns the colours of the colour bar from its lower to its upper end, float64 (count, 3)."""
    fraction = np.linspace(0.0, 1.0, count)
    return _green_red(fraction) if colormap == "green_red" else _matplotlib_map(colormap, fraction)


def edge_colors(colors: np.ndarray) -> np.ndarray:
    """Returns the outlines that tell neighbouring discs of colors (N,3) apart: darker, grey around black."""
    black = colors.max(axis=1, keepdims=True) < 0.3
    return np.where(black, 0.43, 0.6 * colors)


def bar_label(label: str, colormap: Colormap) -> str:
    """Returns the label of the colour bar, with the colour of no importance where the bar lacks it."""
    return f"{label} (black: none)" if colormap == "green_red" else label


def _green_red(fraction: np.ndarray) -> np.ndarray:
    return np.stack([fraction, 1.0 - fraction, np.zeros_like(fraction)], axis=-1)


def _matplotlib_map(name: str, fraction: np.ndarray) -> np.ndarray:
    try:
        import matplotlib
    except ImportError as error:
        raise missing_extra("matplotlib", "view") from error
    low, high = _PARTS[name]
    return np.asarray(matplotlib.colormaps[name](low + (high - low) * fraction), dtype=np.float64)[..., :3]


def _checked(importance: np.ndarray, colormap: str) -> np.ndarray:
    values = np.asarray(importance, dtype=np.float64)
    if colormap not in COLORMAPS:
        raise UserError(f"colormap {colormap!r}: expected one of {', '.join(COLORMAPS)}")
    if values.ndim != 1 or not values.size:
        raise UserError(f"importance has shape {values.shape}: expected one value a point, (N,)")
    if not np.isfinite(values).all():
        raise UserError("importance has NaN or infinite values: it cannot be coloured")
    return values
