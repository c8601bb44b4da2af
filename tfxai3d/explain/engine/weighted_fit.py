"""Weighted least squares for scores of coalitions, with standard errors."""

import tensorflow as tf


def ridge(
    held: tf.Tensor, weights: tf.Tensor, scores: tf.Tensor, penalty: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Fits `intercept + sum of the coefficients of the units held`, the coefficients kept small.

    Minimises `sum_s w_s (v_s - c_0 - c . z_s)^2 + penalty |c|^2`.

    Args:
        held: Coalitions z, bool (S,M).
        weights: w (S,).
        scores: v (S,).
        penalty: Above 0.

    Returns:
        The coefficients and their standard errors, float64 (M,) each.
    """
    z, w, v = (tf.cast(some, tf.float64) for some in (held, weights, scores))
    z -= tf.reduce_sum(w[:, None] * z, axis=0) / tf.reduce_sum(w)
    v -= tf.reduce_sum(w * v) / tf.reduce_sum(w)
    normal = tf.matmul(z, w[:, None] * z, transpose_a=True) + penalty * tf.eye(tf.shape(z)[1], dtype=z.dtype)
    inverse = tf.linalg.inv(normal)
    found = tf.linalg.matvec(inverse, tf.linalg.matvec(z, w * v, transpose_a=True))
    return found, _error(inverse, z, w * (v - tf.linalg.matvec(z, found)))


def summing_to(
    held: tf.Tensor, weights: tf.Tensor, scores: tf.Tensor, start: tf.Tensor, gain: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Fits `start + sum of the values of the units held`, where all values add up to `gain` exactly.

    Args:
        held: Coalitions z, bool (S,M).
        weights: w (S,).
        scores: v (S,).
        start: The score of no unit.
        gain: The score of all units less that of none.

    Returns:
        The values and their standard errors, float64 (M,) each.
    """
    z, w, v, start, gain = (tf.cast(some, tf.float64) for some in (held, weights, scores, start, gain))
    inverse = tf.linalg.pinv(tf.matmul(z, w[:, None] * z, transpose_a=True))
    # With a Lagrange multiplier: from the free solution straight back to the plane of the right sum.
    rows = tf.reduce_sum(inverse, axis=1)
    back = rows / tf.reduce_sum(rows)
    projected = inverse - back[:, None] * rows
    found = tf.linalg.matvec(projected, tf.linalg.matvec(z, w * (v - start), transpose_a=True)) + back * gain
    return found, _error(projected, z, w * (v - start - tf.linalg.matvec(z, found)))


def _error(inverse: tf.Tensor, z: tf.Tensor, pull: tf.Tensor) -> tf.Tensor:
    """Returns the standard errors that hold whatever the spread of the residuals (White 1980).

    Args:
        inverse: Of the normal matrix (M,M).
        z: The regressors (S,M).
        pull: Each weight times its residual (S,).
    """
    return tf.sqrt(tf.reduce_sum(tf.linalg.matmul(pull[:, None] * z, inverse) ** 2, axis=0))
