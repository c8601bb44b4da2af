"""The features at a model's endpoint, their gradient, and the way of their heat back to points or voxels."""

import dataclasses
from typing import Any

import keras
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.network import Network
from tfxai3d.explain.engine.shadow import shadow
from tfxai3d.explain.engine.target import TargetTensor, target_score
from tfxai3d.models.layers.endpoint import max_over_points
from tfxai3d.models.layers.shared_mlp import SharedDenseMax


class EndpointFeatures:
    """The features that a Keras model makes on its way to the logits.

    Args:
        network: What is explained.
        model: Its Keras model, which is left as it is.
        layer: Name of the layer whose output are the features, also one inside of nested models; by default
            what the model's attribute `endpoint` says.

    Raises:
        UserError: If the model is no Keras model, names no endpoint, or has no such layer or several.
    """

    def __init__(self, network: Network, model: Any, layer: str | None):
        if not isinstance(model, keras.Model):
            raise UserError(f"{network.name} must be a Keras model: its features are needed")
        name = layer or getattr(model, "endpoint", None)
        if name is None:
            raise UserError(f"{network.name} names no endpoint: give layer, the name of one of its layers")
        found = {id(part): part for part in model._flatten_layers(include_self=False) if part.name == name}
        if len(found) != 1:
            raise UserError(f"{network.name} has {len(found) or 'no'} layers named {name!r}; one is needed")
        self._network, self._model, self._layer = network, model, next(iter(found.values()))
        self._carries = name == getattr(model, "endpoint", None) and hasattr(model, "to_points")

    def __call__(self, inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the features, (B,M,K) of points or (B,d,h,w,K) of voxels, and the logits (B,C)."""
        features, scores = self._run(inputs, None)
        return features, scores

    def with_gradient(
        self, inputs: tf.Tensor, target: TargetTensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the features, the gradient of the target's score for them, and the logits."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            features, scores = self._run(inputs, tape)
            score = target_score(scores, target)
        gradient = tape.gradient(score, features)
        if gradient is None:
            raise UserError(f"no gradient reaches the features {self._layer.name!r} of {self._network.name}")
        return features, tf.convert_to_tensor(gradient), scores

    def heat_on_inputs(self, heat: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
        """Carries a value of each feature row to points (B,N) or, interpolated, to voxels (B,D,H,W)."""
        heat = tf.cast(heat, inputs.dtype)
        if self._network.kind == "voxels":
            for axis in (1, 2, 3):
                heat = _stretched(heat, tf.shape(inputs)[axis], axis)
            return tf.ensure_shape(heat, inputs.shape[:-1])
        return self._model.to_points(heat, inputs) if self._carries else heat

    def _run(self, inputs: tf.Tensor, tape: tf.GradientTape | None) -> tuple[tf.Tensor, tf.Tensor]:
        seen: list[tf.Tensor] = []

        def see(features: tf.Tensor) -> tf.Tensor:
            seen.append(features)
            if tape is not None:
                tape.watch(features)
            return features

        def adjust(original: Any, copy: Any) -> None:
            if original is self._layer:
                plain = copy.call
                if isinstance(original, SharedDenseMax):  # its output is the max over the features already
                    vars(copy)["call"] = lambda x, **_: max_over_points(see(copy.features(x)))
                else:
                    vars(copy)["call"] = lambda *args, **kwargs: see(plain(*args, **kwargs))

        with keras.StatelessScope():
            logits = shadow(self._model, adjust)(inputs, training=False)
        scores = dataclasses.replace(self._network, function=lambda _: logits)(inputs)
        rank = 3 if self._network.kind == "points" else 5
        if len(seen) != 1 or seen[0].shape.rank != rank:
            what = (
                f"is used {len(seen)} times" if len(seen) != 1 else f"gives features {tuple(seen[0].shape)}"
            )
            raise UserError(
                f"layer {self._layer.name!r} of {self._network.name} {what}; "
                f"features of {self._network.kind} are needed, with {rank} axes, once"
            )
        return seen[0], scores


def _stretched(heat: tf.Tensor, size: tf.Tensor, axis: int) -> tf.Tensor:
    """Interpolates one axis linearly to a size; the middle of each cell keeps its place in the grid."""
    count = tf.shape(heat)[axis]
    cells, fine = tf.range(count), tf.range(size)
    scale = tf.cast(count, heat.dtype) / tf.cast(size, heat.dtype)
    place = (tf.cast(fine, heat.dtype) + 0.5) * scale - 0.5
    place = tf.clip_by_value(place, 0, tf.cast(count - 1, heat.dtype))
    weight = tf.nn.relu(1 - tf.abs(place[:, None] - tf.cast(cells, heat.dtype)))
    letters = "bxyz"
    return tf.einsum(f"{letters},u{letters[axis]}->{letters.replace(letters[axis], 'u')}", heat, weight)
