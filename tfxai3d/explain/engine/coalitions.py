"""Random coalitions of units, and the mean of independent samples."""

import tensorflow as tf


def halves(count: int, players: tf.Tensor, seed: int) -> tf.Tensor:
    """Returns coalitions, bool (count,M), that hold each unit with probability 1/2."""
    return _uniform((count, players), seed) < 0.5


def orders(count: int | tf.Tensor, players: tf.Tensor, seed: int) -> tf.Tensor:
    """Returns random orders: the rank of each unit, int32 (count,M)."""
    return tf.argsort(tf.argsort(_uniform((count, players), seed), axis=1), axis=1)


def sizes(count: int, weights: tf.Tensor, seed: int) -> tf.Tensor:
    """Returns numbers from 1, int32 (count,), drawn in proportion to weights, float64, of 1, 2, ..."""
    ends = tf.cumsum(weights) / tf.reduce_sum(weights)
    drawn = tf.searchsorted(ends, _uniform((count,), seed, stream=1), side="right")
    return 1 + tf.minimum(drawn, tf.size(weights) - 1)


def mean_and_error(samples: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the mean of independent samples (S,M) and its standard error, (M,) each."""
    count = tf.cast(tf.shape(samples)[0], samples.dtype)
    mean = tf.reduce_mean(samples, axis=0)
    variance = tf.reduce_sum((samples - mean) ** 2, axis=0) / (count - 1)
    return mean, tf.sqrt(variance / count)


def _uniform(shape: tuple[int | tf.Tensor, ...], seed: int, stream: int = 0) -> tf.Tensor:
    # A named algorithm, because the default depends on the device.
    return tf.random.stateless_uniform(shape, [seed, stream], dtype=tf.float64, alg="philox")
