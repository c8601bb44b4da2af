"""An example as a game: the score of the target when only some of its units are there."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from tfxai3d.explain.engine.network import Network
from tfxai3d.explain.engine.progress import Progress
from tfxai3d.explain.engine.target import TargetTensor, rows, target_score

Present = Callable[[tf.Tensor], tf.Tensor]
"""Maps numbers of coalitions, int32 (P,), to the units that are there, bool (P,M)."""


@dataclasses.dataclass(frozen=True)
class Game:
    """One example, whose M units can be taken away, each coalition by a forward pass.

    Points that are not there are removed. A network that ignores copies, or takes a fixed number of points,
    sees those that are left and copies of the first of them; others see clouds of the size that is left,
    those of equal size at once. Of no points, a cloud at the origin stands for nothing. Voxels that are not
    there are 0.

    Attributes:
        network: What is explained.
        example: Points (N,3) or voxels (D,H,W,1).
        target: The target of this example, the first axis 1.
        labels: The unit of each place, int32 (N,) or (D,H,W), from 0; -1 for what is always there.
        batch_size: The most coalitions at once.
        progress: Told how many passes are done.
    """

    network: Network
    example: tf.Tensor
    target: TargetTensor
    labels: tf.Tensor
    batch_size: int
    progress: Progress | None = None

    @property
    def players(self) -> tf.Tensor:
        """The number M of units."""
        return tf.reduce_max(self.labels) + 1

    def nothing(self) -> tf.Tensor:
        """Returns the score of no unit at all, a number."""
        return self._scores(tf.zeros((1, self.players), tf.bool))[0]

    def everything(self) -> tf.Tensor:
        """Returns the score of the example as it is, a number."""
        return self._scores(tf.ones((1, self.players), tf.bool))[0]

    def scores(self, passes: int | tf.Tensor, present: Present) -> tf.Tensor:
        """Returns the scores (passes,) of the coalitions 0, 1, ... that `present` tells, in batches."""

        def add(start: tf.Tensor, scores: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            if self.progress:
                self.progress(start, passes)
            number = tf.range(start, tf.minimum(start + self.batch_size, passes))
            update = tf.tensor_scatter_nd_update(scores, number[:, None], self._scores(present(number)))
            return start + self.batch_size, update

        zeros = tf.zeros(tf.reshape(passes, (1,)), self.example.dtype)
        shapes = (tf.TensorShape([]), tf.TensorShape([None]))
        return tf.while_loop(lambda i, _: i < passes, add, (0, zeros), shapes, parallel_iterations=1)[1]

    def losses(self) -> tf.Tensor:
        """Returns what the score loses (M,) without one unit each."""
        unit = tf.range(self.players)
        return self.everything() - self.scores(self.players, lambda number: number[:, None] != unit)

    def along(self, ranks: tf.Tensor) -> tf.Tensor:
        """Returns the scores (R,M) after each arrival, where the units arrive in the orders `ranks` (R,M)."""
        players = self.players

        def present(number: tf.Tensor) -> tf.Tensor:
            return tf.gather(ranks, number // players) <= (number % players)[:, None]

        return tf.reshape(self.scores(tf.size(ranks), present), tf.shape(ranks))

    def _scores(self, present: tf.Tensor) -> tf.Tensor:
        """Returns the scores (P,) of coalitions (P,M), at most `batch_size`."""
        always = tf.ones_like(present[:, :1])
        unit = tf.where(self.labels < 0, tf.shape(present)[1], self.labels)
        there = tf.gather(tf.concat([present, always], axis=1), unit, axis=1)
        if self.network.kind == "voxels":
            return self._score(tf.where(there[..., None], self.example, tf.zeros_like(self.example)))
        return self._of_points(there)

    def _score(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the target's score (P,) of inputs (P,...)."""
        score = target_score(
            self.network(inputs), rows(self.target, tf.zeros(tf.shape(inputs)[:1], tf.int32))
        )
        return tf.cast(score, self.example.dtype)

    def _of_points(self, there: tf.Tensor) -> tf.Tensor:
        """Returns the scores (P,) of the points that are there, bool (P,N)."""
        order = tf.argsort(tf.cast(there, tf.int32), axis=1, direction="DESCENDING", stable=True)
        left = tf.reduce_sum(tf.cast(there, tf.int32), axis=1)
        points = tf.shape(there)[1]
        size = tf.where(left > 0, left, points)

        def run(row: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
            number, count = tf.gather(order, row)[:, :width], tf.gather(left, row)[:, None]
            clouds = tf.gather(self.example, tf.where(tf.range(width) < count, number, number[:, :1]))
            return self._score(tf.where(count[..., None] > 0, clouds, tf.zeros_like(clouds)))

        if self.network.ignores_copies or self.network.size is not None:
            return run(tf.range(tf.size(size)), tf.reduce_max(size))
        sizes = tf.unique(size).y

        def add(step: tf.Tensor, scores: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            row = tf.where(size == sizes[step])
            return step + 1, tf.tensor_scatter_nd_update(scores, row, run(row[:, 0], sizes[step]))

        zeros = tf.zeros(tf.shape(size), self.example.dtype)
        return tf.while_loop(lambda i, _: i < tf.size(sizes), add, (0, zeros), parallel_iterations=1)[1]
