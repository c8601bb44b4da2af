"""What is drawn: one example of an explanation, checked, with its captions."""

import dataclasses
import textwrap
from typing import TYPE_CHECKING

import numpy as np

from tfxai3d.errors import UserError

if TYPE_CHECKING:
    from tfxai3d.explain.explanation import Explanation

_METHOD_NAMES = {"p_grad_cam": "p-grad-CAM", "grad_cam": "Grad-CAM"}


@dataclasses.dataclass(frozen=True)
class Subject:
    """One example to draw.

    Attributes:
        points: float64 (N,3), y up.
        importance: float64 (N,).
        title: Which class was explained, and its score.
        subtitle: The method and the number of points.
        heat: What the colour bar shows.
    """

    points: np.ndarray
    importance: np.ndarray
    title: str
    subtitle: str
    heat: str


def subject(explanation: "Explanation", index: int, title: str | None = None) -> Subject:
    """Takes example `index` out of an explanation of points.

    Raises:
        UserError: If there is no such example, or it is not a cloud of finite points.
    """
    if explanation.kind != "points":
        raise UserError(f"this view draws points, the explanation is of {explanation.kind}")
    if not 0 <= index < len(explanation):
        raise UserError(f"example {index}: the explanation has examples 0 to {len(explanation) - 1}")
    points = np.asarray(explanation.inputs[index], dtype=np.float64)
    if not points.size or not np.isfinite(points).all():
        raise UserError(f"example {index}: the points are empty, NaN or infinite and cannot be drawn")
    method = _METHOD_NAMES.get(explanation.method, explanation.method.replace("_", " "))
    return Subject(
        points=points,
        importance=np.asarray(explanation.importance[index], dtype=np.float64),
        title=_one_line(title if title is not None else _title(explanation, index)),
        subtitle=_one_line(f"{method}, {len(points):,} points"),
        heat=_one_line(f"{method} heat"),
    )


def _title(explanation: "Explanation", index: int) -> str:
    target, predicted = int(explanation.target[index]), int(explanation.predicted[index])
    title = f"{explanation.class_name(target)} (score {explanation.scores[index, target]:.2f})"
    if target != predicted:
        title += f", predicted {explanation.class_name(predicted)}"
    return title


def _one_line(text: str) -> str:
    return textwrap.shorten("".join(c if c.isprintable() else " " for c in text), 90, placeholder=" …")
