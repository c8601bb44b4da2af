"""Sums over many altered copies of each example, with memory for one batch only."""

from collections.abc import Callable

import tensorflow as tf


def sum_over_samples(
    contribution: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    samples: int | tf.Tensor,
    batch_size: int,
    zeros: tf.Tensor,
) -> tf.Tensor:
    """Sums `contribution` over the samples of each example.

    The pairs of example and sample are made in batches that know no border between examples, so that no
    batch is ever larger than `batch_size` and only the last is smaller.

    Args:
        contribution: Maps numbers of examples and of samples, both int32 (P,), to values (P,...).
        samples: Number of samples of each example.
        batch_size: The most pairs at once.
        zeros: Zeros (B,...), the shape and dtype of the result.
    """
    examples = tf.shape(zeros)[0]
    total = examples * samples

    def add(start: tf.Tensor, sums: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pair = tf.range(start, tf.minimum(start + batch_size, total))
        example = pair // samples
        part = tf.math.unsorted_segment_sum(contribution(example, pair % samples), example, examples)
        return start + batch_size, tf.ensure_shape(sums + part, sums.shape)

    return tf.while_loop(lambda start, _: start < total, add, (0, zeros), parallel_iterations=1)[1]
