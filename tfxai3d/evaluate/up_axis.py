"""Whether an object lies on its side for the network: the usual mistake with files of one's own."""

from typing import Any, NamedTuple

import numpy as np

from tfxai3d import data
from tfxai3d.evaluate.classification import Classification


class OtherAxisUp(NamedTuple):
    """What a network makes of an object that was turned upright."""

    label: int  # the class that it sees then
    probability: float  # probability of that class
    before: float  # the highest probability of any class for the object as it is


def surer_with_other_axis_up(model: Any, points: np.ndarray, scores: np.ndarray) -> OtherAxisUp | None:
    """Returns what the network sees with the axes y and z exchanged, if it is surer then; None if it is not.

    Args:
        model: Maps points (B,N,3) to logits (B,C).
        points: The object (N,3).
        scores: Its logits as it is, (C,).
    """
    rotated = data.z_up_to_y_up(points)  # its own inverse
    both = np.concatenate([scores[None], np.asarray(model(rotated[None], training=False))])
    before, after = Classification(both, np.zeros(2, int)).probabilities
    if after.max() <= before.max():
        return None
    return OtherAxisUp(int(after.argmax()), float(after.max()), float(before.max()))
