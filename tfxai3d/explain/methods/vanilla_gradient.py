"""The vanilla gradient (Simonyan et al., 2014)."""

from typing import ClassVar

import tensorflow as tf

from tfxai3d.explain.engine.gradients import input_gradient
from tfxai3d.explain.engine.target import TargetTensor
from tfxai3d.explain.explainer import Explainer, Parts


class VanillaGradient(Explainer):
    """The gradient of the target's logit for the inputs, `G = df_c / dx`.

    The importance of a point is the length of its gradient, that of a voxel the absolute value.
    """

    method: ClassVar[str] = "vanilla_gradient"
    title: ClassVar[str] = "Vanilla gradient"

    def explain_batch(self, inputs: tf.Tensor, target: TargetTensor) -> Parts:
        """Returns the gradient."""
        gradient, scores = input_gradient(self.network, inputs, target)
        return Parts(gradient, self.network.layout.magnitude(gradient), scores)
