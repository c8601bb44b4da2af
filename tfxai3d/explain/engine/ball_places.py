"""Networks that group points in balls (PointNet++), as functions of the points' places within their balls."""

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from tfxai3d.explain.engine.calls import inference
from tfxai3d.explain.engine.network import Network
from tfxai3d.explain.engine.shadow import has_layer, shadow
from tfxai3d.models.layers.neighbors import gather
from tfxai3d.models.layers.set_abstraction import Group


def groups_points(model: Any) -> bool:
    """Whether the model sees points by their places in balls alone, as PointNet++ does."""
    return has_layer(model, Group)


def scaled_network(network: Network, model: keras.Model, points: tf.Tensor, power: float) -> Network:
    """Returns the network at the clouds as a function of a factor on each point's places in its balls.

    A point's place u in a ball becomes `u (1 + (a - 1) |u|^power)` with its factor a: at 1 it stays, and on
    the way to 0 it nears the centre of each of its balls, faster where it is far from it. Balls, their
    centres, and the neighbours found stay.

    Args:
        network: What is explained.
        model: Its Keras model, for which `groups_points` is true.
        points: Clouds (B,N,3).
        power: Of the distance.

    Returns:
        A Network of the factors (B,N,3), one an axis.
    """

    def function(factors: tf.Tensor) -> tf.Tensor:
        def adjust(original: Any, copy: Any) -> None:
            if isinstance(original, Group):

                def call(points: tf.Tensor, centroids: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
                    places = original.call(points, centroids, index)
                    pull = tf.norm(places, axis=-1, keepdims=True) ** power
                    return places * (1 + (gather(factors, index) - 1) * pull)

                vars(copy)["call"] = call

        return network.scores(inference(shadow(model, adjust))(points))

    return dataclasses.replace(network, function=function)
