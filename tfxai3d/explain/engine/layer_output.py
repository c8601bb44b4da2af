"""What a layer of a Keras model gives on the way to the logits, with its gradient if it is wanted."""

import difflib
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.network import Network
from tfxai3d.explain.engine.shadow import shadow
from tfxai3d.explain.engine.target import TargetTensor, target_score
from tfxai3d.models.layers.max_over_points import max_over_points
from tfxai3d.models.layers.shared_mlp import SharedDenseMax


class LayerOutput:
    """The output of one layer, seen on a shadow of the model: the model is left as it is.

    Args:
        network: What is explained.
        model: Its Keras model.
        layer: Name of the layer, also one inside of nested models; by default the endpoint, what the model's
            attribute `endpoint` says.
        rows: Whether rows of features are needed, of points (B,M,K) or voxels (B,d,h,w,K). A layer that ends
            in the max over the points (`SharedDenseMax`) then gives what goes into the max. Otherwise any
            output with channels will do.

    Attributes:
        name: Name of the layer.

    Raises:
        UserError: If the model is no Keras model, names no endpoint, or has no such layer or several.
    """

    def __init__(self, network: Network, model: Any, layer: str | None = None, rows: bool = True):
        if not isinstance(model, keras.Model):
            raise UserError(f"{network.name} must be a Keras model: the output of a layer is needed")
        name = layer or getattr(model, "endpoint", None)
        if name is None:
            raise UserError(f"{network.name} names no endpoint: give layer, the name of one of its layers")
        self.name, self._network, self._model = name, network, model
        self._layer, self._rows = _layer(network, model, name), rows

    def __call__(
        self, inputs: tf.Tensor, change: Callable[[tf.Tensor], tf.Tensor] = lambda output: output
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the layer's output and the logits (B,C), in inference mode.

        Args:
            inputs: Points (B,N,3) or voxels (B,D,H,W,1).
            change: Maps the layer's output to what the rest of the model gets in its place, and is returned.

        Raises:
            UserError: If the layer is not used exactly once, or its output is no tensor of features.
        """
        seen: list[Any] = []

        def see(output: Any) -> Any:
            seen.append(change(output))
            return seen[-1]

        def adjust(original: Any, copy: Any) -> None:
            if original is self._layer:
                plain = copy.call
                if self._rows and isinstance(original, SharedDenseMax):
                    vars(copy)["call"] = lambda x, **_: max_over_points(see(copy.features(x)))
                else:
                    vars(copy)["call"] = lambda *args, **kwargs: see(plain(*args, **kwargs))

        with keras.StatelessScope():
            answer = shadow(self._model, adjust)(inputs, training=False)
        if len(seen) != 1:
            raise UserError(f"{self} is used {len(seen)} times; its output is needed once")
        self._check(seen[0])
        return seen[0], self._network.logits(answer)

    def with_gradient(
        self, inputs: tf.Tensor, target: TargetTensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the layer's output, the gradient of the target's score for it, and the logits (B,C).

        Raises:
            UserError: If no gradient reaches the layer's output, or as for a call.
        """
        with tf.GradientTape(watch_accessed_variables=False) as tape:

            def watched(output: tf.Tensor) -> tf.Tensor:
                tape.watch(output)
                return output

            output, scores = self(inputs, watched)
            score = target_score(scores, target)
        gradient = tape.gradient(score, output)
        if gradient is None:
            raise UserError(f"no gradient reaches the output of {self}")
        return output, tf.convert_to_tensor(gradient), scores

    def _check(self, output: Any) -> None:
        if not tf.is_tensor(output) or not output.dtype.is_floating:
            raise UserError(f"{self} gives no tensor of numbers, whose channels are features")
        rank = {"points": 3, "voxels": 5}[self._network.kind] if self._rows else None
        if output.shape.rank < 2 or rank not in (None, output.shape.rank):
            what = f"features of {self._network.kind} are needed, with {rank} axes" if rank else "no channels"
            raise UserError(f"{self} gives features {tuple(output.shape)}; {what}")

    def __str__(self) -> str:
        return f"layer {self.name!r} of {self._network.name}"


def _layer(network: Network, model: keras.Model, name: str) -> Any:
    """Returns the one layer of a name; a mistake is answered with names that are near."""
    layers = {id(part): part for part in model._flatten_layers(include_self=False)}.values()
    found = [part for part in layers if part.name == name]
    if len(found) != 1:
        near = difflib.get_close_matches(name, [part.name for part in layers], n=4, cutoff=0.3)
        hint = f"; there are {', '.join(near)} and more" if near and not found else ""
        raise UserError(f"{network.name} has {len(found) or 'no'} layers named {name!r}{hint}")
    return found[0]
