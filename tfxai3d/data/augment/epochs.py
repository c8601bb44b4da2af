"""What epochs of clouds and of grids share: augmentations in a row, and shuffled batches, all by seed."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError

Transform = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""Maps a batch and a seed, int (2,), to a new batch; equal seeds give equal results, whatever ran before."""


def compose(known: Mapping[str, Transform], names: Sequence[str]) -> Transform:
    """Returns the transform that applies the named ones in order, each with a seed of its own."""
    if unknown := [name for name in names if name not in known]:
        raise UserError(f"unknown augmentation {unknown[0]!r}; known are {', '.join(known)}")

    def apply(batch: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        for i, name in enumerate(names):
            batch = known[name](batch, seed + tf.constant([i + 1, 0], seed.dtype))
        return batch

    return apply


def shuffled_batches(
    make: Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
    count: int,
    *,
    num_classes: int,
    batch_size: int,
    seed: tuple[int, int],
) -> tf.data.Dataset:
    """Returns the batches of one epoch in random order, inputs and one-hot labels; see `training_batches`.

    `make` makes the inputs of a batch and their classes, given the numbers of its examples, of which there
    are `count`, and its seed, int64 (2,).
    """
    order = np.random.default_rng(seed).permutation(count)
    run_seed = tf.constant([seed[0] * 7919 + seed[1] * 104729, 0], tf.int64)

    def load(step: tf.Tensor, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        inputs, classes = make(index, run_seed + tf.stack([tf.zeros_like(step), step]))
        return inputs, tf.one_hot(classes, num_classes)

    batches = tf.data.Dataset.from_tensor_slices(order).batch(batch_size, drop_remainder=True)
    return batches.enumerate().map(load, num_parallel_calls=1).prefetch(2)
