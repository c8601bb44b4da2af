"""Whether an object lies on its side for the network: the usual mistake with files of one's own."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfxai3d.data.orientation import with_other_axis_up
from tfxai3d.explain.engine.network import network
from tfxai3d.results import heads


class OtherAxisUp(NamedTuple):
    """What a network makes of an object that was turned upright."""

    label: int  # the class that it sees then
    probability: float  # probability of that class
    before: float  # the highest probability of any class for the object as it is


def surer_with_other_axis_up(model: Any, points: np.ndarray, scores: np.ndarray) -> OtherAxisUp | None:
    """Returns what the network sees with the axes y and z exchanged, if it is surer then; None if it is not.

    Args:
        model: Maps points (B,N,3) to scores of classes; whatever an explainer takes.
        points: The object (N,3), or (N,3+F), whose normals turn as well.
        scores: Its scores as it is, (C,).
    """
    rotated = with_other_axis_up(points)
    net = network(model, "points")
    net.settle(rotated[None])
    both = np.concatenate(
        [scores[None], np.asarray(net.scores(net.reading.answer(tf.constant(rotated[None], net.dtype))))]
    )
    before, after = heads.probabilities(both, net.head)
    if after.max() <= before.max():
        return None
    return OtherAxisUp(int(after.argmax()), float(after.max()), float(before.max()))
