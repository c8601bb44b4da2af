"""p-grad-CAM (Struhs 2020): Grad-CAM that pools the gradient of each point over the channels."""

from typing import Any, ClassVar, Literal

import keras
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.explainer import Explainer, Parts
from tfxai3d.explain.feature_gradient import feature_gradient
from tfxai3d.models.endpoint import split

Pooling = Literal["max", "mean"]
_POOLINGS = {"max": tf.reduce_max, "mean": tf.reduce_mean}


class PGradCAM(Explainer):
    """Heat of each point, `h_i = relu(pool_k G_ik * sum_k A_ik)`.

    `A` (N,K) are the features just before the max over the points, `G` the gradient of the target's
    logit with respect to them. The gradient of the max goes to the winning points (see
    `tfxai3d.models.split`), so a point that wins no channel has no heat.

    Args:
        model: A model with the endpoint `point_features`.
        pooling: "max" (published) or "mean" over the channels.
        batch_size: The most examples the model ever sees at once.
    """

    method: ClassVar[str] = "p_grad_cam"

    def __init__(self, model: keras.Model, pooling: Pooling = "max", batch_size: int = 32):
        if pooling not in _POOLINGS:
            raise UserError(f"pooling must be 'max' or 'mean', it is {pooling!r}")
        super().__init__(model, batch_size)
        self.pooling = pooling
        self._split = split(model)

    def options(self) -> dict[str, Any]:
        """Returns the pooling."""
        return {"pooling": self.pooling}

    def explain_batch(self, inputs: tf.Tensor, target: tf.Tensor) -> Parts:
        """Returns the heat as importance, and repeated over the coordinates as attributions."""
        features, gradient, scores = feature_gradient(self._split, inputs, target)
        weight = _POOLINGS[self.pooling](gradient, axis=-1)
        heat = tf.nn.relu(weight * tf.reduce_sum(features, axis=-1))
        return Parts(tf.repeat(heat[..., None], 3, axis=-1), heat, scores)
