"""Guided backpropagation (Springenberg et al., 2015)."""

from typing import ClassVar

from tfxai3d.explain.engine.modified_relu import BackwardRule
from tfxai3d.explain.methods.deconvnet import Deconvnet


class GuidedBackprop(Deconvnet):
    """The gradient that each ReLU passes back where it is above 0 and the ReLU's input is as well.

    An ELU or leaky ReLU follows the same two tests, so nothing passes where it bends down; a ReLU with a
    threshold or a largest value passes between the two. The arguments are those of Deconvnet.
    """

    method: ClassVar[str] = "guided_backprop"
    title: ClassVar[str] = "Guided backpropagation"
    rule: ClassVar[BackwardRule] = "guided"
