"""p-grad-CAM (Struhs 2020): Grad-CAM that pools the gradient of each point over the channels."""

from typing import Any, ClassVar, Literal

import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.layer_explainer import LayerExplainer
from tfxai3d.explain.engine.target import TargetTensor

Pooling = Literal["max", "mean"]
_POOLINGS = {"max": tf.reduce_max, "mean": tf.reduce_mean}


class PGradCAM(LayerExplainer):
    """Heat of each feature row, `h_i = relu(pool_k G_ik * sum_k A_ik)`; `A` and `G` are those of GradCAM.

    In our networks the gradient of the max over points goes to the winning points (see `max_over_points`), so
    a point that wins no channel has no heat.

    Args:
        model: A Keras model with an endpoint.
        pooling: "max" (published) or "mean" over the channels.
        layer: Name of the layer whose output are the features; for models that name no endpoint.
        **kwargs: Of `Explainer`.

    Raises:
        UserError: If the pooling is unknown, there is no such layer, or its output are no features.
    """

    method: ClassVar[str] = "p_grad_cam"
    title: ClassVar[str] = "p-grad-CAM"
    zero_because: ClassVar[str] = (
        "the features speak against the target everywhere, and the ReLU leaves nothing of that"
    )

    def __init__(self, model: Any, pooling: Pooling = "max", layer: str | None = None, **kwargs: Any):
        if pooling not in _POOLINGS:
            raise UserError(f"pooling must be 'max' or 'mean', it is {pooling!r}")
        super().__init__(model, layer, **kwargs)
        self.pooling = pooling

    def options(self) -> dict[str, Any]:
        """Returns the pooling, and the layer, if one was named."""
        return {"pooling": self.pooling, **super().options()}

    def rate(self, inputs: tf.Tensor, target: TargetTensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the heat of each feature row, and the logits."""
        features, gradient, scores = self.features.with_gradient(inputs, target)
        pooled = _POOLINGS[self.pooling](gradient, axis=-1)
        return tf.nn.relu(pooled * tf.reduce_sum(features, axis=-1)), scores
