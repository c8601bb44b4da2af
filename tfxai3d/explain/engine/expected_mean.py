"""The mean over points that are each there with some probability, in closed form."""

from collections.abc import Callable

import tensorflow as tf


def expected_mean(features: tf.Tensor, presence: tf.Tensor, density: tf.Tensor) -> tf.Tensor:
    """Returns the expected mean over the rows when each is present with probability `density`, (P,K).

    A pool without rows is worth 0. With the mean m of all N rows, and m_i that of all but row i,

        E[mean] = (1 - (1 - q)^N) m
        dE[mean] / dp_i = (f_i - m_i) (1 - (1 - q)^N) / (N q)  +  (1 - q)^(N-1) m_i,

    the first factor of which is E[1 / (1 + number of others present)].

    Args:
        features: Values (P,N,K).
        presence: The probability of each row (P,N), all equal to `density`; the gradient for it is the
            derivative above.
        density: The probability q, a number in [0, 1].
    """

    @tf.custom_gradient
    def forward(
        features: tf.Tensor, presence: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
        q = tf.cast(density, features.dtype)
        rows = tf.cast(tf.shape(features)[1], features.dtype)
        some, mean = 1 - tf.pow(1 - q, rows), tf.reduce_mean(features, axis=1)

        def backward(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            of_features = tf.broadcast_to((some / rows * upstream)[:, None], tf.shape(features))
            row, total = tf.linalg.matvec(features, upstream), rows * tf.reduce_sum(mean * upstream, axis=1)
            others = tf.math.divide_no_nan(total[:, None] - row, rows - 1)
            shared = tf.where(q > 0, some / (rows * tf.maximum(q, 1e-30)), 1)
            return of_features, (row - others) * shared + others * tf.pow(1 - q, rows - 1)

        return some * mean, backward

    return forward(features, presence)
