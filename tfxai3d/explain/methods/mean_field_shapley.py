"""Shapley values of points through the max, by a mean field; of voxels, by random subsets."""

from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.baselines import convergence_delta
from tfxai3d.explain.engine.expected_max import Order
from tfxai3d.explain.engine.gradients import input_gradient
from tfxai3d.explain.engine.presence import PresenceNetwork
from tfxai3d.explain.engine.quadrature import nodes_and_weights
from tfxai3d.explain.engine.samples import sum_over_samples
from tfxai3d.explain.engine.target import TargetTensor, resolved, rows, target_score
from tfxai3d.explain.explainer import Explainer, Parts

_NODES = {"points": 6, "voxels": 20}
_DENSE = 15.0  # how much more densely the nodes lie at q = 0 than at q = 1, less one


class MeanFieldShapley(Explainer):
    """What each point or voxel adds to the score, on average over all sets of the others.

    The Shapley value is `phi_i = integral_0^1 dv(q) / dp_i dq`, where each point is there with probability q
    and v is the expected score (Owen, "Multilinear extensions of games", Management Science 1972).

    A point network sees its points through maxima. With the expected max, which is known in closed form, in
    the place of each of them, v and its derivatives take one pass forward and back a node of the integral;
    nothing is drawn. This is exact where a linear function follows the max, and otherwise the mean field: the
    pools are taken for independent. The values add up to `v(1) - v(0)`, the score of the cloud less that of
    no points, up to `convergence_delta`. The nodes lie densely near q = 0, where the first points make most
    of the score: `q = (16^u - 1) / 15` with Gauss-Legendre nodes u.

    Voxels meet in no such max. At each of the `nodes` probabilities q, evenly spread, the occupied voxels are
    kept at random, and the gradient there times the input is taken for all voxels: an unbiased estimate of
    the derivative for the presence, as far as the score is linear between absence and presence.

    The importance is signed: what is positive speaks for the target.

    Args:
        model: A Keras model of points with a max over them, or any model of voxels.
        nodes: Probabilities at which the derivative is taken; by default 6 for points and 20 for voxels.
        seed: Of the subsets of voxels, the same for all examples; without effect on points.
        **kwargs: Of `Explainer`.

    Raises:
        UserError: If there is no node, or a model of points is no Keras model or has no max over the points.
    """

    method: ClassVar[str] = "mean_field_shapley"
    title: ClassVar[str] = "Mean-field Shapley values"

    def __init__(self, model: Any, nodes: int | None = None, seed: int = 0, **kwargs: Any):
        super().__init__(model, **kwargs)
        self.nodes, self.seed = _NODES[self.network.kind] if nodes is None else nodes, seed
        if self.nodes < 1:
            raise UserError(f"nodes must be at least 1, it is {nodes}")
        if self.network.kind == "points":
            self._presence = PresenceNetwork(self.network, self.model)

    def options(self) -> dict[str, Any]:
        """Returns the number of nodes and, of voxels, the seed."""
        return {"nodes": self.nodes} | ({"seed": self.seed} if self.network.kind == "voxels" else {})

    def explain_batch(self, inputs: tf.Tensor, target: TargetTensor) -> Parts:
        """Returns the values as importance, spread evenly over the numbers of each point as attributions."""
        scores = self.network(inputs)
        target = resolved(target, scores)
        if self.network.kind == "voxels":
            return self._by_subsets(inputs, target, scores)
        values, gain = self._mean_field(inputs, target, scores)
        layout = self.network.layout
        attributions = layout.spread(values, inputs) / inputs.shape[layout.axis(3)]
        return Parts(attributions, values, scores, convergence_delta(attributions, gain))

    def _mean_field(
        self, inputs: tf.Tensor, target: TargetTensor, scores: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the values (B,N), and the score of each cloud less that of no points (B,)."""
        orders = self._presence.orders(inputs)
        densities, weights = (tf.constant(some, inputs.dtype) for some in _densities(self.nodes))
        zeros = tf.zeros_like(self.network.layout.places(inputs))

        def add(node: tf.Tensor, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            slope = self._derivative(inputs, target, densities[node], orders)
            return node + 1, values + weights[node] * slope

        values = tf.while_loop(lambda node, _: node < self.nodes, add, (0, zeros), parallel_iterations=1)[1]
        nothing = self._presence(inputs, zeros, tf.zeros([], inputs.dtype), orders)
        return values, target_score(scores, target) - target_score(nothing, target)

    def _derivative(
        self, inputs: tf.Tensor, target: TargetTensor, density: tf.Tensor, orders: list[Order | None]
    ) -> tf.Tensor:
        """Returns the derivative of the expected score for the presence of each point (B,N)."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            presence = tf.fill(tf.shape(self.network.layout.places(inputs)), density)
            tape.watch(presence)
            score = target_score(self._presence(inputs, presence, density, orders), target)
        return tape.gradient(score, presence)

    def _by_subsets(self, inputs: tf.Tensor, target: TargetTensor, scores: tf.Tensor) -> Parts:
        """Returns the mean of gradient times input over random subsets of the voxels."""
        layout = self.network.layout

        def contribution(example: tf.Tensor, sample: tf.Tensor) -> tf.Tensor:
            x = tf.gather(inputs, example)
            chosen = _kept(tf.shape(layout.places(x))[1:], sample, self.nodes, self.seed, x.dtype)
            kept = x * layout.spread(chosen, x)
            return x * input_gradient(self.network, kept, rows(target, example))[0]

        total = sum_over_samples(contribution, self.nodes, self.batch_size, tf.zeros_like(inputs))
        attributions = total / self.nodes
        nothing = self.network(tf.zeros_like(inputs))
        gain = target_score(scores, target) - target_score(nothing, target)
        delta = convergence_delta(attributions, gain)
        return Parts(attributions, layout.contribution(attributions), scores, delta)


def _densities(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the probabilities q at which the derivative is taken, and their weights in the integral."""
    places, weights = nodes_and_weights("gauss_legendre", nodes)
    stretch = np.log1p(_DENSE)
    return np.expm1(stretch * places) / _DENSE, weights * stretch * np.exp(stretch * places) / _DENSE


def _kept(shape: tf.Tensor, sample: tf.Tensor, samples: int, seed: int, dtype: tf.DType) -> tf.Tensor:
    """Returns ones and zeros, an array of the shape for each sample's number (P,): which voxels are kept."""
    densities = tf.constant((np.arange(samples) + 0.5) / samples, dtype)

    def draw(number: tf.Tensor) -> tf.Tensor:
        # A named algorithm, because the default depends on the device.
        uniform = tf.random.stateless_uniform(shape, [seed, number], dtype=dtype, alg="philox")
        return tf.cast(uniform < densities[number], dtype)

    return tf.map_fn(draw, sample, fn_output_signature=dtype)
