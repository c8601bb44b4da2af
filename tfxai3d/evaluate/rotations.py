"""How often a cloud keeps its class when it is rotated."""

from typing import Any, Literal

import numpy as np
import tensorflow as tf

from tfxai3d.data.orientation import of_all_columns, rotations_about
from tfxai3d.errors import UserError
from tfxai3d.explain.engine.filling import check_copies
from tfxai3d.explain.engine.head import log_probabilities
from tfxai3d.explain.engine.network import network
from tfxai3d.explain.engine.several_inputs import check_one_input

Axes = Literal["y", "z", "xyz"]
# benchmarks/p_grad_cam.py on 2 cores: 4,096 takes about a fifth longer, 32,768 and 65,536 differ by less
# than the noise and need more memory. XLA takes 1.6 times as long and compiles for each number of points.
_POINTS_AT_ONCE = 16384


def random_rotations(
    count: int, axes: Axes = "xyz", *, composed: bool = False, seed: int | tuple[int, ...] = 0
) -> np.ndarray:
    """Draws rotation matrices from uniform angles.

    Args:
        count: How many.
        axes: "y" or "z" rotates about the up axis; "xyz" about x, then y, then z.
        composed: Each rotation continues from the one before it, as in the p-grad-CAM program.
        seed: Equal seeds give equal rotations.

    Returns:
        Matrices float32 (count,3,3); a point is rotated by `matrix @ point`.
    """
    angles = np.random.default_rng(seed).uniform(0, 2 * np.pi, (len(axes), count))
    matrices = np.broadcast_to(np.eye(3), (count, 3, 3))
    for axis, axis_angles in zip(axes, angles, strict=True):
        matrices = rotations_about("xyz".index(axis), axis_angles) @ matrices
    return (_products(matrices) if composed else matrices).astype(np.float32)


class RotationTest:
    """Classifies rotated copies of a cloud in one compiled call, whatever its number of points.

    Of features after x y z normals are rotated too, see `of_all_columns` of tfxai3d.data.orientation.

    Args:
        model: Maps points (B,N,3+F) to scores (B,C); whatever an explainer takes, or an explainer.
        rotations: Matrices (R,3,3), at least one.
        points_at_once: The most points of all copies in one forward pass (but at least one copy).
        vote: The copies decide together, by the mean of their probabilities as in `vote`, instead of each
            for itself.

    Raises:
        UserError: If the rotations are no such matrices, the model takes several inputs, or as `network`.
    """

    def __init__(
        self, model: Any, rotations: np.ndarray, points_at_once: int = _POINTS_AT_ONCE, *, vote: bool = False
    ):
        if rotations.shape[1:] != (3, 3) or not len(rotations):
            raise UserError(f"rotations must be matrices (R,3,3), R at least 1; they are {rotations.shape}")
        self.network, self.points_at_once, self.vote = network(model), points_at_once, vote
        check_one_input(self.network)
        self.rotations = np.asarray(rotations, np.float32)
        self._compiled = tf.function(self._scores)

    def __call__(self, points: np.ndarray, label: int) -> tuple[float, float]:
        """Returns the fraction of a cloud's copies classified as `label`, and their mean cross entropy.

        The cloud is (N,3+F). Where the copies vote, the fraction is 1 or 0.
        """
        self.network.settle(points[None])
        check_copies(self.network, points[None])
        scores = self.scores(points)
        logs = log_probabilities(scores, self.network.head)
        losses = -logs[:, label]
        votes = tf.reduce_mean(tf.exp(logs), axis=0) if self.vote else scores
        right = tf.argmax(votes, axis=-1) == label
        return float(tf.reduce_mean(tf.cast(right, tf.float32))), float(tf.reduce_mean(losses))

    def scores(self, points: np.ndarray) -> tf.Tensor:
        """Returns the scores (R,C) of all copies of a cloud (N,3+F)."""
        cloud = np.asarray(points, np.float32)
        matrices = of_all_columns(self.rotations, cloud)
        specs = (tf.TensorSpec((None, *x.shape[1:]), x.dtype) for x in (cloud, matrices))
        return self._compiled.get_concrete_function(*specs)(tf.constant(cloud), tf.constant(matrices))

    def _scores(self, points: tf.Tensor, rotations: tf.Tensor) -> tf.Tensor:
        copies = tf.shape(rotations)[0]
        batch = tf.maximum(1, self.points_at_once // tf.shape(points)[0])
        batches = (copies + batch - 1) // batch
        rows = (None, self.network.classes)
        results = tf.TensorArray(tf.float32, batches, infer_shape=False, element_shape=rows)
        forward = tf.autograph.experimental.do_not_convert(self.network)
        for i in tf.range(batches):
            rotation = rotations[i * batch : (i + 1) * batch]
            copy = tf.matmul(tf.repeat(points[None], tf.shape(rotation)[0], 0), rotation, transpose_b=True)
            results = results.write(i, tf.cast(forward(tf.cast(copy, self.network.dtype)), tf.float32))
        return results.concat()


def _products(matrices: np.ndarray) -> np.ndarray:
    """Returns the running products `m_i @ ... @ m_1`, by doubling."""
    products, done = matrices, 1
    while done < len(matrices):
        products = np.concatenate([products[:done], products[done:] @ products[:-done]])
        done *= 2
    return products
