"""Gradient times input (Shrikumar et al., 2016), "masked vanilla" for voxels (Gupta et al., 2020)."""

from typing import ClassVar

import tensorflow as tf

from tfxai3d.explain.engine.gradients import input_gradient
from tfxai3d.explain.engine.target import TargetTensor
from tfxai3d.explain.explainer import Explainer, Parts


class GradientTimesInput(Explainer):
    """The gradient times the inputs, `G * x`; an empty voxel gets exactly 0.

    A point's or voxel's importance is their sum: what is positive speaks for the target.
    """

    method: ClassVar[str] = "gradient_times_input"
    title: ClassVar[str] = "Gradient × input"  # noqa: RUF001

    def explain_batch(self, inputs: tf.Tensor, target: TargetTensor) -> Parts:
        """Returns the product."""
        gradient, scores = input_gradient(self.network, inputs, target)
        product = gradient * inputs
        return Parts(product, self.network.layout.contribution(product), scores)
