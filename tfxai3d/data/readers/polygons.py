"""What the readers of meshes share: lines of text, and polygons as triangles."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

CUT_OFF = "it is cut off or damaged, fetch or export it again"
"""What an error says of a file that does not hold what it declares."""


def text_lines(raw: bytes) -> list[str]:
    """Returns the lines of a text without comments, needless blanks and empty lines."""
    lines = (" ".join(line.split("#")[0].split()) for line in raw.decode("utf-8-sig", "replace").splitlines())
    return [line for line in lines if line]


def decimal_points(text: str) -> str:
    """Writes a comma between digits as a point: columns of these formats are separated by blanks."""
    return re.sub(r"(?<=\d),(?=\d)", ".", text)


def fans(polygons: np.ndarray) -> np.ndarray:
    """Cuts polygons (F,K) into fans of triangles, int64 (F*(K-2),3)."""
    if polygons.ndim != 2 or polygons.shape[1] < 3:
        return np.zeros((0, 3), np.int64)
    cut = [polygons[:, [0, corner, corner + 1]] for corner in range(1, polygons.shape[1] - 1)]
    return np.concatenate(cut).astype(np.int64)


def mixed_fans(polygons: Iterable[Sequence[int] | np.ndarray]) -> np.ndarray:
    """Cuts polygons of any numbers of corners into fans of triangles, int64 (T,3)."""
    cut = [(p[0], p[k], p[k + 1]) for p in polygons for k in range(1, len(p) - 1)]
    return np.array(cut, np.int64).reshape(-1, 3)
