"""Point saliency by dropping, "ASM" (Zheng et al., ICCV 2019)."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.ball_places import groups_points, scaled_network
from tfxai3d.explain.engine.gradients import input_gradient
from tfxai3d.explain.engine.head import log_probabilities
from tfxai3d.explain.engine.region import RegionTensor
from tfxai3d.explain.engine.target import TargetTensor, resolved, target_score
from tfxai3d.explain.explainer import Explainer, Parts
from tfxai3d.results.explanation import DataKind


class PointSaliency(Explainer):
    """How much the loss would rise if a point moved to the centre of the cloud: `s_i r_i^power`.

    With the centre m, `r_i = ||x_i - m||` and the cross entropy L of the target,
    `s_i = -(dL/dx_i . (x_i - m))`: moving a point to the centre of the cloud stands for dropping it.
    Points with high values speak for the class, those with values below 0 against it. The attributions are
    the three products whose sum is a point's importance. For a target that is no class, L is minus its score.

    PointNet++ sees a point by its places u in the balls of its neighbours, and the place that tells it
    nothing is the ball's centre, not the cloud's. With "ball" the point moves there, in all its balls at
    once: `s_i r_i^power` becomes the sum of `-(dL/du . u) |u|^power` over them. By docs/results/dropping.md
    that tells what its answer rests on, where the published centre hardly does.

    Args:
        model: Maps points (B,N,3+F) to logits; see `Explainer`. The F features stay where a point moves.
        centre: "median" (published) or "mean" of each axis over the points, three coordinates, or "ball".
        power: Of the distance; published 1 for PointNet and 6 for DGCNN.
        **kwargs: Of `Explainer`.

    Raises:
        UserError: If the model takes voxels, the centre is none of these or the model has no balls, or the
            power is negative or not a finite number.
    """

    method: ClassVar[str] = "point_saliency"
    title: ClassVar[str] = "Point saliency (ASM)"
    kinds: ClassVar[tuple[DataKind, ...]] = ("points",)

    def __init__(
        self,
        model: Any,
        centre: str | Sequence[float] = "median",
        power: float = 1.0,
        **kwargs: Any,
    ):
        if not 0 <= power < np.inf:
            raise UserError(f"power must be a finite number from 0, it is {power}")
        super().__init__(model, **kwargs)
        self.centre, self.power = _checked(centre), float(power)
        if self.centre == "ball" and not groups_points(self.model):
            name = self.network.name
            raise UserError(f"centre 'ball': {name} has no balls of neighbours as PointNet++; give 'median'")

    def options(self) -> dict[str, Any]:
        """Returns the centre and the power."""
        centre = self.centre if isinstance(self.centre, str) else list(self.centre)
        return {"centre": centre, "power": self.power}

    def explain_batch(self, inputs: tf.Tensor, target: TargetTensor) -> Parts:
        """Returns the saliency of each point and its three terms."""
        if self.centre == "ball":
            return self._within_balls(inputs, target)
        downhill, scores = input_gradient(self.network, inputs, lambda scores: -self._loss(scores, target))
        layout = self.network.layout
        points = layout.channels_last(inputs)[..., :3]
        offset = points - self._centre_of(points)
        distance = tf.norm(offset, axis=-1, keepdims=True)
        terms = layout.channels_last(downhill)[..., :3] * offset * distance**self.power
        features = inputs.shape[layout.axis(3)] - 3  # such as normals: they do not change where a point moves
        terms = layout.as_given(tf.pad(terms, [[0, 0], [0, 0], [0, features]]), inputs)
        return Parts(terms, layout.contribution(terms), scores)

    def _within_balls(self, inputs: tf.Tensor, target: TargetTensor) -> Parts:
        """Returns the saliency with the places in the balls for the offset from the cloud's centre."""
        scaled = scaled_network(self.network, self.model, inputs, self.power)
        terms, scores = input_gradient(
            scaled, tf.ones_like(inputs), lambda scores: -self._loss(scores, target)
        )
        return Parts(terms, tf.reduce_sum(terms, axis=-1), scores)

    def _loss(self, scores: tf.Tensor, target: TargetTensor) -> tf.Tensor:
        """Returns the cross entropy of the target (B,), or minus the score of a target that is no class."""
        no_class = callable(target) or isinstance(target, RegionTensor) or target.shape.rank != 1
        if no_class or self.network.head == "regression":
            return -target_score(scores, target)
        logs = log_probabilities(scores, self.network.head)
        return -tf.gather(logs, resolved(target, scores), batch_dims=1)

    def _centre_of(self, points: tf.Tensor) -> tf.Tensor:
        """Returns the centre (B,1,3), or (3,) where it was given."""
        if self.centre == "median":
            return _median(points)
        if self.centre == "mean":
            return tf.reduce_mean(points, axis=1, keepdims=True)
        return tf.constant(self.centre, points.dtype)


def _median(points: tf.Tensor) -> tf.Tensor:
    """Returns the median of each axis (B,1,3); of an even number the mean of the two in the middle."""
    count = tf.shape(points)[1]
    ordered = tf.sort(tf.transpose(points, (0, 2, 1)), axis=-1)
    middle = (ordered[..., (count - 1) // 2] + ordered[..., count // 2]) / 2
    return middle[:, None]


def _checked(centre: str | Sequence[float]) -> str | tuple[float, ...]:
    if isinstance(centre, str):
        if centre in ("median", "mean", "ball"):
            return centre
    else:
        try:
            coordinates = np.asarray(centre, dtype=float)
        except (TypeError, ValueError):
            coordinates = np.empty(0)
        if coordinates.shape == (3,) and np.isfinite(coordinates).all():
            return tuple(coordinates.tolist())
    raise UserError(f"centre must be 'median', 'mean', 'ball' or three numbers, it is {centre!r}")
