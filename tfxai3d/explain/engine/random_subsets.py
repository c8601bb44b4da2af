"""Shapley values of voxels by the gradients on random subsets of them."""

import numpy as np
import tensorflow as tf

from tfxai3d.explain.engine.gradients import input_gradient
from tfxai3d.explain.engine.network import Network
from tfxai3d.explain.engine.samples import sum_over_samples
from tfxai3d.explain.engine.target import TargetTensor, rows


def by_subsets(
    network: Network,
    inputs: tf.Tensor,
    target: TargetTensor,
    unit: tf.Tensor,
    weights: np.ndarray,
    seed: int,
    batch_size: int,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]:
    """Returns the mean of gradient times input over random subsets of the units.

    The probabilities of presence are the middles of as many equal strata as there are weights, and each is
    drawn once. The standard error is of collapsed strata: the squared differences of neighbouring draws
    (Cochran, "Sampling Techniques", 1977, 5A.12), which is too large rather than too small.

    Args:
        network: What is explained.
        inputs: Voxels as the network takes them.
        target: What is explained of the scores.
        unit: The unit of each voxel, int32 (B,D,H,W); voxels of -1 are always there.
        weights: The weight of each stratum, a mean of 1, (S,).
        seed: Of the subsets, the same for all examples.
        batch_size: The most examples at once.

    Returns:
        Attributions in the form of the inputs; the sum over each voxel's unit (B,D,H,W), 0 where there is
        none; and its standard error, None for a single draw.
    """
    layout, samples = network.layout, len(weights)
    weight = tf.constant(weights / samples, inputs.dtype)

    def draw(example: tf.Tensor, sample: tf.Tensor) -> tf.Tensor:
        """Returns a sample's part of the attributions (P,D,H,W,C), 0 for a sample too many."""
        x, number = tf.gather(inputs, example), tf.minimum(sample, samples - 1)
        kept = _kept(tf.gather(unit, example), number, samples, seed, x.dtype)
        part = x * input_gradient(network, x * layout.spread(kept, x), rows(target, example))[0]
        part = layout.channels_last(part)
        much = tf.where(sample < samples, tf.gather(weight, number), 0)
        return part * tf.reshape(much, (-1, *[1] * (len(part.shape) - 1)))

    def pair(example: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        one, other = draw(example, 2 * number), draw(example, 2 * number + 1)
        difference = _of_units(tf.reduce_sum(one - other, axis=-1), tf.gather(unit, example)) ** 2
        whole = tf.reshape(2 * number + 1 < samples, (-1, *[1] * (len(difference.shape) - 1)))
        return tf.concat([one + other, tf.where(whole, difference, 0)[..., None]], axis=-1)

    last = layout.channels_last(inputs)
    zeros = tf.zeros_like(tf.concat([last, last[..., :1]], axis=-1))
    total = sum_over_samples(pair, (samples + 1) // 2, batch_size, zeros)
    attributions, square = total[..., :-1], total[..., -1]
    values = _of_units(tf.reduce_sum(attributions, axis=-1), unit)
    error = tf.sqrt(square * samples / (2 * (samples // 2))) if samples > 1 else None
    return layout.as_given(attributions, inputs), values, error


def _kept(unit: tf.Tensor, sample: tf.Tensor, samples: int, seed: int, dtype: tf.DType) -> tf.Tensor:
    """Returns ones and zeros (P,D,H,W): which voxels are kept in each sample (P,)."""
    densities = tf.constant((np.arange(samples) + 0.5) / samples, dtype)

    def drawn(pair: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        unit, number = pair
        # A named algorithm, because the default depends on the device.
        uniform = tf.random.stateless_uniform((tf.size(unit),), [seed, number], dtype=dtype, alg="philox")
        kept = tf.gather(uniform, tf.maximum(unit, 0)) < densities[number]
        return tf.cast(kept | (unit < 0), dtype)

    spec = tf.TensorSpec(unit.shape[1:], dtype)
    return tf.map_fn(drawn, (unit, sample), fn_output_signature=spec)


def _of_units(values: tf.Tensor, unit: tf.Tensor) -> tf.Tensor:
    """Returns the sum of the values (P,D,H,W) over each voxel's unit, 0 where there is none."""
    count = tf.reduce_max(unit) + 1
    examples = tf.reshape(tf.range(tf.shape(unit)[0]), (-1, *[1] * (len(unit.shape) - 1)))
    place = examples * (count + 1) + tf.where(unit < 0, count, unit)
    sums = tf.math.unsorted_segment_sum(values, place, tf.shape(unit)[0] * (count + 1))
    return tf.where(unit < 0, tf.zeros_like(values), tf.gather(sums, place))
