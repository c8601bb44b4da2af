"""What a page holds of the marks of its cells, as `marks.js` reads it."""

import base64
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfxai3d.view.shown.marks import Marks, middle


def packed(marks: Sequence[Marks], colors: Sequence[np.ndarray], **about: Any) -> list[dict[str, Any]]:
    """Returns cells of marks that belong together, with colours (M,3): the viewer shows them at one scale.

    The centres stay in the original frame; "middle" and "reach" take them, with all of their marks, into the
    unit ball. `about` says what a mark is called ("unit"), and its value ("value").
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
