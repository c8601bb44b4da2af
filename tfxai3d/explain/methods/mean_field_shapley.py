"""Shapley values of points through the max, by a mean field; of voxels, by random subsets."""

from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.ball_places import groups_points
from tfxai3d.explain.engine.baselines import convergence_delta
from tfxai3d.explain.engine.presence import PresenceNetwork, Whole
from tfxai3d.explain.engine.quadrature import nodes_and_weights
from tfxai3d.explain.engine.random_subsets import by_subsets
from tfxai3d.explain.engine.target import TargetTensor, resolved, target_score
from tfxai3d.explain.engine.units import Units
from tfxai3d.explain.explainer import Explainer, Parts

_NODES = {"points": 6, "balls": 3, "voxels": 40}
_DENSE = 15  # how much more densely the nodes lie at q = 0 than at q = 1, less one


class MeanFieldShapley(Explainer):
    """What each point or voxel adds to the score, on average over all sets of the others.

    The Shapley value is `phi_i = integral_0^1 dv(q) / dp_i dq`, where each point is there with probability q
    and v is the expected score (Owen, "Multilinear extensions of games", Management Science 1972).

    A point network sees its points through maxima, or means. With the expected max, which is known in closed
    form, in the place of each of them, v and its derivatives take one pass forward and back a node of the
    integral; nothing is drawn. This is exact where a linear function follows the max, and otherwise the mean
    field: the pools are taken for independent. The values add up to `v(1) - v(0)`, the score of the cloud
    less that of no points, up to `convergence_delta`. The nodes lie densely near q = 0, where the first
    points make most of the score: `q = (16^u - 1) / 15` with Gauss-Legendre nodes u; more so where points
    are averaged, for the first of N makes all of a mean, at q around 1 / N.

    Voxels meet in no such max. At each of the `nodes` probabilities q, evenly spread, the occupied voxels are
    kept at random, and the gradient there times the input is taken for all voxels: an unbiased estimate of
    the derivative for the presence, as far as the score is linear between absence and presence.

    The importance is signed: what is positive speaks for the target.

    Args:
        model: A Keras model of points with a max or mean over them, or any model of voxels.
        nodes: Probabilities at which the derivative is taken; by default 6 for points, 3 for
            PointNet++, which sorts anew at each of them, and 40 for voxels.
        seed: Of the subsets of voxels, the same for all examples; without effect on points.
        units: What comes and goes together, see `Units`; by default each point or voxel by itself.
        num_clusters: Number of clusters, for the units "clusters".
        block_size: Edge of a block in voxels, for the units "blocks".
        size_power: The derivative at q weighs `(size_power + 1) q^size_power`. With 0 this is the Shapley
            value; the larger, the more it tells what a unit adds to many others, and no sum is known.
        **kwargs: Of `Explainer`.

    Raises:
        UserError: If there is no node, size_power is below 0, the units are unknown, or a model of points is
            no Keras model or has no max or mean over the points.
    """

    method: ClassVar[str] = "mean_field_shapley"
    title: ClassVar[str] = "Mean-field Shapley values"

    def __init__(
        self,
        model: Any,
        nodes: int | None = None,
        seed: int = 0,
        units: Any = None,
        num_clusters: int = 20,
        block_size: int = 4,
        size_power: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(model, **kwargs)
        kind = self.network.kind
        in_balls = kind == "points" and groups_points(self.model)
        self.nodes = _NODES["balls" if in_balls else kind] if nodes is None else nodes
        self.seed, self.size_power = seed, size_power
        if self.nodes < 1:
            raise UserError(f"nodes must be at least 1, it is {nodes}")
        if not 0 <= size_power < float("inf"):
            raise UserError(f"size_power must be at least 0, it is {size_power}")
        self.units = Units(kind if units is None else units, num_clusters, block_size, kind)
        if kind == "points":
            self._presence = PresenceNetwork(self.network, self.model)

    def options(self) -> dict[str, Any]:
        """Returns the number of nodes, what is not as usual, and the seed where something is drawn."""
        units = {} if self.units.name == self.network.kind else self.units.describe()
        power = {"size_power": self.size_power} if self.size_power else {}
        seed = {"seed": self.seed} if self.network.kind == "voxels" else {}
        return {"nodes": self.nodes, **units, **power, **seed}

    def check(self, inputs: np.ndarray) -> None:
        """Raises a UserError unless the units fit the inputs."""
        if self.units.name != self.network.kind:
            self.units.check(self.network.layout.channels_last(tf.constant(inputs)).numpy())

    def explain_batch(self, inputs: tf.Tensor, target: TargetTensor) -> Parts:
        """Returns the values as importance; attributions share those of points evenly among their numbers."""
        scores = self.network(inputs)
        target = resolved(target, scores)
        if self.network.kind == "voxels":
            return self._by_subsets(inputs, target, scores)
        player = None if self.units.name == "points" else self._units_of(inputs)
        values, gain = self._mean_field(inputs, target, scores, player)
        size = tf.ones_like(values)
        if player is not None:
            size = tf.math.bincount(
                player + 1, axis=-1, minlength=1 + tf.shape(values)[1], dtype=values.dtype
            )
            size = _at_places(size[:, 1:], player)
            values = _at_places(values, player)
        layout = self.network.layout
        share = tf.math.divide_no_nan(values, size)
        attributions = layout.spread(share, inputs) / inputs.shape[layout.axis(3)]
        delta = None if self.size_power else convergence_delta(attributions, gain)
        return Parts(attributions, values, scores, delta)

    def _units_of(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the unit of each point (B,N) or voxel (B,D,H,W), -1 for none."""
        last = self.network.layout.channels_last(inputs)
        spec = tf.TensorSpec(last.shape[1:-1], tf.int32)
        return tf.map_fn(self.units.labels, last, fn_output_signature=spec)

    def _mean_field(
        self, inputs: tf.Tensor, target: TargetTensor, scores: tf.Tensor, player: tf.Tensor | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the players' values (B,M), and the score of each cloud less that of no players (B,)."""
        zeros = tf.zeros_like(self.network.layout.places(inputs))
        if player is not None:
            zeros = tf.zeros((tf.shape(zeros)[0], tf.reduce_max(player) + 1), zeros.dtype)
        whole = self._presence.whole(inputs, tf.ones_like(zeros), player)
        density, weight = _densities(self.nodes, _DENSE * (tf.shape(zeros)[1] if whole.means else 1))
        weight *= (self.size_power + 1) * density**self.size_power
        density, weight = tf.cast(density, inputs.dtype), tf.cast(weight, inputs.dtype)

        def add(node: tf.Tensor, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            slope = self._derivative(inputs, target, zeros + density[node], density[node], whole, player)
            return node + 1, values + weight[node] * slope

        values = tf.while_loop(lambda node, _: node < self.nodes, add, (0, zeros), parallel_iterations=1)[1]
        nothing = self._presence(inputs, zeros, tf.zeros([], inputs.dtype), whole, player)
        return values, target_score(scores, target) - target_score(nothing, target)

    def _derivative(
        self,
        inputs: tf.Tensor,
        target: TargetTensor,
        presence: tf.Tensor,
        density: tf.Tensor,
        whole: Whole,
        player: tf.Tensor | None,
    ) -> tf.Tensor:
        """Returns the derivative of the expected score for the presence of each player (B,M)."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(presence)
            score = target_score(self._presence(inputs, presence, density, whole, player), target)
        return tape.gradient(score, presence)

    def _by_subsets(self, inputs: tf.Tensor, target: TargetTensor, scores: tf.Tensor) -> Parts:
        """Returns the mean of gradient times input over random subsets of the units."""
        densities = (np.arange(self.nodes) + 0.5) / self.nodes
        attributions, values, error = by_subsets(
            self.network,
            inputs,
            target,
            self._units_of(inputs),
            (self.size_power + 1) * densities**self.size_power,
            self.seed,
            self.batch_size,
        )
        nothing = self.network(tf.zeros_like(inputs))
        gain = target_score(scores, target) - target_score(nothing, target)
        delta = None if self.size_power else convergence_delta(attributions, gain)
        return Parts(attributions, values, scores, delta, error)


def _densities(nodes: int, dense: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the probabilities q at which the derivative is taken, and their weights in the integral.

    The nodes lie 1 + `dense` times as densely at q = 0 as at q = 1.
    """
    places, weights = nodes_and_weights("gauss_legendre", nodes)
    dense = tf.cast(dense, tf.float64)
    stretch = tf.math.log1p(dense)
    return tf.math.expm1(stretch * places) / dense, weights * stretch * tf.exp(stretch * places) / dense


def _at_places(values: tf.Tensor, unit: tf.Tensor) -> tf.Tensor:
    """Returns the value of each point's unit (B,N), 0 where there is none."""
    found = tf.gather(values, tf.maximum(unit, 0), batch_dims=1)
    return tf.where(unit < 0, tf.zeros_like(found), found)
