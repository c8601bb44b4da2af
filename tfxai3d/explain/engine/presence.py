"""A point network as a function of the probability with which each of its points is there."""

from typing import Any

import keras
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.expected_max import expected_max
from tfxai3d.explain.engine.max_pools import replace_max
from tfxai3d.explain.engine.network import Network
from tfxai3d.explain.engine.shadow import has_layer, shadow
from tfxai3d.models.layers.neighbors import gather
from tfxai3d.models.layers.set_abstraction import Group, NeighborMax


class PresenceNetwork:
    """The mean field of a network that sees its points through maxima alone.

    In the place of each max over the points stands the expected max, and all of them share one probability a
    point. That is exact where only a linear function follows the max; otherwise the pools are taken for
    independent of each other. Of PointNet++ the maxima over the balls of the first set abstraction are
    meant; centroids and neighbours stay those of the whole cloud, and the copies that fill a ball up count
    as the one point that they are.

    Args:
        network: What is explained.
        model: Its Keras model, which is left as it is.

    Raises:
        UserError: If the model is no Keras model of points.
    """

    def __init__(self, network: Network, model: Any):
        if network.kind != "points" or not isinstance(model, keras.Model):
            raise UserError(
                f"{network.name} must be a Keras model of points: the max over them is looked for inside"
            )
        self._network, self._model, self._in_balls = network, model, has_layer(model, Group)

    def __call__(self, inputs: tf.Tensor, presence: tf.Tensor, density: tf.Tensor) -> tf.Tensor:
        """Returns the logits (B,C) of clouds (B,N,3) whose points are present with a probability (B,N).

        Args:
            inputs: The clouds.
            presence: All equal to `density`; gradients flow to it.
            density: A number in [0, 1].

        Raises:
            UserError: If no max over the points was found.
        """
        balls: list[tf.Tensor] = []
        pools: list[str] = []

        filled = self._network.filled(inputs)

        def over_points(name: str, features: tf.Tensor) -> tf.Tensor:
            pools.append(name)
            return expected_max(self._network.unfilled(features, inputs), presence, density)

        def over_balls(name: str, features: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
            pools.append(name)
            return max_over_balls(features, presence, density, index)

        def adjust(original: Any, copy: Any) -> None:
            name, plain = original.name, copy.call
            if isinstance(original, Group):
                vars(copy)["call"] = lambda points, centroids, index: (
                    balls.append(index) or plain(points, centroids, index)  # type: ignore[func-returns-value]
                )
            elif isinstance(original, NeighborMax):
                vars(copy)["call"] = lambda x, **_: (
                    over_balls(name, copy.features(x), balls.pop(0)) if balls else plain(x)
                )
            elif not self._in_balls:
                replace_max(original, copy, filled.shape[1], over_points)

        with keras.StatelessScope():
            answer = shadow(self._model, adjust)(filled, training=False)
        if not pools:
            raise UserError(
                f"{self._network.name} has no max over its points, through which Shapley values could be "
                "computed: a method that removes points, or gradients, must do"
            )
        return self._network.scores(answer)


def max_over_balls(
    features: tf.Tensor, presence: tf.Tensor, density: tf.Tensor, index: tf.Tensor
) -> tf.Tensor:
    """Returns the expected max (B,S,C) over the neighbours (B,S,K,C) of each centroid, numbered (B,S,K)."""
    shape = tf.shape(features)
    copies = tf.concat([tf.zeros_like(index[..., :1], tf.bool), index[..., 1:] == index[..., :1]], axis=-1)
    features = tf.where(
        copies[..., None], tf.zeros_like(features), features
    )  # 0, as after a ReLU, adds nothing
    there = tf.squeeze(gather(presence[..., None], index), -1)
    flat = tf.reshape(features, (-1, shape[2], features.shape[-1]))
    best = expected_max(flat, tf.reshape(there, (-1, shape[2])), density)
    return tf.reshape(best, (shape[0], shape[1], features.shape[-1]))
