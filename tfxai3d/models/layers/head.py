"""The dense layers above a network's features."""

from typing import Any

import keras

from tfxai3d.models.layers.precision import wide


def dense_norm_relu(x: Any, units: int, name: str, momentum: float) -> Any:
    """Applies a dense layer without bias, BatchNorm and ReLU to features (B,C): (B,units)."""
    x = keras.layers.Dense(units, use_bias=False, name=name)(x)
    x = keras.layers.BatchNormalization(momentum=momentum, name=f"{name}_norm")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)


def pointnet_head(x: Any, num_classes: int, dropout: float, momentum: float) -> Any:
    """Applies the head that PointNet and PointNet++ share: features (B,C) to logits (B,num_classes)."""
    for i, units in enumerate((512, 256)):
        x = dense_norm_relu(x, units, f"head_{i}", momentum)
        x = keras.layers.Dropout(dropout, name=f"head_{i}_dropout")(x)
    return logits(x, num_classes)


def logits(x: Any, num_classes: int, kernel_initializer: Any = "glorot_uniform") -> Any:
    """Applies the last layer, in float32 at least: features (B,C) to logits (B,num_classes)."""
    options = {"kernel_initializer": kernel_initializer, "name": "logits", "dtype": wide(x.dtype)}
    return keras.layers.Dense(num_classes, **options)(x)
