"""Integrated gradients (Sundararajan et al., 2017)."""

from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.baselines import Baselines, convergence_delta, score_gain
from tfxai3d.explain.engine.frozen_neighbors import frozen_network, has_neighbors
from tfxai3d.explain.engine.gradients import input_gradient
from tfxai3d.explain.engine.quadrature import QuadratureRule, nodes_and_weights
from tfxai3d.explain.engine.samples import sum_over_samples
from tfxai3d.explain.engine.target import TargetTensor, resolved, rows
from tfxai3d.explain.explainer import Explainer, Parts
from tfxai3d.results.explanation import Explanation

MOST = 64
"""How many times `steps` a tolerance may raise the number of steps."""


class IntegratedGradients(Explainer):
    """The gradient's mean on the way from a baseline, `(x - x') * integral of G(x' + a (x - x')) da`.

    The attributions sum to the score's difference between inputs and baseline, up to `convergence_delta`, and
    so does the importance: what is positive speaks for the target.
    With ReLUs and maxima the gradient jumps on the way, which no rule is made for: 50 steps do for VRN; take
    200 for clouds, or `tolerance=0.01`, which finds the number for each example (measured in
    docs/results/findings.md). Without `freeze_neighbors` PointNet++'s score itself jumps, no rule can follow,
    and the delta is half of the score's difference and more.

    Args:
        model: See `Explainer`.
        steps: Gradients on each path.
        rule: "gauss_legendre", "trapezoid", "riemann_left", "riemann_middle" or "riemann_right".
        baseline: A number, one array, several (the mean over all paths is taken), or "empty", the empty grid;
            see `Baselines`. 0 by default: the empty grid, or all points at the origin.
        freeze_neighbors: Whether all clouds on a path keep the centroids and neighbours that the network
            finds in the explained one, where it looks for any (PointNet++). Otherwise its radii, which do not
            shrink with the cloud, change them at every step.
        tolerance: Largest delta, relative to the score's difference. Examples beyond it are computed again
            with 2, 4, ... times the steps, the rule applied to as many parts of the path, at most `MOST`
            times; those still beyond it then are counted in a warning. None for no limit.
        **kwargs: Of `Explainer`.

    Raises:
        UserError: If the rule is unknown, the steps too few, or the baseline or tolerance no such thing.
    """

    method: ClassVar[str] = "integrated_gradients"
    title: ClassVar[str] = "Integrated gradients"

    def __init__(
        self,
        model: Any,
        steps: int = 50,
        rule: QuadratureRule = "gauss_legendre",
        baseline: Any = 0.0,
        tolerance: float | None = None,
        freeze_neighbors: bool = True,
        **kwargs: Any,
    ):
        if tolerance is not None and not tolerance > 0:
            raise UserError(f"tolerance must be above 0, it is {tolerance}")
        super().__init__(model, **kwargs)
        self.steps, self.rule, self.tolerance = steps, rule, tolerance
        self.freeze_neighbors = freeze_neighbors and has_neighbors(self.model)
        self.baselines = Baselines(baseline, self.network)
        self._nodes, self._weights = nodes_and_weights(rule, steps)

    def options(self) -> dict[str, Any]:
        """Returns steps, rule, baseline and tolerance."""
        return {
            "steps": self.steps,
            "rule": self.rule,
            "baseline": self.baselines.describe(),
            "tolerance": self.tolerance,
            **({"freeze_neighbors": self.freeze_neighbors} if has_neighbors(self.model) else {}),
        }

    def check(self, inputs: np.ndarray) -> None:
        """Raises a UserError unless the baseline fits the inputs."""
        self.baselines.check(inputs)

    def caution(self, explanation: Explanation) -> str | None:
        """Returns how many examples miss the tolerance, if any."""
        if self.tolerance is None:
            return None
        delta = np.asarray(explanation.convergence_delta)
        gain = explanation.attributions.reshape(len(delta), -1).sum(axis=1, dtype=float) - delta
        # A little more, because this sum is not the one that the decision was made by.
        missed = int(np.sum(np.abs(delta) > 1.01 * self.tolerance * np.abs(gain)))
        if not missed:
            return None
        return (
            f"{missed} of {len(delta)} examples miss the tolerance {self.tolerance} after "
            f"{MOST * self.steps} steps; see convergence_delta"
        )

    def explain_batch(self, inputs: tf.Tensor, target: TargetTensor) -> Parts:
        """Returns the attributions and their delta."""
        scores = self.network(inputs)
        target, baselines = resolved(target, scores), self.baselines.like(inputs)
        gain = score_gain(self.network, baselines, target, scores, self.batch_size)
        attributions = self._attributions(inputs, target, baselines, 1)
        if self.tolerance is not None:
            attributions = self._refined(attributions, gain, inputs, target, baselines)
        importance = self.network.layout.contribution(attributions)
        return Parts(attributions, importance, scores, convergence_delta(attributions, gain))

    def _attributions(
        self, inputs: tf.Tensor, target: TargetTensor, baselines: tf.Tensor, parts: int | tf.Tensor
    ) -> tf.Tensor:
        """Returns the attributions by the rule applied to each of `parts` equal parts of each path."""
        steps, count = self.steps, len(self.baselines)
        nodes, weights = (tf.constant(values, inputs.dtype) for values in (self._nodes, self._weights))
        axes = [-1] + [1] * (len(inputs.shape) - 1)
        frozen = frozen_network(self.network, self.model, inputs) if self.freeze_neighbors else None

        def contribution(example: tf.Tensor, sample: tf.Tensor) -> tf.Tensor:
            path, step = sample // (steps * parts), sample % (steps * parts)
            part = tf.cast(step // steps, inputs.dtype)
            position = (part + tf.gather(nodes, step % steps)) / tf.cast(parts, inputs.dtype)
            start = tf.gather(baselines, path)
            way = tf.gather(inputs, example) - start
            x = start + tf.reshape(position, axes) * way
            gradient, _ = input_gradient(
                frozen(example) if frozen else self.network, x, rows(target, example)
            )
            return tf.reshape(tf.gather(weights, step % steps), axes) * way * gradient

        total = sum_over_samples(contribution, count * parts * steps, self.batch_size, tf.zeros_like(inputs))
        return total / tf.cast(count * parts, inputs.dtype)

    def _refined(
        self,
        attributions: tf.Tensor,
        gain: tf.Tensor,
        inputs: tf.Tensor,
        target: TargetTensor,
        baselines: tf.Tensor,
    ) -> tf.Tensor:
        """Returns the attributions with those beyond the tolerance computed on more parts of the path."""

        def beyond(attributions: tf.Tensor) -> tf.Tensor:
            return tf.abs(convergence_delta(attributions, gain)) > self.tolerance * tf.abs(gain)

        def again(parts: tf.Tensor, attributions: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            index = tf.where(beyond(attributions))
            some = index[:, 0]
            better = self._attributions(tf.gather(inputs, some), rows(target, some), baselines, parts)
            return 2 * parts, tf.tensor_scatter_nd_update(attributions, index, better)

        def unfinished(parts: tf.Tensor, attributions: tf.Tensor) -> tf.Tensor:
            return tf.logical_and(parts <= MOST, tf.reduce_any(beyond(attributions)))

        return tf.while_loop(unfinished, again, (2, attributions), parallel_iterations=1)[1]
