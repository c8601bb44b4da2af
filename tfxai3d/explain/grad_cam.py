"""Grad-CAM (Selvaraju et al., ICCV 2017) on the features of points."""

from typing import ClassVar

import keras
import tensorflow as tf

from tfxai3d.explain.explainer import Explainer, Parts
from tfxai3d.explain.feature_gradient import feature_gradient
from tfxai3d.models.endpoint import split


class GradCAM(Explainer):
    """Heat of each point, `h_i = relu(sum_k alpha_k A_ik)` with `alpha_k = mean_i G_ik`.

    `A` (N,K) are the features just before the max over the points and `G` the gradient of the target's
    logit with respect to them.

    Args:
        model: A model with the endpoint `point_features`.
        batch_size: The most examples the model ever sees at once.
    """

    method: ClassVar[str] = "grad_cam"

    def __init__(self, model: keras.Model, batch_size: int = 32):
        super().__init__(model, batch_size)
        self._split = split(model)

    def explain_batch(self, inputs: tf.Tensor, target: tf.Tensor) -> Parts:
        """Returns the heat as importance, and repeated over the coordinates as attributions."""
        features, gradient, scores = feature_gradient(self._split, inputs, target)
        alpha = tf.reduce_mean(gradient, axis=1, keepdims=True)
        heat = tf.nn.relu(tf.reduce_sum(alpha * features, axis=-1))
        return Parts(tf.repeat(heat[..., None], 3, axis=-1), heat, scores)
