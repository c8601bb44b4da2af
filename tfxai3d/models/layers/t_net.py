"""PointNet's T-Net (Qi et al., CVPR 2017): points are multiplied by a matrix that is predicted from them."""

import math
from typing import Any

import keras
from keras import ops

from tfxai3d.models.layers.head import dense_norm_relu
from tfxai3d.models.layers.precision import wide
from tfxai3d.models.layers.shared_mlp import Shape, SharedDenseMax, shared_mlp


@keras.saving.register_keras_serializable(package="tfxai3d")
class Transform(keras.layers.Layer):
    """Multiplies points (B,N,K) by a matrix (B,K,K) that a T-Net predicts as its offset from identity.

    Further columns, the features of a cloud whose x y z are transformed, stay as they are.

    The regularizer weighs `||I - T T^t||^2 / 2`, averaged over the batch, in the loss.
    """

    def __init__(self, regularizer: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.regularizer = regularizer

    def call(self, points: Any, offset: Any) -> Any:
        """Transforms points (B,N,K+F) by the identity plus `offset` (B,K*K)."""
        size = math.isqrt(offset.shape[-1])
        identity = ops.eye(size, dtype=self.compute_dtype)
        matrix = ops.reshape(offset, (-1, size, size)) + identity
        if self.regularizer:
            defect = identity - ops.matmul(matrix, ops.transpose(matrix, (0, 2, 1)))
            penalty = ops.mean(ops.sum(ops.square(ops.cast(defect, wide(self.compute_dtype))), axis=(1, 2)))
            self.add_loss(self.regularizer / 2 * penalty)
        if size == points.shape[-1]:
            return ops.matmul(points, matrix)
        return ops.concatenate([ops.matmul(points[..., :size], matrix), points[..., size:]], axis=-1)

    def compute_output_shape(self, points_shape: Shape, offset_shape: Shape) -> Shape:
        """Returns the shape of the points, unchanged."""
        return points_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "regularizer": self.regularizer}


def t_net(
    x: Any, name: str, momentum: float, regularizer: float = 0.0, width: float = 1.0, size: int | None = None
) -> Any:
    """Predicts a matrix from points or their features (B,N,K), and multiplies them by it.

    Args:
        x: The points.
        name: What the names of the layers begin with.
        momentum: Momentum of the BatchNorm statistics.
        regularizer: See `Transform`.
        size: How many of the columns are multiplied, from the first; all by default.
        width: Scales the numbers of channels, published 64, 128, 1024, 512 and 256.
    """
    size = size or x.shape[-1]
    first, second, pooled, *dense = (round(units * width) for units in (64, 128, 1024, 512, 256))
    y = shared_mlp(x, (first, second), f"{name}_mlp", momentum)
    y = SharedDenseMax(pooled, momentum, name=f"{name}_max")(y)
    for i, units in enumerate(dense):
        y = dense_norm_relu(y, units, f"{name}_dense_{i}", momentum)
    # Zero weights: the matrix starts as the identity.
    offset = keras.layers.Dense(size * size, kernel_initializer="zeros", name=f"{name}_offset")(y)
    return Transform(regularizer, name=name)(x, offset)
