"""SmoothGrad (Smilkov et al., 2017)."""

from collections.abc import Callable
from typing import Any, ClassVar

import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.gradients import input_gradient
from tfxai3d.explain.engine.samples import sum_over_samples
from tfxai3d.explain.engine.target import TargetTensor, resolved, rows
from tfxai3d.explain.explainer import Explainer, Parts


class SmoothGrad(Explainer):
    """The mean gradient of noisy copies of the inputs, `mean_s G(x + noise_s)`.

    Args:
        model: See `Explainer`.
        samples: Number of copies.
        noise: Standard deviation of the noise as a fraction of the example's range, its largest number minus
            its smallest (the paper's noise level); of each channel by itself, x, y and z being one.
        seed: Equal seeds give equal noise. All examples get the same, so that an example's result depends on
            no other.
        **kwargs: Of `Explainer`.

    Raises:
        UserError: If there is no sample or the noise is not above 0.
    """

    method: ClassVar[str] = "smooth_grad"
    title: ClassVar[str] = "SmoothGrad"

    def __init__(self, model: Any, samples: int = 50, noise: float = 0.1, seed: int = 0, **kwargs: Any):
        if samples < 1:
            raise UserError(f"samples must be at least 1, it is {samples}")
        if not 0 < noise < float("inf"):
            raise UserError(f"noise must be above 0, it is {noise}")
        super().__init__(model, **kwargs)
        self.samples, self.noise, self.seed = samples, noise, seed

    def options(self) -> dict[str, Any]:
        """Returns samples, noise and seed."""
        return {"samples": self.samples, "noise": self.noise, "seed": self.seed}

    def explain_batch(self, inputs: tf.Tensor, target: TargetTensor) -> Parts:
        """Returns the mean gradient; the scores are those of the inputs without noise."""
        scores = self.network(inputs)
        target = resolved(target, scores)

        def contribution(example: tf.Tensor, sample: tf.Tensor) -> tf.Tensor:
            return self._noisy_gradient(inputs, target, example, sample)

        total = sum_over_samples(contribution, self.samples, self.batch_size, tf.zeros_like(inputs))
        mean = total / self.samples
        return Parts(mean, self.network.layout.magnitude(mean), scores)

    def _noisy_gradient(
        self, inputs: tf.Tensor, target: TargetTensor, example: tf.Tensor, sample: tf.Tensor
    ) -> tf.Tensor:
        """Returns the gradients (P,...) of noisy copies, one for each pair of example and sample (P,)."""
        span = self._span(inputs)
        x = tf.gather(inputs, example)
        x += self.noise * tf.gather(span, example) * _normal(tf.shape(x)[1:], sample, self.seed, x.dtype)
        return input_gradient(self.network, x, rows(target, example))[0]

    def _span(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the range of each channel of each example, of a shape that broadcasts to the inputs."""
        layout = self.network.layout
        x = layout.channels_last(inputs)
        axes = list(range(1, len(x.shape) - 1))
        high, low = tf.reduce_max(x, axes, keepdims=True), tf.reduce_min(x, axes, keepdims=True)
        if self.network.kind == "points":
            high = tf.concat([_same(tf.reduce_max, high[..., :3]), high[..., 3:]], axis=-1)
            low = tf.concat([_same(tf.reduce_min, low[..., :3]), low[..., 3:]], axis=-1)
        return layout.as_given(high - low, inputs)


def _same(reduce: Callable[..., tf.Tensor], x: tf.Tensor) -> tf.Tensor:
    """Returns the largest or smallest of the last axis in all places of it."""
    return tf.repeat(reduce(x, axis=-1, keepdims=True), 3, axis=-1)


def _normal(shape: tf.Tensor, sample: tf.Tensor, seed: int, dtype: tf.DType) -> tf.Tensor:
    """Returns one standard normal array of the shape for each sample's number (P,)."""

    def draw(number: tf.Tensor) -> tf.Tensor:
        # A named algorithm, because the default depends on the device.
        return tf.random.stateless_normal(shape, [seed, number], dtype=dtype, alg="philox")

    return tf.map_fn(draw, sample, fn_output_signature=dtype)
