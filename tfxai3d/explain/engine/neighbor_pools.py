"""Maxima over neighbours that are each there with some probability."""

from collections.abc import Callable

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
) -> tf.Tensor:
    """Returns the expected max (B,S,C) over the neighbours of each centroid.

    Neighbours of one player come and go together; the copies that fill a ball up are one point.

    Args:
        features: Of the neighbours (B,S,K,C).
        presence: The probability of each player (B,M).
        player: The player of each point (B,N), -1 for none; by default each is one.
        index: The points that are neighbours, int32 (B,S,K).
        pool: Computes the expected max.
    """
    pools, slots, channels = tf.shape(index)[0] * tf.shape(index)[1], index.shape[2], features.shape[-1]
    of_points = tf.tile(tf.range(tf.shape(presence)[1])[None], (tf.shape(index)[0], 1))
    of_points = of_points if player is None else player
    who = tf.squeeze(gather(of_points[..., None], index), -1)
    there = tf.squeeze(gather(presence[..., None], tf.maximum(who, 0)), -1)
    # The neighbours are the players of their max: of those that come and go together, the first.
    together = tf.cast(who[..., :, None] == who[..., None, :], tf.int8)
    first = tf.argmax(together, axis=-1, output_type=tf.int32)
    best = pool(
        tf.reshape(features, (pools, slots, channels)),
        tf.reshape(there, (pools, slots)),
        tf.reshape(tf.where(who < 0, -1, first), (pools, slots)),
    )
    return tf.reshape(best, (tf.shape(index)[0], tf.shape(index)[1], channels))
