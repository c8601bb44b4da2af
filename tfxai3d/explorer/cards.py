"""What the page draws: an object and its maps as cells that turn together, or a volume as slices."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.results.explanation import Explanation
from tfxai3d.view.page.document import canvas, encoded, packed
from tfxai3d.view.page.legend import bar
from tfxai3d.view.page.slices import MOST, packed_volume, volume_section
from tfxai3d.view.shown.colors import colormap_for, point_colors
from tfxai3d.view.shown.marks import Marks
from tfxai3d.view.shown.panel import BAR_LABEL, PLAIN, matter
from tfxai3d.view.shown.slices import sliced
from tfxai3d.view.shown.subject import left_out, subject

Goes = Callable[[Explanation], np.ndarray]
"""Returns when each place of an explained object goes, int (M,), as `Workbench.goes`."""
_ITSELF = "The object"
_SHOWN_VOXELS = 1 << 17  # cubes that a browser turns without delay


def cards(bare: Explanation, explanations: Sequence[Explanation], goes: Goes) -> tuple[str, dict[str, Any]]:
    """Returns the HTML of an object and of each of its maps, and what the viewer draws there.

    Args:
        bare: The object, as an explanation without importance.
        explanations: What methods say of it.
        goes: When the places go that they rate.

    Raises:
        UserError: If it cannot be drawn.
    """
    if bare.kind == "voxels" and int((bare.inputs > 0).sum()) > _SHOWN_VOXELS:
        raise UserError(f"more than {_SHOWN_VOXELS:,} voxels are not drawn as cubes; look at slices")
    itself = subject(bare, 0, "magma_r", inside=True).marks
    unit = bare.kind.removesuffix("s")
    marks, colors = [itself], [np.tile(PLAIN, (len(itself.centres), 1))]
    about: list[dict[str, Any]] = [{}]
    parts = [_card(_ITSELF, 0)]
    for number, one in enumerate(explanations, start=1):
        colormap = colormap_for(None, one.importance)
        shown = subject(one, 0, colormap, inside=True)
        top = max(map(abs, shown.limits))
        low, high = (limit / top for limit in shown.limits)
        marks.append(matter(shown.marks))  # what goes; the rest would stand before it
        colors.append(point_colors(marks[-1].importance / top, colormap, (low, high)))
        numbers = goes(one).reshape(one.importance.shape[1:])[tuple(marks[-1].places.T)]
        about.append({"top": top, "goes": encoded(numbers, "<i4"), "going": "goes as number"})
        scale = bar((low, high), BAR_LABEL, colormap, shown.beyond, 6, flat=True)
        parts.append(_card(one.title, number, scale, _drawn(one, marks[-1])))
    cells = packed(marks, colors, unit=unit, value="importance")
    del cells[0]["values"]
    return "\n".join(parts), {"cells": [cell | more for cell, more in zip(cells, about, strict=True)]}


def volume(bare: Explanation, explanations: Sequence[Explanation], goes: Goes) -> tuple[str, dict[str, Any]]:
    """Returns the same of a volume that is looked at in slices; without a map the volume alone.

    Raises:
        UserError: If it is too large.
    """
    if bare.importance.size > MOST:
        raise UserError(f"has {bare.importance.size:,} voxels, more than the {MOST:,} that the page shows")
    rows = [sliced(one, 0, None) for one in explanations or [dataclasses.replace(bare, method_title=_ITSELF)]]
    found = packed_volume(rows)
    for one, drawn in zip(explanations, found["maps"], strict=False):
        numbers = goes(one).reshape(one.importance.shape).astype(np.float32)
        turned = sliced(dataclasses.replace(one, importance=numbers), 0, "viridis").importance
        drawn["goes"] = encoded(turned, "<i4")  # along the axes of the volume
    return volume_section(0, rows[0].title, rows), {"volumes": [found]}


def _drawn(explanation: Explanation, marks: Marks) -> str:
    """Returns how much of the importance is drawn, in words, if it is not all."""
    total, inside = np.abs(explanation.importance).sum(), np.abs(marks.importance).sum()
    return left_out(float(inside / total) if total else 1.0).removeprefix("; ")


def _card(title: str, number: int, scale: str = "", note: str = "") -> str:
    answer = f'<small>{note}</small><div class="bars"></div>' if number else ""  # of what is left of it
    return f"<article><h2>{html.escape(title)}</h2>{canvas(number, title)}{scale}{answer}</article>"
