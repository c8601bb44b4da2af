"""The page itself: its one document, and what is drawn in it when an object is asked for."""

from __future__ import annotations

import dataclasses
import html
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfxai3d.explorer.cards import cards, volume
from tfxai3d.explorer.exhibits import Exhibit, Question
from tfxai3d.explorer.workbench import Workbench
from tfxai3d.results.explanation import Explanation
from tfxai3d.view.page import slices
from tfxai3d.view.page.document import document

_FOLDER = Path(__file__).parent
_GONE = (0.6, 0.6, 0.6, 0.28)  # removed points, the last number their opacity
_HOLE = (78, 66, 110)  # removed voxels in a slice
_HELP = "Point at a mark to read it. Drag to turn, Ctrl and scroll to zoom; press on a slice to go there."


@dataclasses.dataclass(frozen=True)
class Start:
    """What the page shows before any network is there.

    Attributes:
        networks: The names to choose from, the first one chosen.
        label: The class of the first object.
        exhibit: It, a cloud.
        methods: The methods that are chosen at first.
        up: The up axis that files are taken to have at first.
    """

    networks: Sequence[str]
    label: str
    exhibit: Exhibit
    methods: Sequence[str]
    up: str = "y"


def content(start: Start, token: str, most: int) -> str:
    """Returns the page, which takes uploads of at most so many bytes."""
    inputs = start.exhibit.inputs[None]
    nothing = np.zeros(inputs.shape[:2], np.float32)
    bare = Explanation(inputs, np.zeros_like(inputs), nothing, np.array([0]), np.zeros((1, 1)), "nothing", {})
    first, drawn = cards(bare, [], lambda _: np.empty(0, int))
    options = "".join(f"<option>{html.escape(name)}</option>" for name in start.networks)
    body = (_FOLDER / "explorer.html").read_text(encoding="utf-8")
    style = (_FOLDER / "explorer.css").read_text(encoding="utf-8")
    return document(
        title="tfxai3d explorer",
        style=f"\n{style}.volumes {{ {slices.STYLE} }}",
        body=body.replace("<!--networks-->", options).replace("<!--first-->", first),
        data={
            **drawn,
            **slices.DRAWN,
            "token": token,
            "most": most,
            "label": start.label,
            "methods": list(start.methods),
            "up": start.up,
            "gone": _GONE,
            "hole": _HOLE,
        },
        scripts=("viewer.js", "marks.js", "volume.js", _FOLDER / "explorer.js"),
        help=_HELP,
        served=True,
    )


def shown(
    workbench: Workbench, question: Question, methods: Sequence[str], first: str, in_slices: bool | None
) -> dict[str, Any]:
    """Returns an object with the maps of some methods as the page draws it, and what the network sees.

    Volumes of real values are always drawn in slices, other volumes if it is asked for; by default scans.
    """
    began = time.perf_counter()
    laid = workbench.laid(question)
    explanations = [workbench.explained(question, method) for method in methods]
    goes = {
        id(one): workbench.goes(question, method, first)
        for one, method in zip(explanations, methods, strict=True)
    }
    bare = laid.bare
    real = bare.kind == "voxels" and not bare.is_occupancy
    wanted = laid.exhibit.scan if in_slices is None else in_slices
    draw = volume if real or (bare.kind == "voxels" and wanted) else cards
    drawn, data = draw(bare, explanations, lambda one: goes[id(one)])
    return {
        "name": laid.exhibit.name,
        "target": bare.class_name(int(bare.target[0])),
        "answer": workbench.answer(question, bare.scores[0]),
        "kind": bare.kind,
        "count": int(laid.places.sum()),
        "most": laid.most,
        "slices": draw is volume,
        "real": real,
        "zero": [one.title for one in explanations if not one.importance.any()],
        "html": drawn,
        "seconds": round(time.perf_counter() - began, 3),
        **data,
    }
