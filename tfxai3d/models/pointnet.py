"""PointNet (Qi et al., CVPR 2017), the full network and the basic one without transforms."""

from typing import Any, Literal, get_args

import keras
from keras import ops

from tfxai3d.errors import check_choice
from tfxai3d.models.classifier import Classifier
from tfxai3d.models.layers.head import dense_norm_relu, pointnet_head
from tfxai3d.models.layers.precision import wide
from tfxai3d.models.layers.shared_mlp import Shape, SharedDense, SharedDenseMax

Variant = Literal["full", "basic"]


@keras.saving.register_keras_serializable(package="tfxai3d")
class Transform(keras.layers.Layer):
    """Multiplies points (B,N,K) by a matrix (B,K,K) that a T-Net predicts as its offset from identity.

    The regularizer weighs `||I - T T^t||^2 / 2`, averaged over the batch, in the loss.
    """

    def __init__(self, regularizer: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.regularizer = regularizer

    def call(self, points: Any, offset: Any) -> Any:
        """Transforms points (B,N,K) by the identity plus `offset` (B,K*K)."""
        size = points.shape[-1]
        identity = ops.eye(size, dtype=self.compute_dtype)
        matrix = ops.reshape(offset, (-1, size, size)) + identity
        if self.regularizer:
            defect = identity - ops.matmul(matrix, ops.transpose(matrix, (0, 2, 1)))
            penalty = ops.mean(ops.sum(ops.square(ops.cast(defect, wide(self.compute_dtype))), axis=(1, 2)))
            self.add_loss(self.regularizer / 2 * penalty)
        return ops.matmul(points, matrix)

    def compute_output_shape(self, points_shape: Shape, offset_shape: Shape) -> Shape:
        """Returns the shape of the points, unchanged."""
        return points_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "regularizer": self.regularizer}


@keras.saving.register_keras_serializable(package="tfxai3d")
class PointNet(Classifier):
    """PointNet classifier: points (B,N,3), any N, to logits (B,num_classes).

    `point_features` names the features (B,N,1024) just before the max over the points.

    Args:
        num_classes: Number of classes.
        variant: "full" has both transforms; "basic" has none and a shared MLP 64-64-64-128-1024.
        dropout: Dropout rate after each hidden dense layer of the head.
        regularizer: Weight of the feature transform's orthogonality loss.
        momentum: Momentum of all BatchNorm statistics.
        class_names: Names of the classes; they travel with the model.
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
        **kwargs: Any,
    ):
        check_choice("variant", variant, self.variants)
        points = keras.Input((None, 3), name="points")
        x: Any = points
        if variant == "full":
            x = _transform(x, "input_transform", momentum, 0.0)
        x = _shared_mlp(x, (64, 64), "mlp1", momentum)
        if variant == "full":
            x = _transform(x, "feature_transform", momentum, regularizer)
        x = _shared_mlp(x, (64, 128), "mlp2", momentum)
        x = SharedDenseMax(1024, momentum, name="point_features")(x)
        logits = pointnet_head(x, num_classes, dropout, momentum)
        super().__init__(points, logits, class_names, **kwargs)
        self.num_classes, self.variant, self.dropout = num_classes, variant, dropout
        self.regularizer, self.momentum = regularizer, momentum


def _shared_mlp(x: Any, widths: tuple[int, ...], name: str, momentum: float) -> Any:
    for i, units in enumerate(widths):
        x = SharedDense(units, momentum, name=f"{name}_{i}")(x)
    return x


def _transform(x: Any, name: str, momentum: float, regularizer: float) -> Any:
    """T-Net: predicts a matrix from the points and multiplies them by it."""
    size = x.shape[-1]
    y = _shared_mlp(x, (64, 128), f"{name}_mlp", momentum)
    y = SharedDenseMax(1024, momentum, name=f"{name}_max")(y)
    for i, units in enumerate((512, 256)):
        y = dense_norm_relu(y, units, f"{name}_dense_{i}", momentum)
    # Zero weights: the matrix starts as the identity.
    offset = keras.layers.Dense(size * size, kernel_initializer="zeros", name=f"{name}_offset")(y)
    return Transform(regularizer, name=name)(x, offset)
