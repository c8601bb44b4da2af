"""Critical points (Qi et al., CVPR 2017): the points that the max over the points keeps."""

from typing import Any, ClassVar

import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.methods.feature_magnitude import FeatureMagnitude


class CriticalPoints(FeatureMagnitude):
    """How many channels of the max over points each point wins, whatever the target.

    Points that are exactly equal in a channel share it; a channel that is 0 everywhere, because no point
    activates it, counts for none. For PointNet++ the centroids' counts are interpolated to the points.

    Args:
        model: A Keras model of points with an endpoint before a max over points.
        layer: Name of the layer whose output goes into the max; for models that name no endpoint.
        **kwargs: Of `Explainer`.

    Raises:
        UserError: If the model is not of points, or there is no such layer.
    """

    method: ClassVar[str] = "critical_points"
    title: ClassVar[str] = "Critical points"

    def __init__(self, model: Any, layer: str | None = None, **kwargs: Any):
        super().__init__(model, layer, **kwargs)
        if self.network.kind != "points":
            raise UserError(f"critical_points explains points, {self.network.name} takes {self.network.kind}")

    def _magnitude(self, features: tf.Tensor) -> tf.Tensor:
        top = tf.reduce_max(features, axis=1, keepdims=True)
        won = tf.cast((features == top) & (top != 0), features.dtype)
        return tf.reduce_sum(tf.math.divide_no_nan(won, tf.reduce_sum(won, axis=1, keepdims=True)), axis=-1)
