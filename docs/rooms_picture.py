"""Draws the picture of docs/architecture.md: the rooms of the library, in the order of their imports.

python docs/rooms_picture.py

Writes pictures/rooms.svg. The order is that of the contract in pyproject.toml; a room that is not described
here ends the program.
"""

import itertools
import textwrap
import tomllib
from pathlib import Path
from xml.sax.saxutils import escape

DOCS = Path(__file__).parent
PICTURE = DOCS / "pictures" / "rooms.svg"
WIDTH, HEIGHT, GAP, TITLE = 960, 74, 10, 40
PLAIN, FREE, KERAS = "#e8eef7", "#e6f4e6", "#fdf1dc"  # fills: usual, without TensorFlow, with Keras alone

# Each row from left to right: what the room is for.
ROWS: list[dict[str, str]] = [
    {"cli": "what the programs of apps/ share: flags, errors, exit codes"},
    {
        "explorer": "a page to play with",
        "papers": "every table and figure again",
        "tensorboard": "what TensorBoard shows",
        "serve": "SavedModels that explain; in bulk by Beam",
        "view": "pictures, pages, colours",
    },
    {
        "evaluate": "can one trust it: accuracy, faithfulness, dropping, the league",
        "features": "what units look for",
    },
    {"explain": "why it decided: one file a method, one contract, what they share in engine/"},
    {
        "training": "how a network is made",
        "pruning": "what it can lose",
        "models": "what is explained: PointNet, PointNet++, VRN, ResNet3D, presets, yours",
    },
    {
        "data": "what comes in: clouds, meshes, voxels, scans, procedural shapes",
        "results": "what was found, and its file",
        "storage": "files: whole or not at all, read without belief",
    },
]
LEGEND = ((PLAIN, "TensorFlow and Keras"), (KERAS, "Keras alone"), (FREE, "loads neither"))


def main() -> None:
    """Writes the picture."""
    PICTURE.write_text(drawn(), encoding="utf-8")


def drawn() -> str:
    """Returns the picture, SVG."""
    rooms = [room for row in ROWS for room in row]
    if rooms != _layers():
        raise SystemExit(f"pyproject.toml has the rooms {', '.join(_layers())}; describe them in ROWS")
    height = TITLE + len(ROWS) * (HEIGHT + GAP) + 30
    parts = [_text(GAP, 24, "Imports go down, and to the right within a row.", 15, weight="bold")]
    for number, row in enumerate(ROWS):
        unit = (WIDTH - GAP * (len(row) + 1)) / sum(map(_weight, row.values()))
        widths = [unit * _weight(what) for what in row.values()]
        lefts = itertools.accumulate((width + GAP for width in widths), initial=float(GAP))
        for (room, what), left, width in zip(row.items(), lefts, widths, strict=False):
            parts += _box(room, what, left, TITLE + number * (HEIGHT + GAP), width)
    for number, (fill, what) in enumerate(LEGEND):
        parts.append(_rectangle(GAP + number * 220, height - 26, 16, 16, fill))
        parts.append(_text(GAP + number * 220 + 24, height - 13, what, 13))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">'
    white = f'<rect width="{WIDTH}" height="{height}" fill="white"/>'
    return "\n".join([head, white, *parts, "</svg>", ""])


def _layers() -> list[str]:
    """Returns the rooms with modules of their own, in the order of the contract."""
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))
    contract = project["tool"]["importlinter"]["contracts"][0]["layers"]
    return [layer.removeprefix("tfxai3d.") for layer in contract if "|" not in layer]


def _weight(what: str) -> float:
    """Returns how wide a box is beside the others of its row."""
    return 12 + len(what) ** 0.9


def _box(room: str, what: str, left: float, top: float, width: float) -> list[str]:
    fill = {"pruning": KERAS, "view": FREE, "results": FREE, "storage": FREE}.get(room, PLAIN)
    lines = textwrap.wrap(what, int((width - 20) / 6.6))
    texts = [_text(left + 10, top + 44 + 16 * number, line, 13) for number, line in enumerate(lines)]
    heading = _text(left + 10, top + 24, room, 16, weight="bold")
    return [_rectangle(left, top, width, HEIGHT, fill), heading, *texts]


def _rectangle(left: float, top: float, width: float, height: float, fill: str) -> str:
    place = f'x="{left:.0f}" y="{top:.0f}" width="{width:.0f}" height="{height:.0f}"'
    return f'<rect {place} rx="6" fill="{fill}" stroke="#7a8699"/>'


def _text(x: float, y: float, text: str, size: int, weight: str = "normal") -> str:
    style = f'font-size="{size}" font-weight="{weight}" fill="#1c2430"'
    return f'<text x="{x:.0f}" y="{y:.0f}" {style}>{escape(text)}</text>'


if __name__ == "__main__":
    main()
