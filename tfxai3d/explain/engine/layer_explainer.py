"""What the methods share that rate the rows of a layer's features: Grad-CAM and its kin."""

import abc
from typing import Any, ClassVar

import tensorflow as tf

from tfxai3d.explain.engine.layer_output import LayerOutput
from tfxai3d.explain.engine.target import TargetTensor
from tfxai3d.explain.explainer import Explainer, Parts


class LayerExplainer(Explainer):
    """A method that gives each row of a layer's features one number, and carries it to points or voxels.

    The features are the endpoint's: PointNet's and PointNet++'s just before the max over points, VRN's last
    feature map. Numbers of centroids and of coarse voxels are interpolated to points and voxels.

    Args:
        model: A Keras model with an endpoint; it is not changed.
        layer: Name of the layer whose output are the features; for models that name no endpoint.
        **kwargs: Of `Explainer`.

    Raises:
        UserError: If there is no such layer, or its output are no features of points or voxels.
    """

    needs: ClassVar[str] = "the features of a layer"

    def __init__(self, model: Any, layer: str | None = None, **kwargs: Any):
        super().__init__(model, **kwargs)
        self.layer = layer or self.network.layer
        self.features = LayerOutput(self.network, self.model, self.layer)
        endpoint = getattr(self.model, "endpoint", None)
        self._carries = self.features.name == endpoint and hasattr(self.model, "to_points")

    def options(self) -> dict[str, Any]:
        """Returns the layer, if one was named."""
        return {"layer": self.layer} if self.layer else {}

    def explain_batch(self, inputs: tf.Tensor, target: TargetTensor) -> Parts:
        """Returns the rows' numbers as importance, and repeated over the coordinates as attributions."""
        rows, scores = self.rate(inputs, target)
        importance = self._on_inputs(tf.cast(rows, inputs.dtype), inputs)
        return Parts(self.network.layout.spread(importance, inputs), importance, scores)

    @abc.abstractmethod
    def rate(self, inputs: tf.Tensor, target: TargetTensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns one number a row of the features, (B,M) or (B,d,h,w), and the logits (B,C)."""

    def _on_inputs(self, rows: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
        """Carries a number of each row to points (B,N) or, interpolated, to voxels (B,D,H,W)."""
        if self.network.kind == "voxels":
            places = self.network.layout.places(inputs)
            for axis in (1, 2, 3):
                rows = _stretched(rows, tf.shape(places)[axis], axis)
            return tf.ensure_shape(rows, places.shape)
        return self.model.to_points(rows, inputs) if self._carries else rows


def _stretched(rows: tf.Tensor, size: tf.Tensor, axis: int) -> tf.Tensor:
    """Interpolates one axis linearly to a size; the middle of each cell keeps its place in the grid."""
    count = tf.shape(rows)[axis]
    cells, fine = tf.range(count), tf.range(size)
    scale = tf.cast(count, rows.dtype) / tf.cast(size, rows.dtype)
    place = (tf.cast(fine, rows.dtype) + 0.5) * scale - 0.5
    place = tf.clip_by_value(place, 0, tf.cast(count - 1, rows.dtype))
    weight = tf.nn.relu(1 - tf.abs(place[:, None] - tf.cast(cells, rows.dtype)))
    letters = "bxyz"
    return tf.einsum(f"{letters},u{letters[axis]}->{letters.replace(letters[axis], 'u')}", rows, weight)
