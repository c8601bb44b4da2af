"""Feature magnitude: how much each point has to say before the bottleneck, in one forward pass."""

from typing import ClassVar

import tensorflow as tf

from tfxai3d.explain.engine.layer_explainer import LayerExplainer
from tfxai3d.explain.engine.target import TargetTensor


class FeatureMagnitude(LayerExplainer):
    """The sum of each feature row's absolute values, `I_i = sum_k |A_ik|`, whatever the target.

    The soft form of feature-based importance ("Critical Points++"); `A` are the features of
    `LayerExplainer`, whose arguments it takes.
    """

    method: ClassVar[str] = "feature_magnitude"
    title: ClassVar[str] = "Feature magnitude"

    def rate(self, inputs: tf.Tensor, target: TargetTensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the magnitude of each feature row, and the logits."""
        features, scores = self.features(inputs)
        return tf.reduce_sum(tf.abs(features), axis=-1), scores
