"""The game on networks whose points meet in one max: their features once, then the head alone."""

import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfxai3d.explain.engine.game import Game
from tfxai3d.explain.engine.max_pools import replace_max
from tfxai3d.explain.engine.network import Network
from tfxai3d.explain.engine.shadow import shadow
from tfxai3d.explain.engine.target import rows, target_score

_BLOCK = 32  # rows; with it half as much is read and written as without blocks


class MaxNetwork:
    """A network that maps each point on its own to features, and their max over the points to logits.

    Args:
        network: What is explained.
        model: Its Keras model.
    """

    def __init__(self, network: Network, model: keras.Model):
        self._network, self._model = network, model

    def features(self, points: tf.Tensor) -> tf.Tensor:
        """Returns the features (B,N,K) of points (B,N,3) that go into the max."""
        return self._run(points, None)[0][0]

    def head(self, pooled: tf.Tensor) -> tf.Tensor:
        """Returns the logits (P,C) of maxima (P,K)."""
        points, channels = self._network.shape or (None, 3)
        return self._run(tf.zeros((1, points or 1, channels or 3), pooled.dtype), pooled)[1]

    def holds(self) -> bool:
        """Whether the network is of this form: one max, and clouds of a few random points say so too."""
        points, channels = self._network.shape or (None, 3)
        draw = np.random.default_rng(0).uniform(-1, 1, (3, points or 12, channels or 3))
        clouds = tf.constant(draw, self._network.dtype)
        seen, _ = self._run(clouds, None)
        if len(seen) != 1 or seen[0].shape.rank != 3:
            return False
        # Each cloud gets half its points from the next: features of a point alone must not change by that.
        half = clouds.shape[1] // 2
        mixed = tf.concat([clouds[:, :half], tf.roll(clouds, 1, axis=0)[:, half:]], axis=1)
        parts = tf.concat([seen[0][:, :half], tf.roll(seen[0], 1, axis=0)[:, half:]], axis=1)
        ours, theirs = self.head(tf.reduce_max(parts, axis=1)).numpy(), self._network(mixed).numpy()
        return bool(np.allclose(ours, theirs, atol=1e-4 * max(np.abs(theirs).max(), 1e-6)))

    def _run(self, points: tf.Tensor, pooled: tf.Tensor | None) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Returns what goes into each max over the points, and the logits with `pooled` in its place."""
        seen: list[tf.Tensor] = []
        filled = self._network.filled(points)

        def pool(name: str, features: tf.Tensor) -> tf.Tensor:
            seen.append(self._network.unfilled(features, points))
            return tf.reduce_max(features, axis=1) if pooled is None else pooled

        def adjust(original: Any, copy: Any) -> None:
            replace_max(original, copy, filled.shape[1], pool)

        with keras.StatelessScope():
            answer = shadow(self._model, adjust)(filled, training=False)
        return seen, self._network.scores(answer)


def max_network(network: Network, model: Any) -> MaxNetwork | None:
    """Returns the model as a MaxNetwork, or None if it is none."""
    if network.kind != "points" or not isinstance(model, keras.Model):
        return None
    found = MaxNetwork(network, model)
    try:
        with tf.init_scope():
            return found if found.holds() else None
    except (ValueError, TypeError, tf.errors.OpError):  # a network that takes no cloud of a few points
        return None


def max_game(game: Game, split: MaxNetwork) -> "MaxGame":
    """Returns the same game with the features of its units computed, which all coalitions share."""
    features = split.features(game.example[None])[0]
    # Points of no unit are always there: they are one unit more, the last.
    unit = tf.where(game.labels < 0, game.players, game.labels)
    best = tf.math.unsorted_segment_max(features, unit, game.players + 1)
    origin = split.features(tf.zeros_like(game.example[None]))[0, 0]
    fields = {field.name: getattr(game, field.name) for field in dataclasses.fields(Game)}
    return MaxGame(**fields, max_network=split, units=best[:-1], always=best[-1], empty=origin)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaxGame(Game):
    """The same game as `Game`, exactly: a coalition costs a max over its units' features and the head.

    Attributes:
        max_network: The network, split at its max.
        units: The largest features of each unit (M,K).
        always: Those of the points that are in no unit (K,).
        empty: What stands for no point, the features of the origin (K,).
    """

    max_network: MaxNetwork
    units: tf.Tensor
    always: tf.Tensor
    empty: tf.Tensor

    def losses(self) -> tf.Tensor:
        """Returns the losses (M,) from the two largest values of each channel."""
        everyone = tf.concat([self.units, self.always[None]], axis=0)
        first, second = tf.unstack(tf.math.top_k(tf.transpose(everyone), 2).values, axis=-1)
        left = tf.where(self.units == first, second, first)
        loss = self.everything() - self._of_maxima(left)
        return tf.where(tf.reduce_any(left < first, axis=1), loss, 0)  # exactly 0, whatever the rounding

    def along(self, ranks: tf.Tensor) -> tf.Tensor:
        """Returns the scores (R,M) after each arrival, from the running maxima of each order.

        An arrival that raises no maximum leaves the score as it is, so the head is not run for it.
        """

        def walk(row: tf.Tensor) -> tf.Tensor:
            if self.progress:
                self.progress(row * self.players, tf.size(ranks))
            arrived = _running_max(tf.gather(self.units, tf.argsort(ranks[row])))
            maxima = tf.maximum(arrived, self.always)
            raised = tf.concat([[True], tf.reduce_any(maxima[1:] > maxima[:-1], axis=1)], axis=0)
            scores = self._of_maxima(tf.boolean_mask(maxima, raised))
            return tf.gather(scores, tf.cumsum(tf.cast(raised, tf.int32)) - 1)

        return tf.map_fn(
            walk, tf.range(tf.shape(ranks)[0]), parallel_iterations=1, fn_output_signature=self.example.dtype
        )

    def _scores(self, present: tf.Tensor) -> tf.Tensor:
        def pooled(there: tf.Tensor) -> tf.Tensor:
            return tf.maximum(tf.reduce_max(tf.boolean_mask(self.units, there), axis=0), self.always)

        return self._of_maxima(
            tf.map_fn(pooled, present, parallel_iterations=1, fn_output_signature=self.units.dtype)
        )

    def _of_maxima(self, pooled: tf.Tensor) -> tf.Tensor:
        """Returns the scores (P,) of maxima (P,K), where the lowest number stands for no point."""
        logits = self.max_network.head(tf.where(pooled <= pooled.dtype.min, self.empty, pooled))
        score = target_score(logits, rows(self.target, tf.zeros(tf.shape(logits)[:1], tf.int32)))
        return tf.cast(score, self.example.dtype)


def _running_max(values: tf.Tensor) -> tf.Tensor:
    """Returns the max of each row (M,K) and all before it: within blocks of rows, then over the blocks."""
    rows, channels = tf.shape(values)[0], values.shape[1]
    blocks = (rows + _BLOCK - 1) // _BLOCK
    filled = tf.pad(values, [[0, blocks * _BLOCK - rows], [0, 0]], constant_values=values.dtype.min)
    within = _doubled(tf.reshape(filled, (blocks, _BLOCK, channels)))
    tops = _doubled(within[None, :, -1])[0]
    before = tf.concat([tf.fill((1, channels), values.dtype.min), tops[:-1]], axis=0)
    return tf.reshape(tf.maximum(within, before[:, None]), (-1, channels))[:rows]


def _doubled(values: tf.Tensor) -> tf.Tensor:
    """Returns the running max along the second axis of (P,M,K), in log2(M) steps."""

    def step(shift: tf.Tensor, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        later = tf.maximum(values[:, shift:], values[:, :-shift])
        return 2 * shift, tf.concat([values[:, :shift], later], axis=1)

    shapes = (tf.TensorShape([]), tf.TensorShape([None, None, values.shape[-1]]))
    return tf.while_loop(lambda shift, _: shift < tf.shape(values)[1], step, (1, values), shapes)[1]
