"""The max over points that are each there with some probability, in closed form."""

import math
from collections.abc import Callable

import tensorflow as tf

_NEGLIGIBLE = math.log(1e-7)  # of the probability that all points above a rank are absent


def expected_max(features: tf.Tensor, presence: tf.Tensor, density: tf.Tensor) -> tf.Tensor:
    """Returns the expected maximum over the rows when each is present with probability `density`, (P,K).

    With the values of a channel sorted downwards, `f_(1) >= f_(2) >= ...`, and an empty pool worth 0 (or, of
    features below 0, the channel's lowest value),

        E[max] = sum_j q (1 - q)^(j-1) f_(j)
        dE[max] / dp_i = E[(f_i - max of the others present)_+]
                       = (1 - q)^(r-1) f_(r) - sum_{j>r} q (1 - q)^(j-2) f_(j),  r the rank of row i,

    which is the multilinear extension of Owen ("Multilinear extensions of games", Management Science 1972)
    of the game `max`. Only as many values are looked at as have a weight above 1e-7.

    Args:
        features: Values (P,N,K).
        presence: The probability of each row (P,N), all equal to `density`; the gradient for it is the
            derivative above.
        density: The probability q, a number in [0, 1].
    """
    lowest = tf.minimum(tf.reduce_min(features, axis=1, keepdims=True), 0)
    return tf.squeeze(lowest, 1) + _above_zero(features - lowest, presence, density)


def _above_zero(features: tf.Tensor, presence: tf.Tensor, density: tf.Tensor) -> tf.Tensor:
    """Returns `expected_max` of features that are not below 0."""

    @tf.custom_gradient
    def forward(
        features: tf.Tensor, presence: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
        rows, count, channels = tf.unstack(tf.shape(features))
        values, index = tf.math.top_k(tf.transpose(features, (0, 2, 1)), _ranks(density, count))
        q = tf.cast(density, features.dtype)
        rank = tf.range(tf.cast(tf.shape(values)[-1], features.dtype), dtype=features.dtype)
        absent = tf.pow(1 - q, rank)  # the probability that no row of a higher rank is present

        def backward(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            scale = upstream[..., None]
            below = tf.cumsum(
                q * tf.pow(1 - q, tf.maximum(rank - 1, 0)) * values, axis=-1, exclusive=True, reverse=True
            )
            pool = tf.range(rows * channels)[:, None] * count + tf.reshape(index, (rows * channels, -1))
            d_features = tf.math.unsorted_segment_sum(
                tf.reshape(q * absent * scale * tf.ones_like(values), (-1,)),
                tf.reshape(pool, (-1,)),
                rows * channels * count,
            )
            place = tf.range(rows)[:, None, None] * count + index
            d_presence = tf.math.unsorted_segment_sum(
                tf.reshape((absent * values - below) * scale, (-1,)), tf.reshape(place, (-1,)), rows * count
            )
            d_features = tf.transpose(tf.reshape(d_features, (rows, channels, count)), (0, 2, 1))
            return d_features, tf.reshape(d_presence, (rows, count))

        return tf.reduce_sum(q * absent * values, axis=-1), backward

    return forward(features, presence)


def _ranks(density: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Returns how many of the highest values count."""
    absence = tf.math.log1p(-tf.clip_by_value(tf.cast(density, tf.float64), 1e-9, 1 - 1e-9))
    needed = tf.cast(tf.math.ceil(_NEGLIGIBLE / absence), tf.int64)
    return tf.cast(tf.minimum(needed + 1, tf.cast(count, tf.int64)), tf.int32)
