"""Maxima over neighbours that are each there with some probability: balls, and nearest neighbours."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfxai3d.models.layers.neighbors import gather

Pool = Callable[[tf.Tensor, tf.Tensor, tf.Tensor | None], tf.Tensor]
"""Maps features (P,N,K), presences (P,M) and the rows' players (P,N) to what stands for the max, (P,K)."""


def max_over_neighbors(
    features: tf.Tensor,
    presence: tf.Tensor,
    player: tf.Tensor | None,
    index: tf.Tensor,
    pool: Pool,
    centre_stays: bool = False,
) -> tf.Tensor:
    """Returns the expected max (B,S,C) over the neighbours of each place.

    Neighbours of one player come and go together; the copies that fill a ball up are one point.

    Args:
        features: Of the neighbours (B,S,K,C).
        presence: The probability of each player (B,M).
        player: The player of each point (B,N), -1 for none; by default each is one.
        index: The points that are neighbours, int32 (B,S,K).
        pool: Computes the expected max.
        centre_stays: Whether the places are the points themselves (S = N): what the max over its neighbours
            is does not matter where a point itself is gone, so its player is there.
    """
    pools, slots, channels = tf.shape(index)[0] * tf.shape(index)[1], index.shape[2], features.shape[-1]
    of_points = tf.tile(tf.range(tf.shape(presence)[1])[None], (tf.shape(index)[0], 1))
    of_points = of_points if player is None else player
    who = tf.squeeze(gather(of_points[..., None], index), -1)
    there = tf.squeeze(gather(presence[..., None], tf.maximum(who, 0)), -1)
    # The neighbours are the players of their max: of those that come and go together, the first.
    together = tf.cast(who[..., :, None] == who[..., None, :], tf.int8)
    first = tf.argmax(together, axis=-1, output_type=tf.int32)
    always = who < 0
    if centre_stays:
        always |= who == of_points[..., None]
    best = pool(
        tf.reshape(features, (pools, slots, channels)),
        tf.reshape(there, (pools, slots)),
        tf.reshape(tf.where(always, -1, first), (pools, slots)),
    )
    return tf.reshape(best, (tf.shape(index)[0], tf.shape(index)[1], channels))


class NearestNeighbors:
    """The maxima over nearest neighbours in a Keras graph, as DGCNN's edge convolutions have them.

    A `keras.ops.top_k` of N rows finds the k nearest of each point, and the next `keras.ops.max` over k of
    them (B,N,k,C) is theirs. The neighbours stay those of the whole cloud, although points that come near
    enough take the places of those that go: this is an approximation of the game.

    Args:
        points: The number of points that the model is called with.
        presence: The probability of each player (B,M).
        player: The player of each point (B,N), -1 for none; by default each is one.
        pool: Computes the expected max.
        known: The neighbours of the whole cloud; None for the whole cloud itself.
    """

    def __init__(
        self,
        points: int | None,
        presence: tf.Tensor,
        player: tf.Tensor | None,
        pool: Pool,
        known: list[tf.Tensor] | None,
    ):
        self.found: list[tf.Tensor] = []
        self._points, self._presence, self._player, self._pool = points, presence, player, pool
        self._known = known

    def adjust(self, original: Any, copy: Any) -> None:
        """Changes the shadow of an operation of the graph, if it finds neighbours or is a max over them."""
        plain, kind = copy.call, type(original).__name__

        def find(x: tf.Tensor, *rest: Any, **options: Any) -> Any:
            values, index = plain(x, *rest, **options)
            if x.shape.rank != 3 or x.shape[1] != self._points:
                return values, index
            self.found.append(index if self._known is None else self._known[len(self.found)])
            return values, self.found[-1]

        def over(x: tf.Tensor, *rest: Any, **options: Any) -> tf.Tensor:
            near = self.found[-1] if self.found else None
            if near is None or x.shape.rank != 4 or x.shape[1:3] != near.shape[1:3]:
                return plain(x, *rest, **options)
            best = max_over_neighbors(x, self._presence, self._player, near, self._pool, centre_stays=True)
            return tf.expand_dims(best, 2) if original.keepdims else best

        if kind == "TopK":
            vars(copy)["call"] = find
        elif kind == "Max" and original.axis in (2, (2,), [2], -2, [-2], (-2,)):
            vars(copy)["call"] = over
