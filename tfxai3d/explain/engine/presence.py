"""A point network as a function of the probability with which each of its points is there."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.ball_places import groups_points
from tfxai3d.explain.engine.expected_max import Order, expected_max, expected_max_of, order
from tfxai3d.explain.engine.expected_mean import expected_mean
from tfxai3d.explain.engine.max_pools import replace_max, replace_mean
from tfxai3d.explain.engine.neighbor_pools import NeighborPools, Pool
from tfxai3d.explain.engine.network import Network
from tfxai3d.explain.engine.shadow import shadow


class Whole(NamedTuple):
    """What the whole cloud says once for all probabilities.

    Attributes:
        orders: What goes into each max, sorted; None where it depends on an earlier pool.
        means: The number of means over the points.
    """

    orders: list[Order | None]
    means: int


class PresenceNetwork:
    """The mean field of a network that sees its points through maxima and means alone.

    In the place of each max over the points stands the expected max, of each mean the expected mean, and all
    of them share one probability a player. That is exact where only a linear function follows; otherwise the
    pools are taken for independent of each other. Of PointNet++ the maxima over balls and over the last
    centroids are meant, see `NeighborPools`; the copies that fill a ball up count as the one point that they
    are. Of edge convolutions all neighbours count as there.

    Args:
        network: What is explained.
        model: Its Keras model, which is left as it is.

    Raises:
        UserError: If the model is no Keras model of points.
    """

    def __init__(self, network: Network, model: Any):
        if network.kind != "points" or not isinstance(model, keras.Model):
            raise UserError(
                f"{network.name} must be a Keras model of points: the max over them is looked for inside"
            )
        self._network, self._model, self._in_balls = network, model, groups_points(model)

    def whole(self, inputs: tf.Tensor, presence: tf.Tensor, player: tf.Tensor | None = None) -> Whole:
        """Sorts once what goes into each max.

        Args:
            inputs: Clouds (B,N,3).
            presence: Ones (B,M), one a player.
            player: The player of each point, int32 (B,N), -1 for points that are always there; by default
                each point is one.

        Raises:
            UserError: If no max or mean over the points was found.
        """
        one = tf.ones([], presence.dtype)
        seen: list[tuple[tf.Tensor, tf.Tensor | None, tf.Tensor]] = []

        def sort_later(features: tf.Tensor, there: tf.Tensor, player: tf.Tensor | None) -> tf.Tensor:
            seen.append((features, player, tf.shape(there)[1]))
            return expected_max(features, there, one, player)

        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(presence)
            _, means = self._run(inputs, presence, one, player, sort_later)
        if not seen and not means:
            raise UserError(
                f"{self._network.name} has no max over its points, and no mean, through which Shapley values "
                "could be computed: a method that removes points, or gradients, must do"
            )
        orders = [order(*some) if tape.gradient(some[0], presence) is None else None for some in seen]
        return Whole(orders, means)

    def __call__(
        self,
        inputs: tf.Tensor,
        presence: tf.Tensor,
        density: tf.Tensor,
        whole: Whole,
        player: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Returns the logits (B,C) of clouds (B,N,3) whose players are present with a probability (B,M).

        Args:
            inputs: The clouds.
            presence: All equal to `density`; gradients flow to it.
            density: A number in [0, 1].
            whole: What `whole` returns for the inputs.
            player: As for `whole`.
        """
        known = iter(whole.orders)

        def pool(features: tf.Tensor, there: tf.Tensor, player: tf.Tensor | None) -> tf.Tensor:
            sorted_before = next(known)
            if sorted_before is None:
                return expected_max(features, there, density, player)
            return expected_max_of(sorted_before, there, density)

        return self._run(inputs, presence, density, player, pool)[0]

    def _run(
        self,
        inputs: tf.Tensor,
        presence: tf.Tensor,
        density: tf.Tensor,
        player: tf.Tensor | None,
        pool: Pool,
    ) -> tuple[tf.Tensor, int]:
        """Returns the logits with `pool` for each max, and the number of means."""
        means: list[str] = []
        filled = self._network.filled(inputs)
        count = self._network.layout.places(filled).shape[1]

        def of_max(_: str, features: tf.Tensor) -> tf.Tensor:
            return pool(self._network.unfilled(features, inputs), presence, player)

        def of_mean(name: str, features: tf.Tensor) -> tf.Tensor:
            if player is not None:
                raise UserError(
                    f"{self._network.name} averages its points in {name!r}: units must be points, for which "
                    "alone the expected mean is known"
                )
            means.append(name)
            return expected_mean(self._network.unfilled(features, inputs), presence, density)

        def adjust(original: Any, copy: Any) -> None:
            if balls:
                balls.adjust(original, copy)
            else:
                replace_max(original, copy, count, of_max, self._network.data_format)
                replace_mean(original, copy, count, of_mean, self._network.data_format)

        balls = NeighborPools(presence, player, pool) if self._in_balls else None
        with keras.StatelessScope():
            answer = shadow(self._model, adjust)(self._network.arguments(inputs), training=False)
        return self._network.scores(answer), len(means)
