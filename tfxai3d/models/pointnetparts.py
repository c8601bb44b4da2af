"""PointNet's network for the parts of objects (Qi et al., CVPR 2017, supplement, section C)."""

from typing import Any

import keras

from tfxai3d.errors import UserError
from tfxai3d.models.classifier import Classifier
from tfxai3d.models.layers.head import logits
from tfxai3d.models.layers.shared_mlp import SharedDense, SharedDenseMax
from tfxai3d.models.layers.t_net import t_net


@keras.saving.register_keras_serializable(package="tfxai3d")
class PointNetParts(Classifier):
    """PointNet for parts: points (B,N,3), any N, to logits of each point (B,N,num_classes).

    Each point is classified by its own features of all layers, 64, 128, 128, 128 and 512, beside the 2,048 of
    the whole cloud: the 3,008 of the paper's figure 9. (The authors' program takes the 2,048 of each point as
    well.) `point_features` names the features (B,N,2048) just before the max over the points.

    The published network is also told the category of the object, as a second input. This one is not: its
    classes are parts of a category, such as "chair/leg", so that it says both, takes points alone as all
    others do, and nobody who explains it need know the answer beforehand.

    Args:
        num_classes: Number of parts, over all categories.
        width: Scales the numbers of channels, 1 for the published network; a multiple of 1/32.
        dropout: Dropout rate after the first two layers that see the whole cloud.
        regularizer: Weight of the feature transform's orthogonality loss.
        momentum: Momentum of all BatchNorm statistics.
        class_names: Names of the classes, such as "chair/leg"; they travel with the model.
        **kwargs: Further arguments of keras.Model.

    Raises:
        UserError: If the width is none of those.
    """

    data_kind = "points"
    endpoint = "point_features"
    segments = True

    def __init__(
        self,
        num_classes: int,
        width: float = 1.0,
        dropout: float = 0.2,
        regularizer: float = 1e-3,
        momentum: float = 0.9,
        class_names: tuple[str, ...] | None = None,
        **kwargs: Any,
    ):
        if width <= 0 or width * 32 % 1:
            raise UserError(f"width {width}: must be a positive multiple of {1 / 32}")
        points = keras.Input((None, 3), name="points")
        x: Any = t_net(points, "input_transform", momentum, width=width)
        own = []
        for i, units in enumerate((64, 128, 128)):
            x = SharedDense(round(units * width), momentum, name=f"mlp_{i}")(x)
            own.append(x)
        own.append(t_net(x, "feature_transform", momentum, regularizer, width))
        own.append(SharedDense(round(512 * width), momentum, name="mlp_3")(own[-1]))
        cloud = SharedDenseMax(round(2048 * width), momentum, name="point_features")(own[-1])
        x = keras.layers.Concatenate(name="own_features")(own)
        x = _point_in_cloud(x, cloud, round(256 * width), momentum)
        for i, units in enumerate((256, 128), start=1):
            x = keras.layers.Dropout(dropout, name=f"head_{i - 1}_dropout")(x)
            x = SharedDense(round(units * width), momentum, name=f"head_{i}")(x)
        super().__init__(points, logits(x, num_classes), class_names, **kwargs)
        self.num_classes, self.width, self.dropout = num_classes, width, dropout
        self.regularizer, self.momentum = regularizer, momentum


def _point_in_cloud(own: Any, cloud: Any, units: int, momentum: float) -> Any:
    """Applies a dense layer, BatchNorm and ReLU to each point's features (B,N,C) beside the cloud's (B,K).

    The same as one dense layer on both, the cloud's repeated for each point; here they are multiplied once.
    """
    of_cloud = keras.layers.Dense(units, use_bias=False, name="head_0_cloud")(cloud)
    of_cloud = keras.layers.Reshape((1, units), name="head_0_every_point")(of_cloud)
    of_point = keras.layers.Dense(units, use_bias=False, name="head_0_point")(own)
    x = keras.layers.Add(name="head_0")([of_point, of_cloud])
    x = keras.layers.BatchNormalization(momentum=momentum, name="head_0_norm")(x)
    return keras.layers.ReLU(name="head_0_relu")(x)
