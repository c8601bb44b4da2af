"""VarGrad (Adebayo et al., 2018)."""

from typing import ClassVar

import tensorflow as tf

from tfxai3d.explain.engine.gradients import input_gradient
from tfxai3d.explain.engine.samples import sum_over_samples
from tfxai3d.explain.engine.target import TargetTensor, resolved
from tfxai3d.explain.explainer import Parts
from tfxai3d.explain.methods.smooth_grad import SmoothGrad


class VarGrad(SmoothGrad):
    """The variance of the gradients of noisy copies of the inputs; the arguments are those of SmoothGrad."""

    method: ClassVar[str] = "var_grad"
    title: ClassVar[str] = "VarGrad"
    zero_because: ClassVar[str] = "the gradient is the same at all noisy copies"

    def explain_batch(self, inputs: tf.Tensor, target: TargetTensor) -> Parts:
        """Returns the variance, divided by the number of samples."""
        # Differences from the gradient without noise: E[g^2] - E[g]^2 of g itself would lose its digits.
        centre, scores = input_gradient(self.network, inputs, target)
        target = resolved(target, scores)

        def contribution(example: tf.Tensor, sample: tf.Tensor) -> tf.Tensor:
            difference = self._noisy_gradient(inputs, target, example, sample) - tf.gather(centre, example)
            return tf.stack([difference, tf.square(difference)], axis=1)

        zeros = tf.zeros_like(tf.stack([inputs, inputs], axis=1))
        means = sum_over_samples(contribution, self.samples, self.batch_size, zeros) / self.samples
        variance = tf.nn.relu(means[:, 1] - tf.square(means[:, 0]))  # rounding may leave it below 0
        return Parts(variance, self.network.layout.magnitude(variance), scores)
