"""What is drawn: one example of an explanation, checked, with its captions."""

import dataclasses
import textwrap

import numpy as np

from tfxai3d.data.orientation import z_up_to_y_up
from tfxai3d.errors import UserError
from tfxai3d.results.explanation import Explanation
from tfxai3d.view.shown.colors import Colormap, color_range
from tfxai3d.view.shown.marks import Marks, point_marks, voxel_marks


@dataclasses.dataclass(frozen=True)
class Subject:
    """One example to draw."""

    marks: Marks  # the balls or cubes
    limits: tuple[float, float]  # the importance at both ends of the colours
    extremes: tuple[float, float]  # the lowest and the highest importance
    title: str  # which class was explained, and its score
    subtitle: str  # the method and the number of points or voxels
    drawn: float  # the fraction of the |importance| that the marks have; 1 where there is none

    @property
    def beyond(self) -> tuple[bool, bool]:
        """Whether there is importance below and above the limits."""
        return self.extremes[0] < self.limits[0], self.extremes[1] > self.limits[1]


def subject(
    explanation: Explanation,
    index: int,
    colormap: Colormap,
    title: str | None = None,
    *,
    inside: bool = False,
) -> Subject:
    """Takes example `index` out of an explanation; a UserError if it is empty, not finite, or not there.

    Voxels that others hide have marks if what is `inside` is asked for.
    """
    if not 0 <= index < len(explanation):
        raise UserError(f"example {index}: the explanation has examples 0 to {len(explanation) - 1}")
    kind, inputs = explanation.kind, np.asarray(explanation.channels[index], dtype=np.float64)
    importance = np.asarray(explanation.importance[index], dtype=np.float64)
    if kind == "points":
        inputs = inputs[:, :3]  # the features have no place
        inputs = z_up_to_y_up(inputs) if explanation.up == "z" else inputs
    if inputs.shape[:-1] != importance.shape or inputs.ndim != (2 if kind == "points" else 4):
        raise UserError(f"example {index}: {inputs.shape} are no {kind} of importance {importance.shape}")
    if not inputs.any() or not np.isfinite(inputs).all():
        raise UserError(f"example {index}: the {kind} are empty, NaN or infinite and cannot be drawn")
    limits = color_range(importance.ravel(), colormap)
    method = one_line(explanation.title)
    if kind == "points":
        marks, said = point_marks(inputs, importance), f"{method}, {len(inputs):,} points"
    else:
        # Of a volume of real values no voxel is empty, and none is matter that hides others.
        occupied = np.any(inputs > 0, axis=-1) & explanation.is_occupancy
        # Not the limits: green_red's end at the median.
        marks = voxel_marks(occupied, importance, max(map(abs, color_range(importance.ravel()))), inside)
        said = f"{method}, {occupied.sum() or occupied.size:,} voxels{_in_empty_space(occupied, importance)}"
    total, inside = np.abs(importance).sum(), np.abs(marks.importance).sum()
    drawn = float(inside / total) if total else 1.0
    return Subject(
        marks=marks,
        limits=limits,
        extremes=(float(importance.min()), float(importance.max())),
        title=one_line(title if title is not None else caption(explanation, index)),
        subtitle=one_line(said + left_out(drawn), 130),
        drawn=drawn,
    )


def caption(explanation: Explanation, index: int) -> str:
    """Returns which class was explained and its score, and the predicted class where it is another."""
    name, scores = explanation.class_name, explanation.scores[index]
    target, predicted = int(explanation.target[index]), int(explanation.predicted[index])
    said = f"{name(target)} (score {scores[target]:.2f})"
    if explanation.against is not None:
        other = int(explanation.against[index])
        said += f" rather than {name(other)} ({scores[other]:.2f})"
    return said if target == predicted else f"{said}, predicted {name(predicted)}"


def left_out(*drawn: float) -> str:
    """Returns how much of the importance of each method is drawn, where it is not all."""
    said = ", ".join(f"{share:.0%}" for share in drawn)
    return f"; {said} of the importance drawn" if min(drawn) < 0.995 else ""


def one_line(text: str, most: int = 90) -> str:
    """Returns a text without line breaks and control characters, shortened to so many characters."""
    return textwrap.shorten("".join(c if c.isprintable() else " " for c in text), most, placeholder=" …")


def _in_empty_space(occupied: np.ndarray, importance: np.ndarray) -> str:
    total, outside = np.abs(importance).sum(), np.abs(importance)[~occupied].sum()
    if not outside or not occupied.any():
        return ""
    return f"; {outside / total:.0%} of the importance in empty space (small cubes)"
