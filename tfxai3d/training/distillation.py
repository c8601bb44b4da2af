"""Labels from a teacher: what a large network says of an example, for a small one to learn."""

from typing import TYPE_CHECKING

import keras

if TYPE_CHECKING:
    import tensorflow as tf


def soften_labels(
    batches: "tf.data.Dataset", teacher: keras.Model, fraction: float = 0.9
) -> "tf.data.Dataset":
    """Mixes one-hot labels with the teacher's probabilities of the same, augmented, examples.

    Cross-entropy against the mixture is the distillation loss of Hinton, Vinyals and Dean, "Distilling the
    Knowledge in a Neural Network" (2015), at temperature 1. That teacher and pupil see the same view of an
    example is from Beyer et al., "Knowledge distillation: a good teacher is patient and consistent" (CVPR
    2022).

    Args:
        batches: Inputs and one-hot labels (B,C).
        teacher: Maps the inputs to logits (B,C); its dropout is off.
        fraction: The teacher's part of the mixture; the rest is the label's.

    Returns:
        The same inputs, and labels (B,C) that sum to one.
    """

    def mix(inputs: "tf.Tensor", labels: "tf.Tensor") -> "tuple[tf.Tensor, tf.Tensor]":
        probabilities = keras.ops.softmax(teacher(inputs, training=False))
        return inputs, (1 - fraction) * labels + fraction * keras.ops.cast(probabilities, labels.dtype)

    return batches.map(mix, num_parallel_calls=1).prefetch(2)
