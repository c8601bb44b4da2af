"""PointNet (Qi et al., CVPR 2017), the full network and the basic one without transforms."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import keras
import numpy as np

from tfxai3d.errors import check_choice
from tfxai3d.models.classifier import Classifier
from tfxai3d.models.layers.features import feature_statistics, standardized
from tfxai3d.models.layers.head import pointnet_head
from tfxai3d.models.layers.shared_mlp import SharedDenseMax, shared_mlp
from tfxai3d.models.layers.t_net import t_net

Variant = Literal["full", "basic"]


@keras.saving.register_keras_serializable(package="tfxai3d")
class PointNet(Classifier):
    """PointNet classifier: points (B,N,3+F), any N, to logits (B,num_classes).

    `point_features` names the features (B,N,1024) just before the max over the points.

    Args:
        num_classes: Number of classes.
        variant: "full" has both transforms; "basic" has none and a shared MLP 64-64-64-128-1024.
        dropout: Dropout rate after each hidden dense layer of the head.
        regularizer: Weight of the feature transform's orthogonality loss.
        momentum: Momentum of all BatchNorm statistics.
        class_names: Names of the classes; they travel with the model.
        features: Names of the F columns after x y z; they travel with it, too. The input transform turns
            x y z alone.
        mean: Of each feature: the network computes with (feature - mean) / std. Training sets both to those
            of its clouds, but leaves normals as they are.
        std: See `mean`; above 0.
        widths: Numbers of channels by the names of the layers that make them, where pruning left fewer.
        **kwargs: Further arguments of keras.Model.
    """

    data_kind = "points"
    endpoint = "point_features"
    variants = get_args(Variant)
    ignores_copies = True  # the features of the points meet in a max

    def __init__(
        self,
        num_classes: int,
        variant: Variant = "full",
        dropout: float = 0.3,
        regularizer: float = 1e-3,
        momentum: float = 0.9,
        class_names: tuple[str, ...] | None = None,
        features: Sequence[str] = (),
        mean: Sequence[float] = (),
        std: Sequence[float] = (),
        widths: Mapping[str, int] | None = None,
        **kwargs: Any,
    ):
        check_choice("variant", variant, self.variants)
        points = keras.Input((None, 3 + len(features)), name="points")
        x: Any = standardized(points, features, mean, std)
        if variant == "full":
            x = t_net(x, "input_transform", momentum, size=3)
        x = shared_mlp(x, (64, 64), "mlp1", momentum)
        if variant == "full":
            x = t_net(x, "feature_transform", momentum, regularizer)
        x = shared_mlp(x, (64, 128), "mlp2", momentum)
        x = SharedDenseMax(1024, momentum, name="point_features")(x)
        logits = pointnet_head(x, num_classes, dropout, momentum)
        super().__init__(points, logits, class_names, widths, **kwargs)
        self.num_classes, self.variant, self.dropout = num_classes, variant, dropout
        self.regularizer, self.momentum = regularizer, momentum
        self.features, self.mean, self.std = tuple(features), tuple(mean), tuple(std)

    @classmethod
    def data_options(cls, inputs: np.ndarray) -> dict[str, Any]:
        """Returns the means and standard deviations of the features of clouds (M,N,3+F)."""
        return feature_statistics(inputs)
