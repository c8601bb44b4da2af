"""Grad-CAM (Selvaraju et al., ICCV 2017) on the features of points or voxels."""

from typing import Any, ClassVar

import tensorflow as tf

from tfxai3d.explain.engine.endpoint_features import EndpointFeatures
from tfxai3d.explain.engine.gradients import attributions_of
from tfxai3d.explain.engine.target import TargetTensor
from tfxai3d.explain.explainer import Explainer, Parts


class GradCAM(Explainer):
    """Heat of each feature row, `h_i = relu(sum_k alpha_k A_ik)` with `alpha_k = mean_i G_ik`.

    `A` are the endpoint's features, PointNet's and PointNet++'s just before the max over points, VRN's last
    feature map; `G` is the gradient of the target's logit for them. Heat of centroids and of coarse voxels is
    interpolated to points and voxels.

    Args:
        model: A Keras model with an endpoint.
        layer: Name of the layer whose output are the features; for models that name no endpoint.
        **kwargs: Of `Explainer`.

    Raises:
        UserError: If there is no such layer, or its output are no features of points or voxels.
    """

    method: ClassVar[str] = "grad_cam"
    title: ClassVar[str] = "Grad-CAM"

    def __init__(self, model: Any, layer: str | None = None, **kwargs: Any):
        super().__init__(model, **kwargs)
        self.layer, self._features = layer, EndpointFeatures(self.network, model, layer)

    def options(self) -> dict[str, Any]:
        """Returns the layer, if one was named."""
        return {"layer": self.layer} if self.layer else {}

    def explain_batch(self, inputs: tf.Tensor, target: TargetTensor) -> Parts:
        """Returns the heat as importance, and repeated over the coordinates as attributions."""
        features, gradient, scores = self._features.with_gradient(inputs, target)
        heat = self._features.heat_on_inputs(self._heat(features, gradient), inputs)
        return Parts(attributions_of(heat, self.network.kind), heat, scores)

    def _heat(self, features: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
        """Returns one number a feature row."""
        rows = list(range(1, len(features.shape) - 1))
        alpha = tf.reduce_mean(gradient, axis=rows, keepdims=True)
        return tf.nn.relu(tf.reduce_sum(alpha * features, axis=-1))
