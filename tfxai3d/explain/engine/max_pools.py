"""The max over the points inside of a Keras model, wherever it is."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfxai3d.models.layers.shared_mlp import SharedDenseMax

Pool = Callable[[str, tf.Tensor], tf.Tensor]
"""Maps the name of a layer and the features (B,N,K) that go into its max to what comes out of it (B,K)."""


def replace_max(original: Any, copy: Any, points: int | None, pool: Pool) -> None:
    """Puts `pool` in the place of the max over the points in a layer's shadow, if the layer takes one.

    Args:
        original: A layer of the model, or an operation of its graph.
        copy: Its shadow.
        points: The number of points that the model is called with, None where it may be any.
        pool: Computes what stands for the max.
    """
    name, plain = original.name, copy.call

    def has_rows(features: tf.Tensor) -> bool:
        return features.shape.rank == 3 and features.shape[1] == points

    if isinstance(original, SharedDenseMax):
        vars(copy)["call"] = lambda x, **_: pool(name, copy.features(x))
    elif isinstance(original, keras.layers.GlobalMaxPooling1D):
        vars(copy)["call"] = lambda x, *_: pool(name, x) if has_rows(x) else plain(x)
    elif type(original).__name__ == "Max" and original.axis in (1, (1,), [1]):
        vars(copy)["call"] = lambda x: _like_max(pool(name, x), original) if has_rows(x) else plain(x)


def _like_max(pooled: tf.Tensor, operation: Any) -> tf.Tensor:
    return pooled[:, None] if operation.keepdims else pooled
