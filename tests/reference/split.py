"""A model cut at its endpoint by building two models: what the methods do on one shadow."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras

from tfxai3d.models.layers.max_over_points import max_over_points
from tfxai3d.models.layers.shared_mlp import SharedDenseMax


class Split(NamedTuple):
    """Two functions whose composition is the model at inference.

    Attributes:
        features: Maps inputs to the endpoint's features, points (B,N,3) to (B,M,K) or voxels to (B,d,h,w,K).
        head: Maps features to logits.
    """

    features: Callable[[Any], Any]
    head: Callable[[Any], Any]


def split(model: keras.Model) -> Split:
    """Cuts a functional model at the layer that its attribute `endpoint` names.

    PointNet and PointNet++ are cut just before the max over their points or centroids, VRN after its last
    feature map.
    """
    layer = model.get_layer(model.endpoint)
    top = keras.Model(layer.output, model.output)
    if not isinstance(layer, SharedDenseMax):
        trunk = keras.Model(model.input, layer.output)
        return Split(lambda x: trunk(x, training=False), lambda features: top(features, training=False))
    trunk = keras.Model(model.input, layer.input)
    return Split(
        features=lambda inputs: layer.features(trunk(inputs, training=False)),
        head=lambda features: top(max_over_points(features), training=False),
    )
