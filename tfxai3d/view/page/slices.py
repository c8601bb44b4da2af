"""Volumes as one HTML page: sliders through all slices, the map over them, without network."""

import html
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfxai3d.storage import AnyPath, write_text
from tfxai3d.view.page.document import document, encoded
from tfxai3d.view.page.legend import bar
from tfxai3d.view.shown.colors import bar_colors
from tfxai3d.view.shown.slices import COVER, OPAQUE, PLANES, SlicedVolume

STYLE = """
section { padding: 0 1.5rem 1rem; border-bottom: 1px solid #ddd }
section h1, section p { margin-left: 0; margin-right: 0 }
h2 { font-size: 1.05rem; margin: .9rem 0 0; overflow-wrap: anywhere }
.tools { display: flex; flex-wrap: wrap; gap: .3rem 1.5rem; align-items: center; padding: .5rem 0;
  font-size: .85rem; position: sticky; top: 0; background: #fffe; z-index: 1 }
.tools label { display: flex; gap: .4rem; align-items: center }
.tools input[type=range] { width: 6.5rem }
output { font-variant-numeric: tabular-nums }
.views { display: flex; flex-wrap: wrap; gap: .8rem; align-items: flex-start }
figure { margin: .4rem 0; min-width: min(9rem, 100%) }
figcaption { font-size: .85rem; white-space: nowrap }
figure input { width: 100%; margin: .3rem 0 0; box-sizing: border-box }
canvas { cursor: crosshair; touch-action: pan-y }
canvas:active { cursor: crosshair }
.bar { max-width: 24rem }
button { font: inherit; font-size: .85rem; margin-left: .6rem }
"""
"""The CSS of the sections."""
DRAWN = {"planes": PLANES, "opaque": OPAQUE, "cover": COVER}
"""What the script draws all volumes by."""
_HELP = (
    "Move a slider, or press on a slice, to look elsewhere; all maps of a volume move together. Point at a "
    "voxel to read it."
)
MOST = 1 << 23
"""How many voxels a browser shows without delay."""
_HIGHEST = 70  # a slice, in percent of the window's height


def write_volumes(
    path: AnyPath, rows: Sequence[Sequence[SlicedVolume]], names: Sequence[str] | None = None
) -> None:
    """Writes a self-contained page of volumes, each with the maps of one or several methods.

    It takes at most some three bytes a voxel for each channel and map. Of volumes of more than 8 million
    voxels the page shows blocks: the mean of their values and the strongest importance in them.

    Args:
        path: The HTML file.
        rows: For each volume its maps.
        names: The headings of the volumes; by default the class that was explained.
    """
    heads = [row[0].title for row in rows] if names is None else names
    title = heads[0] if len(heads) == 1 else "Explanations"
    sections = (
        volume_section(number, head, row) for number, (head, row) in enumerate(zip(heads, rows, strict=True))
    )
    content = document(
        title=title,
        style=STYLE,
        body="\n".join(sections),
        data={
            "volumes": [packed_volume(row) for row in rows],
            **DRAWN,
        },
        scripts=("volume.js",),
        help=_HELP,
    )
    write_text(path, content)


def packed_volume(row: Sequence[SlicedVolume]) -> dict[str, Any]:
    """Returns what the script reads of a volume: values as fractions of their range, in 16 bits."""
    shown, side = row[0], _side(row[0])
    channels = [_blocks(values, side).mean(axis=-1) for values in np.moveaxis(shown.values, -1, 0)]
    ranges = [(float(values.min()), float(values.max())) for values in channels]
    ranges = [(low, high if high > low else low + 1) for low, high in ranges]
    parts = [(values - low) / (high - low) for values, (low, high) in zip(channels, ranges, strict=True)]
    return {
        "shape": channels[0].shape,
        "voxels": shown.shape,
        "side": side,
        "axes": shown.axes,
        "affine": None if shown.affine is None else shown.affine.tolist(),
        "mirrored": shown.mirrored,
        "ends": [shown.ends(axis) for axis in range(3)],
        "place": [at // side for at in shown.place],
        "channel": shown.channel,
        "values": [encoded(np.round(65535 * part), "<u2") for part in parts],
        "ranges": ranges,
        "windows": shown.windows.tolist(),
        "maps": [_map(one, side) for one in row],
    }


def _map(shown: SlicedVolume, side: int) -> dict[str, Any]:
    top = float(np.abs(shown.importance).max()) or 1.0
    blocks = _blocks(shown.importance, side)
    strongest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=-1)[..., None], axis=-1)[..., 0]
    return {
        "importance": encoded(np.round(32767 * (strongest / top)), "<i2"),
        "top": top,
        "limits": shown.limits,
        "place": [at // side for at in shown.place],
        "colors": encoded(np.round(255 * bar_colors(shown.colormap)), "u1"),
    }


def _side(shown: SlicedVolume) -> int:
    """Returns the voxels along a side of a block that the page shows as one."""
    return int(np.ceil((shown.importance.size / MOST) ** (1 / 3)))


def _blocks(grid: np.ndarray, side: int) -> np.ndarray:
    """Returns a grid (X,Y,Z) as blocks, (X',Y',Z',side^3), filled up with the values at its ends."""
    filled = np.pad(grid, [(0, -size % side) for size in grid.shape], mode="edge")
    parts = [part for size in filled.shape for part in (size // side, side)]
    return filled.reshape(parts).transpose(0, 2, 4, 1, 3, 5).reshape(*parts[::2], side**3)


def volume_section(number: int, head: str, row: Sequence[SlicedVolume]) -> str:
    """Returns the part of a page where a volume is drawn, with the maps of one or several methods."""
    blocks = "\n".join(_block(index, shown) for index, shown in enumerate(row))
    return (
        f'<section data-volume="{number}">\n<h1>{html.escape(head)}</h1>\n<div class="tools">'
        f"{_channels(row[0])}"
        '<label>black <input type="range" name="low" max="1000"></label>'
        '<label>white <input type="range" name="high" max="1000"> <output name="window"></output></label>'
        '<label>map <input type="range" name="cover" max="100" value="100"></label>'
        '<label><input type="checkbox" name="projected"> maximum projection</label>'
        f"</div>\n{blocks}\n</section>"
    )


def _channels(shown: SlicedVolume) -> str:
    count = shown.values.shape[-1]
    chosen = (f"<option{' selected' * (i == shown.channel)}>{i}</option>" for i in range(count))
    return f'<label>channel <select name="channel">{"".join(chosen)}</select></label>' if count > 1 else ""


def _block(number: int, shown: SlicedVolume) -> str:
    sides, side = shown.spacing * shown.shape, _side(shown)
    total = sum(sides[across] for across, _, _ in PLANES)
    figures = "".join(
        _figure(
            f"{name} slice, {shown.method}", name, -(-shown.shape[cut] // side), sides[[across, up]], total
        )
        for name, (across, up, cut) in zip(shown.planes, PLANES, strict=True)
    )
    scale = bar(shown.limits, "importance", shown.colormap, shown.beyond, 6, flat=True)
    blocks = f", in blocks of {side} a side" if side > 1 else ""
    return (
        f'<div data-map="{number}"><h2>{html.escape(shown.method)}'
        f"<button>strongest place</button></h2>\n<p>{html.escape(shown.details)}{blocks}; "
        f'<span class="held"></span></p>\n<div class="views">{figures}</div>{scale}</div>'
    )


def _figure(label: str, name: str, slices: int, sides: np.ndarray, total: float) -> str:
    """Returns a plane and its slider; its width is its part of the total of all planes."""
    width, height = sides
    basis = (
        f"flex: 0 1 calc({100 * width / total:.2f}% - .6rem); max-width: {_HIGHEST * width / height:.2f}vh"
    )
    label = html.escape(label)
    return (
        f'<figure style="{basis}"><figcaption>{name}, <output></output></figcaption>'
        f'<canvas role="img" aria-label="{label}" style="aspect-ratio: {width:.6g} / {height:.6g}"></canvas>'
        f'<input type="range" max="{slices - 1}" aria-label="{label}"></figure>'
    )
