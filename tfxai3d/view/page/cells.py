"""What a page holds of the marks of its cells, as `marks.js` reads it."""

import base64
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfxai3d.view.shown.marks import Marks, middle


def packed(marks: Sequence[Marks], colors: Sequence[np.ndarray], **about: Any) -> list[dict[str, Any]]:
    """Returns cells of marks that belong together: the viewer shows all of them at one scale.

    Each array is little-endian, compressed with zlib and written in base64. The centres stay in the
    original frame; "middle" and "reach" take them, with all of their marks, into the unit ball.

    Args:
        marks: The marks of each cell.
        colors: Red, green and blue in 0..1, (M,3) for each cell.
        **about: What a mark is called ("unit"), and what its value is called ("value").
    """
    centres = np.concatenate([some.centres for some in marks])
    centre = middle(centres)
    reach = (np.linalg.norm(centres - centre, axis=1) + np.concatenate([some.reach for some in marks])).max()
    return [
        {
            "shape": some.shape,
            "count": len(some.centres),
            "axes": some.places.shape[1],
            "middle": centre.tolist(),
            "reach": float(reach),
            "centres": encoded(some.centres, "<f4"),
            "sizes": encoded(some.sizes, "<f4"),
            "values": encoded(some.importance, "<f4"),
            "places": encoded(some.places, "<i4"),
            "colors": encoded(np.round(color * 255), "u1"),
        }
        | about
        for some, color in zip(marks, colors, strict=True)
    ]


def encoded(array: np.ndarray, kind: str) -> str:
    """Returns an array as base64 of its zlib-compressed numbers of a NumPy kind."""
    return base64.b64encode(zlib.compress(array.astype(kind).tobytes(), 9)).decode("ascii")
