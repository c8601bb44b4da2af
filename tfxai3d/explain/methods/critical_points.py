"""Critical points (Qi et al., CVPR 2017): the points that the max over the points keeps."""

from typing import ClassVar

import tensorflow as tf

from tfxai3d.explain.engine.layer_explainer import LayerExplainer
from tfxai3d.explain.engine.target import TargetTensor
from tfxai3d.results.explanation import DataKind


class CriticalPoints(LayerExplainer):
    """How many channels of the max over points each point wins, whatever the target.

    Points that are exactly equal in a channel share it; a channel that is 0 everywhere, because no point
    activates it, counts for none. For PointNet++ the centroids' counts are interpolated to the points.
    The arguments are those of `LayerExplainer`; the endpoint must come before a max over points.
    """

    method: ClassVar[str] = "critical_points"
    title: ClassVar[str] = "Critical points"
    kinds: ClassVar[tuple[DataKind, ...]] = ("points",)

    def rate(self, inputs: tf.Tensor, target: TargetTensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the channels that each feature row wins, and the logits."""
        features, scores = self.features(inputs)
        top = tf.reduce_max(features, axis=1, keepdims=True)
        won = tf.cast((features == top) & (top != 0), features.dtype)
        won = tf.math.divide_no_nan(won, tf.reduce_sum(won, axis=1, keepdims=True))
        return tf.reduce_sum(won, axis=-1), scores
