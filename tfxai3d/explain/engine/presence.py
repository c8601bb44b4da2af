"""A point network as a function of the probability with which each of its points is there."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.expected_max import Order, expected_max, expected_max_of, order
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

    def orders(self, inputs: tf.Tensor) -> list[Order | None]:
        """Sorts once what goes into each max, or returns None for those that depend on an earlier max.

        Args:
            inputs: Clouds (B,N,3).

        Raises:
            UserError: If no max over the points was found.
        """
        presence, one = tf.ones_like(self._network.layout.places(inputs)), tf.ones([], inputs.dtype)
        seen: list[tf.Tensor] = []

        def sort_later(features: tf.Tensor, there: tf.Tensor) -> tf.Tensor:
            seen.append(features)
            return expected_max(features, there, one)

        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(presence)
            self._run(inputs, presence, sort_later)
        if not seen:
            raise UserError(
                f"{self._network.name} has no max over its points, through which Shapley values could be "
                "computed: a method that removes points, or gradients, must do"
            )
        return [order(some) if tape.gradient(some, presence) is None else None for some in seen]

    def __call__(
        self, inputs: tf.Tensor, presence: tf.Tensor, density: tf.Tensor, orders: list[Order | None]
    ) -> tf.Tensor:
        """Returns the logits (B,C) of clouds (B,N,3) whose points are present with a probability (B,N).

        Args:
            inputs: The clouds.
            presence: All equal to `density`; gradients flow to it.
            density: A number in [0, 1].
            orders: What `orders` returns for the inputs.
        """
        known = iter(orders)

        def pool(features: tf.Tensor, there: tf.Tensor) -> tf.Tensor:
            sorted_before = next(known)
            if sorted_before is None:
                return expected_max(features, there, density)
            return expected_max_of(sorted_before, there, density)

        return self._run(inputs, presence, pool)

    def _run(
        self, inputs: tf.Tensor, presence: tf.Tensor, pool: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    ) -> tf.Tensor:
        """Returns the logits with `pool` of features (P,N,K) and presences (P,N) for each max over points."""
        balls: list[tf.Tensor] = []
        filled = self._network.filled(inputs)

        def over_points(_: str, features: tf.Tensor) -> tf.Tensor:
            return pool(self._network.unfilled(features, inputs), presence)

        count = self._network.layout.places(filled).shape[1]

        def adjust(original: Any, copy: Any) -> None:
            plain = copy.call
            if isinstance(original, Group):
                vars(copy)["call"] = lambda points, centroids, index: (
                    balls.append(index) or plain(points, centroids, index)  # type: ignore[func-returns-value]
                )
            elif isinstance(original, NeighborMax):
                vars(copy)["call"] = lambda x, **_: (
                    max_over_balls(copy.features(x), presence, balls.pop(0), pool) if balls else plain(x)
                )
            elif not self._in_balls:
                replace_max(original, copy, count, over_points, self._network.data_format)

        with keras.StatelessScope():
            answer = shadow(self._model, adjust)(self._network.arguments(inputs), training=False)
        return self._network.scores(answer)


def max_over_balls(
    features: tf.Tensor,
    presence: tf.Tensor,
    index: tf.Tensor,
    pool: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
) -> tf.Tensor:
    """Returns the expected max (B,S,C) over the neighbours (B,S,K,C) of each centroid, numbered (B,S,K)."""
    shape = tf.shape(features)
    copies = tf.concat([tf.zeros_like(index[..., :1], tf.bool), index[..., 1:] == index[..., :1]], axis=-1)
    features = tf.where(
        copies[..., None], tf.zeros_like(features), features
    )  # 0, as after a ReLU, adds nothing
    there = tf.squeeze(gather(presence[..., None], index), -1)
    flat = tf.reshape(features, (-1, shape[2], features.shape[-1]))
    best = pool(flat, tf.reshape(there, (-1, shape[2])))
    return tf.reshape(best, (shape[0], shape[1], features.shape[-1]))
