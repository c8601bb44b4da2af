"""PointNet++ (Qi et al., NIPS 2017), the single-scale and the multi-scale classifier."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import keras
import numpy as np

from tfxai3d.errors import UserError, check_choice
from tfxai3d.models.classifier import Classifier
from tfxai3d.models.layers.features import feature_statistics, standardized
from tfxai3d.models.layers.head import pointnet_head
from tfxai3d.models.layers.neighbors import interpolate
from tfxai3d.models.layers.set_abstraction import (
    BallQuery,
    Centroids,
    Columns,
    Group,
    NeighborDense,
    NeighborMax,
)
from tfxai3d.models.layers.shared_mlp import SharedDense, SharedDenseMax

Variant = Literal["ssg", "msg"]


class Scale(NamedTuple):
    """One ball size of a set abstraction: radius, neighbours a centroid, widths of the shared MLP."""

    radius: float
    neighbors: int
    widths: tuple[int, ...]


_FINE = (Scale(0.1, 16, (32, 32, 64)), Scale(0.2, 32, (64, 64, 128)), Scale(0.4, 128, (64, 96, 128)))
_COARSE = (Scale(0.2, 32, (64, 64, 128)), Scale(0.4, 64, (128, 128, 256)), Scale(0.8, 128, (128, 128, 256)))
# Per set abstraction, its number of centroids and its scales; section B of the paper's supplement.
_LEVELS: dict[str, tuple[tuple[int, tuple[Scale, ...]], ...]] = {
    "ssg": ((512, _FINE[1:2]), (128, _COARSE[1:2])),
    "msg": ((512, _FINE), (128, _COARSE)),
}
_DROPOUT = {"ssg": 0.5, "msg": 0.6}


@keras.saving.register_keras_serializable(package="tfxai3d")
class PointNet2(Classifier):
    """PointNet++ classifier: points (B,N,3+F), any N >= 1, to logits (B,num_classes).

    Clouds are expected in the unit sphere: the radii are absolute. Sampling starts at point 0, and a full
    ball keeps its first points, so the order of the points matters a little, as in the authors' code.

    `point_features` names the features (B,128,1024) of the last centroids, just before the max over them;
    `centroids` gives their places and `to_points` carries importance back.

    Args:
        num_classes: Number of classes.
        variant: "ssg" groups at a single scale, "msg" at three.
        dropout: Dropout rate after each hidden dense layer of the head; None is the paper's, 0.5 for "ssg"
            and 0.6 for "msg".
        density: Scales the numbers of centroids and of neighbours. The weights fit all densities, so that a
            training can start with 512 points at density 0.5, in a third of the time.
        momentum: Momentum of all BatchNorm statistics.
        class_names: Names of the classes; they travel with the model.
        features: Names of the F columns after x y z; they travel with it. Balls are found by x y z alone.
        mean: Of each feature: the network computes with (feature - mean) / std. Training sets both to those
            of its clouds, but leaves normals as they are.
        std: See `mean`; above 0.
        widths: Numbers of channels by the names of the layers that make them, where pruning left fewer.
        **kwargs: Further arguments of keras.Model.
    """

    data_kind = "points"
    endpoint = "point_features"
    variants = get_args(Variant)
    # Farthest point sampling starts at the first point, from which its copies are 0 away, and a ball that is
    # not full is filled with the first point found, which is what they are; then comes a max.
    ignores_copies = True

    def __init__(
        self,
        num_classes: int,
        variant: Variant = "ssg",
        dropout: float | None = None,
        density: float = 1.0,
        momentum: float = 0.9,
        class_names: tuple[str, ...] | None = None,
        features: Sequence[str] = (),
        mean: Sequence[float] = (),
        std: Sequence[float] = (),
        widths: Mapping[str, int] | None = None,
        **kwargs: Any,
    ):
        check_choice("variant", variant, self.variants)
        dropout = _DROPOUT[variant] if dropout is None else dropout
        if not 0 < density <= 1:
            raise UserError(f"density {density}: must be above 0 and at most 1, the published one")
        points = keras.Input((None, 3 + len(features)), name="points")
        places: Any = points
        known: Any = None
        if features:
            places = Columns(0, 3, name="places")(points)
            scaled = standardized(points, features, mean, std)
            known = Columns(3, 3 + len(features), name="features")(scaled)
        for level, (count, scales) in enumerate(_LEVELS[variant], start=1):
            count = max(1, round(count * density))
            scales = tuple(s._replace(neighbors=max(1, round(s.neighbors * density))) for s in scales)
            places, known = _set_abstraction(places, known, count, scales, f"sa{level}", momentum)
        x = keras.layers.Concatenate(name="sa3_group")([places, known])
        for i, units in enumerate((256, 512)):
            x = SharedDense(units, momentum, name=f"sa3_{i}")(x)
        x = SharedDenseMax(1024, momentum, name="point_features")(x)
        logits = pointnet_head(x, num_classes, dropout, momentum)
        super().__init__(points, logits, class_names, widths, **kwargs)
        self.num_classes, self.variant, self.dropout = num_classes, variant, dropout
        self.density, self.momentum = density, momentum
        self.features, self.mean, self.std = tuple(features), tuple(mean), tuple(std)

    @classmethod
    def stage_options(cls, size: int) -> dict[str, Any]:
        """Returns the density that fits clouds of so many points: 1 from 1,024 points on."""
        return {"density": min(1.0, size / 1024)}

    @classmethod
    def data_options(cls, inputs: np.ndarray) -> dict[str, Any]:
        """Returns the means and standard deviations of the features of clouds (M,N,3+F)."""
        return feature_statistics(inputs)

    def centroids(self, points: Any) -> Any:
        """Returns the places (B,128,3) of the rows of `point_features` for points (B,N,3+F)."""
        points = points[..., :3]
        for level in (1, 2):
            points = self.get_layer(f"sa{level}_centroids")(points)
        return points

    def to_points(self, importance: Any, inputs: Any) -> Any:
        """Carries the importance (B,128) of the centroids to the points (B,N,3+F) of the cloud: (B,N).

        Each point takes the mean of its three nearest centroids; see `neighbors.interpolate`.
        """
        return interpolate(inputs[..., :3], self.centroids(inputs), importance[..., None])[..., 0]


def _set_abstraction(
    points: Any, features: Any, count: int, scales: tuple[Scale, ...], name: str, momentum: float
) -> tuple[Any, Any]:
    """Returns centroids (B,count,3) and their features (B,count,F) of points and theirs, if there are any."""
    centroids = Centroids(count, name=f"{name}_centroids")(points)
    outputs = []
    for i, scale in enumerate(scales):
        part = f"{name}_{i}" if len(scales) > 1 else name
        index = BallQuery(scale.radius, scale.neighbors, name=f"{part}_query")(points, centroids)
        first, *inner, last = scale.widths
        if features is None:
            x = Group(name=f"{part}_group")(points, centroids, index)
            x = SharedDense(first, momentum, name=f"{part}_0")(x)
        else:
            x = NeighborDense(first, momentum, name=f"{part}_0")([features, points, centroids, index])
        for j, units in enumerate(inner, start=1):
            x = SharedDense(units, momentum, name=f"{part}_{j}")(x)
        outputs.append(NeighborMax(last, momentum, name=f"{part}_max")(x))
    if len(outputs) == 1:
        return centroids, outputs[0]
    return centroids, keras.layers.Concatenate(name=f"{name}_features")(outputs)
