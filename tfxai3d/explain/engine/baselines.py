"""Where paths to the inputs begin: a number, one array, a distribution of arrays, or the empty grid."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.network import Network
from tfxai3d.explain.engine.samples import sum_over_samples
from tfxai3d.explain.engine.target import TargetTensor, rows, target_score


class Baselines:
    """Baselines of any of the four forms, as arrays (K,...).

    Args:
        value: A number for all coordinates or voxels; one array, of the shape of an example or one that
            broadcasts to it; several examples, with one axis more; or "empty", the grid without a voxel.
        network: What is explained.

    Raises:
        UserError: If the value is none of these.
    """

    def __init__(self, value: Any, network: Network):
        self._rank = network.layout.ranks[0]
        if isinstance(value, str):
            if value != "empty" or network.kind != "voxels":
                raise UserError(
                    f"baseline must be numbers, or 'empty' for voxels; for {network.kind} it is {value!r}"
                )
            value = 0.0
        try:
            self.values = np.asarray(value, network.dtype)
        except (TypeError, ValueError) as error:
            raise UserError("baseline must be a number or an array of numbers") from error
        if not np.isfinite(self.values).all() or not self.values.size or self.values.ndim > self._rank + 1:
            raise UserError(
                f"baseline must be finite, with {self._rank} axes for one example of {network.kind} or "
                f"{self._rank + 1} for several; its shape is {self.values.shape}"
            )

    def __len__(self) -> int:
        return len(self.values) if self.values.ndim > self._rank else 1

    def describe(self) -> Any:
        """Returns the number, or the array's form in words; JSON-compatible."""
        if not self.values.ndim:
            return float(self.values)
        return ("distribution " if self.values.ndim > self._rank else "array ") + str(self.values.shape)

    def check(self, inputs: np.ndarray) -> None:
        """Raises a UserError unless the baselines fit inputs (B,...)."""
        item = self.values.shape[-self._rank :] if self.values.ndim else ()
        try:
            fits = np.broadcast_shapes(item, inputs.shape[1:]) == inputs.shape[1:]
        except ValueError:
            fits = False
        if not fits:
            raise UserError(f"baseline of shape {self.values.shape} does not fit examples {inputs.shape[1:]}")

    def like(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the baselines (K,...), each of the shape of an example."""
        values = tf.constant(self.values, inputs.dtype)
        missing = len(inputs.shape) - self.values.ndim
        values = tf.reshape(values, [1] * missing + list(self.values.shape)) if missing > 0 else values
        return tf.broadcast_to(values, tf.concat([[len(self)], tf.shape(inputs)[1:]], axis=0))


def score_gain(
    network: Network, baselines: tf.Tensor, target: TargetTensor, scores: tf.Tensor, batch_size: int
) -> tf.Tensor:
    """Returns each example's target score minus its mean over the baselines, (B,).

    Args:
        network: What is explained.
        baselines: Baselines (K,...).
        target: Resolved targets of B examples.
        scores: Their logits (B,C).
        batch_size: The most baselines at once.
    """
    examples, count = tf.shape(scores)[0], tf.shape(baselines)[0]
    zeros = tf.zeros(tf.concat([[count], tf.shape(scores)[1:]], axis=0), scores.dtype)
    of_baselines = sum_over_samples(
        lambda number, _: network(tf.gather(baselines, number)), 1, batch_size, zeros
    )
    every = tf.repeat(tf.range(examples), count)
    each = tf.gather(of_baselines, tf.tile(tf.range(count), [examples]))
    pairs = target_score(tf.ensure_shape(each, scores.shape), rows(target, every))
    return target_score(scores, target) - tf.reduce_mean(tf.reshape(pairs, [examples, count]), axis=1)


def convergence_delta(attributions: tf.Tensor, gain: tf.Tensor) -> tf.Tensor:
    """Returns the sum of each example's attributions minus what they should sum to, the gain, (B,)."""
    total = tf.reduce_sum(attributions, axis=list(range(1, len(attributions.shape))))
    return total - tf.cast(gain, total.dtype)
