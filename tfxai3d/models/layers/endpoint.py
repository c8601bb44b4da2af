"""A model cut at its endpoint: the features that are explained, and the head above them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

from tfxai3d.errors import UserError
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

    Raises:
        UserError: If the model names no endpoint, or has no such layer.
    """
    name = getattr(model, "endpoint", None)
    layer = next((layer for layer in model.layers if layer.name == name), None)
    if layer is None:
        raise UserError(f"model {model.name!r} has no endpoint{f' {name}' if name else ''}")
    top = keras.Model(layer.output, model.output)
    if not isinstance(layer, SharedDenseMax):
        trunk = keras.Model(model.input, layer.output)
        return Split(lambda x: trunk(x, training=False), lambda features: top(features, training=False))
    trunk = keras.Model(model.input, layer.input)
    return Split(
        features=lambda inputs: layer.features(trunk(inputs, training=False)),
        head=lambda features: top(max_over_points(features), training=False),
    )


def max_over_points(features: Any) -> Any:
    """Computes the max over the points of features after a ReLU, (B,N,K) -> (B,K).

    The gradient goes to the winning points, in equal shares where several are equal, so that it does not
    depend on the order of the points. A channel that no point activates passes none: all points are equal
    there, and none of them made the decision.
    """

    @ops.custom_gradient
    def forward(features: Any) -> tuple[Any, Any]:
        top = ops.max(features, axis=1, keepdims=True)

        def backward(*args: Any, upstream: Any = None) -> Any:
            won = ops.cast(ops.logical_and(features == top, top > 0), features.dtype)
            share = ops.maximum(ops.sum(won, axis=1, keepdims=True), 1)
            return won * ((args[0] if upstream is None else upstream)[:, None] / share)

        return top[:, 0], backward

    return forward(features)
