"""Maxima over neighbours, and over centroids, that are each there with some probability."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfxai3d.models.layers.neighbors import gather
from tfxai3d.models.layers.set_abstraction import Centroids, Group, NeighborDense, NeighborMax
from tfxai3d.models.layers.shared_mlp import SharedDenseMax

Pool = Callable[[tf.Tensor, tf.Tensor, tf.Tensor | None], tf.Tensor]
"""Maps features (P,N,K), presences (P,M) and the rows' players (P,N) to what stands for the max, (P,K)."""


class NeighborPools:
    """Puts the expected max in the place of all maxima of a PointNet++, level by level.

    A centroid is a point: it is there if its point is, and in its own ball that point is there for sure. So a
    point counts by what it says in the balls of others and by the ball that it is the centre of, which goes
    with it. Centroids and neighbours stay those of the whole cloud.

    Args:
        presence: The probability of each player (B,M).
        player: The player of each point, int32 (B,N), -1 for points that are always there; by default each
            point is one.
        pool: Computes the expected max.
    """

    def __init__(self, presence: tf.Tensor, player: tf.Tensor | None, pool: Pool):
        self._presence, self._pool, self._single = presence, pool, player is None
        clouds, points = tf.unstack(tf.shape(presence))
        player = tf.tile(tf.range(points)[None], (clouds, 1)) if player is None else player
        self._points = player
        self._players: dict[Any, tf.Tensor] = {}  # of the centroids' places, by the tensor that holds them
        self._last = player
        self._balls: list[tuple[tf.Tensor, tf.Tensor]] = []

    def adjust(self, original: Any, copy: Any) -> None:
        """Makes the shadow of a layer of a set abstraction, or of the last max, take part."""
        plain = copy.call
        if isinstance(original, Centroids):
            vars(copy)["call"] = lambda points: self._choose(original, points)
        elif isinstance(original, Group):
            vars(copy)["call"] = lambda *places: plain(*self._entered(*places))
        elif isinstance(original, NeighborDense):
            vars(copy)["call"] = lambda x, **_: plain([x[0], *self._entered(*x[1:])])
        elif isinstance(original, NeighborMax):
            vars(copy)["call"] = lambda x, **_: self._max(copy.features(x), *self._balls.pop(0))
        elif isinstance(original, SharedDenseMax):
            vars(copy)["call"] = lambda x, **_: self._max_over_all(copy.features(x))

    def _of(self, places: tf.Tensor) -> tf.Tensor:
        """Returns the players of the points or centroids at these places."""
        return self._players.get(places.ref(), self._points)

    def _choose(self, layer: Centroids, points: tf.Tensor) -> tf.Tensor:
        index = layer.find(points)
        chosen = gather(points, index)
        self._last = self._players[chosen.ref()] = _looked_up(self._of(points), index)
        return chosen

    def _entered(self, points: tf.Tensor, centroids: tf.Tensor, index: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Returns what it got; notes who is in the balls of which the max comes next, and whose they are."""
        self._balls.append((_looked_up(self._of(points), index), self._of(centroids)))
        return points, centroids, index

    def _max(self, features: tf.Tensor, inside: tf.Tensor, owner: tf.Tensor) -> tf.Tensor:
        inside = tf.where(inside == owner[..., None], -1, inside)
        return max_over_neighbors(features, self._presence, inside, self._pool, self._single)

    def _max_over_all(self, features: tf.Tensor) -> tf.Tensor:
        last = self._last[:, None]
        return max_over_neighbors(features[:, None], self._presence, last, self._pool, self._single)[:, 0]


def max_over_neighbors(
    features: tf.Tensor, presence: tf.Tensor, player: tf.Tensor, pool: Pool, single: bool = False
) -> tf.Tensor:
    """Returns the expected max (B,S,C) over the neighbours of each centroid.

    Neighbours of one player come and go together; the copies that fill a ball up are one point.

    Args:
        features: Of the neighbours (B,S,K,C).
        presence: The probability of each player (B,M).
        player: The player of each neighbour, int32 (B,S,K), -1 for those that are always there.
        pool: Computes the expected max.
        single: Whether each player is one point, so that rows of one player are equal; this is faster.
    """
    clouds, balls, slots = tf.unstack(tf.shape(player))
    pools, channels = clouds * balls, features.shape[-1]
    there = tf.reshape(_looked_up(presence, tf.maximum(player, 0)), (pools, slots))
    # The neighbours are the players of their max: of those that come and go together, the first.
    together = tf.cast(player[..., :, None] == player[..., None, :], tf.int8)
    first = tf.argmax(together, axis=-1, output_type=tf.int32)
    first = tf.reshape(tf.where(player < 0, -1, first), (pools, slots))
    rows = tf.reshape(features, (pools, slots, channels))
    if single:
        sure = _max_of_the_sure(rows, first[..., None] < 0)
        alone = (first == tf.range(slots))[..., None]
        best = sure + pool(tf.nn.relu(tf.where(alone, rows - sure[:, None], 0)), there, None)
    else:
        best = pool(rows, there, first)
    return tf.reshape(best, (clouds, balls, channels))


def _max_of_the_sure(rows: tf.Tensor, sure: tf.Tensor) -> tf.Tensor:
    """Returns the max (P,C) over the rows (P,K,C) that are always there, without any what a pool is worth."""
    lowest = tf.minimum(tf.reduce_min(rows, axis=1, keepdims=True), 0)
    return tf.reduce_max(tf.where(sure, rows, lowest), axis=1)


def _looked_up(values: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Looks values (B,N) up by their numbers in each cloud, int32 (B,...)."""
    return tf.gather(values, index, batch_dims=1)
