"""Networks whose neighbourhoods stay those of certain clouds while the points move."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from tfxai3d.explain.engine.calls import inference
from tfxai3d.explain.engine.network import Network
from tfxai3d.explain.engine.shadow import has_layer, shadow
from tfxai3d.models.layers.set_abstraction import PointIndexing


def frozen_network(network: Network, model: Any, inputs: tf.Tensor) -> Callable[[tf.Tensor], Network]:
    """Returns a network for any rows of the inputs that keeps the centroids and neighbours found in them.

    With them frozen, the score is continuous in the places of the points, as no gradient knows of the jumps
    that other neighbours bring. At the inputs themselves, and where all points coincide, it is the score of
    the network as it is.

    Args:
        network: What is explained.
        model: Its Keras model, for which `has_neighbors` is true.
        inputs: Clouds (B,N,3).

    Returns:
        A function of row numbers (P,) that gives the Network for clouds (P,N,3) on the way of these rows.
    """
    found: list[tf.Tensor] = []

    def recording(find: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
        def call(*places: tf.Tensor) -> tf.Tensor:
            found.append(find(*places))
            return found[-1]

        return call

    _with_indexing(model, recording)(inputs)

    def of_rows(example: tf.Tensor) -> Network:
        def function(clouds: tf.Tensor) -> tf.Tensor:
            indices: Iterator[tf.Tensor] = (tf.gather(index, example) for index in found)
            frozen = _with_indexing(model, lambda find: lambda *places: next(indices))
            return network.scores(frozen(clouds))

        return dataclasses.replace(network, function=function)

    return of_rows


def has_neighbors(model: Any) -> bool:
    """Whether the model chooses centroids or neighbours, as PointNet++ does."""
    return has_layer(model, PointIndexing)


def _with_indexing(model: keras.Model, change: Callable[..., Any]) -> Callable[[tf.Tensor], Any]:
    """Returns the model's inference with another `find` in each of its choices."""

    def adjust(original: Any, copy: Any) -> None:
        if isinstance(original, PointIndexing):
            vars(copy)["find"] = change(original.find)

    return inference(shadow(model, adjust))
