"""Feature magnitude: how much each point has to say before the bottleneck, in one forward pass."""

from typing import Any, ClassVar

import tensorflow as tf

from tfxai3d.explain.engine.endpoint_features import EndpointFeatures
from tfxai3d.explain.engine.gradients import attributions_of
from tfxai3d.explain.engine.target import TargetTensor
from tfxai3d.explain.explainer import Explainer, Parts


class FeatureMagnitude(Explainer):
    """The sum of each feature row's absolute values, `I_i = sum_k |A_ik|`, whatever the target.

    The soft form of feature-based importance ("Critical Points++"); `A` are the features of `GradCAM`.

    Args:
        model: A Keras model with an endpoint.
        layer: Name of the layer whose output are the features; for models that name no endpoint.
        **kwargs: Of `Explainer`.

    Raises:
        UserError: If there is no such layer, or its output are no features of points or voxels.
    """

    method: ClassVar[str] = "feature_magnitude"
    title: ClassVar[str] = "Feature magnitude"

    def __init__(self, model: Any, layer: str | None = None, **kwargs: Any):
        super().__init__(model, **kwargs)
        self.layer, self._features = layer, EndpointFeatures(self.network, model, layer)

    def options(self) -> dict[str, Any]:
        """Returns the layer, if one was named."""
        return {"layer": self.layer} if self.layer else {}

    def explain_batch(self, inputs: tf.Tensor, target: TargetTensor) -> Parts:
        """Returns the magnitude as importance, and repeated over the coordinates as attributions."""
        features, scores = self._features(inputs)
        heat = self._features.heat_on_inputs(self._magnitude(features), inputs)
        return Parts(attributions_of(heat, self.network.kind), heat, scores)

    def _magnitude(self, features: tf.Tensor) -> tf.Tensor:
        """Returns one number a feature row."""
        return tf.reduce_sum(tf.abs(features), axis=-1)
