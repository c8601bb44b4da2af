"""Grad-CAM (Selvaraju et al., ICCV 2017) on the features of points or voxels."""

from typing import ClassVar

import tensorflow as tf

from tfxai3d.explain.engine.layer_explainer import LayerExplainer
from tfxai3d.explain.engine.target import TargetTensor


class GradCAM(LayerExplainer):
    """Heat of each feature row, `h_i = relu(sum_k alpha_k A_ik)` with `alpha_k = mean_i G_ik`.

    `A` are the features of `LayerExplainer`, whose arguments it takes; `G` is the gradient of the target's
    logit for them.
    """

    method: ClassVar[str] = "grad_cam"
    title: ClassVar[str] = "Grad-CAM"
    zero_because: ClassVar[str] = (
        "the features speak against the target everywhere, and the ReLU leaves nothing of that"
    )

    def rate(self, inputs: tf.Tensor, target: TargetTensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the heat of each feature row, and the logits."""
        features, gradient, scores = self.features.with_gradient(inputs, target)
        alpha = tf.reduce_mean(gradient, axis=list(range(1, len(features.shape) - 1)), keepdims=True)
        return tf.nn.relu(tf.reduce_sum(alpha * features, axis=-1)), scores
