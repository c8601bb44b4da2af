"""Halving pools that pad on every side and, for the average, count the padding."""

from typing import Any, Literal, get_args

import keras
from keras import ops

from tfxai3d.errors import check_choice

Mode = Literal["max", "average"]


@keras.saving.register_keras_serializable(package="tfxai3d")
class HalvingPool3D(keras.layers.Layer):
    """Pools windows of 3^3 at every second position, (B,D,H,W,C) of even sizes to half of each.

    Window i of an axis covers 2i-1, 2i and 2i+1, so that only position -1 is padding: it never wins a "max",
    and counts as zeros in an "average". Keras's "same" pads the far end, and averages without the padding.
    """

    def __init__(self, mode: Mode, **kwargs: Any):
        super().__init__(**kwargs)
        check_choice("mode", mode, get_args(Mode))
        self.mode = mode

    def call(self, x: Any) -> Any:
        """Pools features (B,D,H,W,C)."""
        near = ((0, 0), (1, 0), (1, 0), (1, 0), (0, 0))
        x = ops.pad(x, near, constant_values=float("-inf") if self.mode == "max" else 0.0)
        if keras.backend.standardize_dtype(x.dtype) in ("float64", "float16"):
            return _sliced_pool(x, self.mode)
        return ops.max_pool(x, 3, 2) if self.mode == "max" else ops.average_pool(x, 3, 2)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape with its spatial sizes halved."""
        halves = (size and size // 2 for size in input_shape[1:-1])
        return (input_shape[0], *halves, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "mode": self.mode}


def _sliced_pool(padded: Any, mode: Mode) -> Any:
    """Pools features (B,2D+1,2H+1,2W+1,C) axis by axis, where TensorFlow has no pools on a CPU."""
    for axis in (1, 2, 3):
        x = ops.swapaxes(padded, 1, axis)
        first, second, third = x[:, :-2:2], x[:, 1:-1:2], x[:, 2::2]
        top = ops.maximum(ops.maximum(first, second), third)
        x = top if mode == "max" else (first + second + third) / 3
        padded = ops.swapaxes(x, 1, axis)
    return padded
