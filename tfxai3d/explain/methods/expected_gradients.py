"""Expected gradients (Erion et al., 2021): integrated gradients over a distribution of baselines."""

from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.baselines import Baselines, convergence_delta, score_gain
from tfxai3d.explain.engine.gradients import input_gradient
from tfxai3d.explain.engine.samples import sum_over_samples
from tfxai3d.explain.engine.target import TargetTensor, resolved, rows
from tfxai3d.explain.explainer import Explainer, Parts


class ExpectedGradients(Explainer):
    """The mean of `(x - x') * G(x' + a (x - x'))` over random baselines x' and random places a on the way.

    Args:
        model: See `Explainer`.
        baselines: What x' is drawn from, (K,N,3) or (K,D,H,W,1), usually examples of the training set; the
            other forms of IntegratedGradients work as well.
        samples: Number of draws.
        seed: Equal seeds give equal draws, the same for all examples.
        **kwargs: Of `Explainer`.

    Raises:
        UserError: If there is no sample or the baselines are no finite numbers.
    """

    method: ClassVar[str] = "expected_gradients"
    title: ClassVar[str] = "Expected gradients"

    def __init__(self, model: Any, baselines: Any = 0.0, samples: int = 50, seed: int = 0, **kwargs: Any):
        if samples < 1:
            raise UserError(f"samples must be at least 1, it is {samples}")
        super().__init__(model, **kwargs)
        self.baselines, self.samples, self.seed = Baselines(baselines, self.network), samples, seed
        rng = np.random.default_rng(seed)
        self._drawn = rng.integers(len(self.baselines), size=samples)
        self._places = rng.uniform(size=samples)

    def options(self) -> dict[str, Any]:
        """Returns baselines, samples and seed."""
        return {"baselines": self.baselines.describe(), "samples": self.samples, "seed": self.seed}

    def check(self, inputs: np.ndarray) -> None:
        """Raises a UserError unless the baselines fit the inputs."""
        self.baselines.check(inputs)

    def explain_batch(self, inputs: tf.Tensor, target: TargetTensor) -> Parts:
        """Returns the attributions; the delta is held against the mean score of all baselines."""
        scores = self.network(inputs)
        target, baselines = resolved(target, scores), self.baselines.like(inputs)
        drawn, places = tf.constant(self._drawn, tf.int32), tf.constant(self._places, inputs.dtype)
        axes = [-1] + [1] * (len(inputs.shape) - 1)

        def contribution(example: tf.Tensor, sample: tf.Tensor) -> tf.Tensor:
            start = tf.gather(baselines, tf.gather(drawn, sample))
            way = tf.gather(inputs, example) - start
            x = start + tf.reshape(tf.gather(places, sample), axes) * way
            return way * input_gradient(self.network, x, rows(target, example))[0]

        total = sum_over_samples(contribution, self.samples, self.batch_size, tf.zeros_like(inputs))
        attributions = total / self.samples
        gain = score_gain(self.network, baselines, target, scores, self.batch_size)
        importance = self.network.layout.contribution(attributions)
        return Parts(attributions, importance, scores, convergence_delta(attributions, gain))
