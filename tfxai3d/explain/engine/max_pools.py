"""The pools over the points inside of a Keras model, wherever they are: maxima, and means."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfxai3d.models.layers.shared_mlp import SharedDenseMax

Pool = Callable[[str, tf.Tensor], tf.Tensor]
"""Maps the name of a layer and the features (B,N,K) that go into its pool to what comes out of it (B,K)."""


# What a pool over the points says of its axis.
_AXES: dict[str, tuple[Any, ...]] = {
    "channels_last": (1, (1,), [1], -2, (-2,)),
    "channels_first": (2, (2,), [2], -1, (-1,)),
}


def replace_max(
    original: Any, copy: Any, points: int | None, pool: Pool, data_format: str = "channels_last"
) -> None:
    """Puts `pool` in the place of the max over the points in a layer's shadow, if the layer takes one.

    Args:
        original: A layer of the model, or an operation of its graph.
        copy: Its shadow.
        points: The number of points that the model is called with, None where it may be any.
        pool: Computes what stands for the max.
        data_format: Where the model has its channels; a layer that says it itself is believed.
    """
    if isinstance(original, SharedDenseMax):
        vars(copy)["call"] = lambda x, **_: pool(original.name, copy.features(x))
    elif isinstance(original, keras.layers.GlobalMaxPooling1D) or _is(original, "Max", data_format):
        _replace(original, copy, points, pool, data_format)


def replace_mean(
    original: Any, copy: Any, points: int | None, pool: Pool, data_format: str = "channels_last"
) -> None:
    """Puts `pool` in the place of the mean over the points, as `replace_max` does with the max."""
    if isinstance(original, keras.layers.GlobalAveragePooling1D) or _is(original, "Mean", data_format):
        _replace(original, copy, points, pool, data_format)


def _is(original: Any, operation: str, data_format: str) -> bool:
    return type(original).__name__ == operation and original.axis in _AXES[data_format]


def _replace(original: Any, copy: Any, points: int | None, pool: Pool, data_format: str) -> None:
    name, plain = original.name, copy.call
    axis = 2 if getattr(original, "data_format", data_format) == "channels_first" else 1

    def call(x: tf.Tensor, *_: Any, **__: Any) -> tf.Tensor:
        if x.shape.rank != 3 or x.shape[axis] != points:
            return plain(x)
        pooled = pool(name, x if axis == 1 else tf.transpose(x, (0, 2, 1)))
        return tf.expand_dims(pooled, axis) if original.keepdims else pooled

    vars(copy)["call"] = call
