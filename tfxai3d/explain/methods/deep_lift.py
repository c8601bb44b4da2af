"""DeepLIFT, deep learning important features (Shrikumar et al., ICML 2017)."""

from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tfxai3d.explain.engine.baselines import Baselines, convergence_delta, score_gain
from tfxai3d.explain.engine.gradients import input_gradient
from tfxai3d.explain.engine.rescale import rescaled
from tfxai3d.explain.engine.samples import sum_over_samples
from tfxai3d.explain.engine.target import TargetTensor, resolved, rows, target_score
from tfxai3d.explain.explainer import Explainer, Parts


class DeepLIFT(Explainer):
    """The difference from a reference times the multipliers of the rescale rule, in one pass.

    The attributions add up to the score of the inputs less that of the reference, up to `convergence_delta`,
    which is rounding alone. The importance is signed: what is positive speaks for the target. Inputs and
    references share a batch: with a batch size of 1 the model sees two at once.

    Args:
        model: A Keras model, which may have layers of your own.
        baseline: The reference, see `Baselines`: 0 by default, the empty grid or all points at the origin; of
            several the mean is taken.
        **kwargs: Of `Explainer`.

    Raises:
        UserError: If the model is no Keras model, has an operation without a rule, or the baseline is none.
    """

    method: ClassVar[str] = "deep_lift"
    title: ClassVar[str] = "DeepLIFT"
    needs: ClassVar[str] = "operations that have a rule"

    def __init__(self, model: Any, baseline: Any = 0.0, **kwargs: Any):
        super().__init__(model, **kwargs)
        self.baselines = Baselines(baseline, self.network)
        self._rescaled = rescaled(self.network, self.model)

    def options(self) -> dict[str, Any]:
        """Returns the baseline."""
        return {"baseline": self.baselines.describe()}

    def check(self, inputs: np.ndarray) -> None:
        """Raises a UserError unless the baseline fits the inputs."""
        self.baselines.check(inputs)

    def explain_batch(self, inputs: tf.Tensor, target: TargetTensor) -> Parts:
        """Returns the attributions and their delta."""
        scores = self.network(inputs)
        target, baselines = resolved(target, scores), self.baselines.like(inputs)

        def contribution(example: tf.Tensor, sample: tf.Tensor) -> tf.Tensor:
            x, reference = tf.gather(inputs, example), tf.gather(baselines, sample)
            both = self.network.filled(tf.concat([x, reference], axis=0))
            gradient, _ = input_gradient(
                self._rescaled,
                both,
                lambda logits: target_score(tf.split(logits, 2)[0], rows(target, example)),
            )
            return (x - reference) * self.network.unfilled(tf.split(gradient, 2)[0], x)

        count, size = len(self.baselines), max(1, self.batch_size // 2)
        attributions = sum_over_samples(contribution, count, size, tf.zeros_like(inputs)) / count
        gain = score_gain(self.network, baselines, target, scores, self.batch_size)
        importance = self.network.layout.contribution(attributions)
        return Parts(attributions, importance, scores, convergence_delta(attributions, gain))
