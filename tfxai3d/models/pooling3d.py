"""Halving pools that pad on every side and, for the average, count the padding."""

from typing import Any, Literal, get_args

import keras
from keras import ops

Mode = Literal["max", "average"]


def _max_pool(padded: Any) -> Any:
    """Pools features (B,2D+1,2H+1,2W+1,C) without padding them."""
    if keras.backend.standardize_dtype(padded.dtype) != "float64":
        return ops.max_pool(padded, 3, 2)
    for axis in (1, 2, 3):  # TensorFlow has no such operation in float64
        x = ops.swapaxes(padded, 1, axis)
        x = ops.maximum(ops.maximum(x[:, :-2:2], x[:, 1:-1:2]), x[:, 2::2])
        padded = ops.swapaxes(x, 1, axis)
    return padded


@keras.saving.register_keras_serializable(package="tfxai3d")
class HalvingPool3D(keras.layers.Layer):
    """Pools windows of 3^3 at every second position, (B,D,H,W,C) of even sizes to half of each.

    Window i of an axis covers 2i-1, 2i and 2i+1, so that only position -1 is padding. Keras's "same" pads the
    far end instead, and leaves the padding out of its averages.

    Args:
        mode: "max", where padding never wins, or "average", where it counts as zeros: sums divided by 27.
        **kwargs: Of keras.layers.Layer.
    """

    def __init__(self, mode: Mode, **kwargs: Any):
        super().__init__(**kwargs)
        if mode not in get_args(Mode):
            raise ValueError(f"mode {mode!r}: must be one of {', '.join(get_args(Mode))}")
        self.mode = mode

    def call(self, x: Any) -> Any:
        """Pools features (B,D,H,W,C)."""
        near = ((0, 0), (1, 0), (1, 0), (1, 0), (0, 0))
        if self.mode == "max":
            return _max_pool(ops.pad(x, near, constant_values=float("-inf")))
        return ops.average_pool(ops.pad(x, near), 3, 2)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape with its spatial sizes halved."""
        halves = (size and size // 2 for size in input_shape[1:-1])
        return (input_shape[0], *halves, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "mode": self.mode}
