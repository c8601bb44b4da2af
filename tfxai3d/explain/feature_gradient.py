"""The gradient of a class score with respect to the endpoint's features, which the CAM family shares."""

import tensorflow as tf

from tfxai3d.explain.explainer import target_score
from tfxai3d.models.endpoint import Split


def feature_gradient(
    split: Split, inputs: tf.Tensor, target: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns features A (B,N,K), the gradient of the target's logit for them, and the logits (B,C)."""
    features = split.features(inputs)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(features)
        scores = split.head(features)
        score = target_score(scores, target)
    return features, tape.gradient(score, features), scores
