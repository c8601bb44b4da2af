"""This package's layers with gradients of their own, as the plain operations that they stand for."""

from typing import Any

import tensorflow as tf

from tfxai3d.models.layers.neighbors import gather, group
from tfxai3d.models.layers.set_abstraction import NeighborDense, NeighborMax
from tfxai3d.models.layers.shared_mlp import SharedDense, SharedDenseMax


def write_out(original: Any, copy: Any) -> None:
    """Makes a shadow of a max over points take it of all their features."""
    if isinstance(original, SharedDenseMax):
        vars(copy)["call"] = lambda x, **_: tf.reduce_max(copy.features(x), axis=1)
    elif isinstance(original, NeighborMax):
        vars(copy)["call"] = lambda x, **_: tf.reduce_max(copy.features(x), axis=2)


def write_out_neighbors(original: Any, copy: Any) -> None:
    """Makes a shadow of PointNet++'s first layer multiply the neighbours' places in the ball."""
    if isinstance(original, NeighborDense):

        def call(x: Any, **_: Any) -> tf.Tensor:
            features, points, centroids, index = x
            rows = tf.concat([group(points, centroids, index), gather(features, index)], axis=-1)
            return SharedDense.call(copy, rows)

        vars(copy)["call"] = call
