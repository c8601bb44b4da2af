"""What a layer of a Keras model gives on the way to the logits, with its gradient if it is wanted."""

import difflib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.network import Network
from tfxai3d.explain.engine.shadow import shadow
from tfxai3d.explain.engine.target import TargetTensor, target_score
from tfxai3d.models.layers.max_over_points import max_over_points
from tfxai3d.models.layers.precision import wide
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
            raise UserError(f"{network.name} must be a Keras model, for the output of a layer is needed")
        name = layer or getattr(model, "endpoint", None)
        if name is None:
            fitting = ", ".join(_fitting(model, network.kind)) or "none that shows its shape"
            raise UserError(
                f"{network.name} names no endpoint: give layer=, one of its layers; features have {fitting}"
            )
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
        points = self._network.kind == "points" and self._rows

        def see(output: Any) -> Any:
            self._check(output)
            flat = (
                output[:, :, 0] if points and output.shape.rank == 4 else output
            )  # (B,N,1,K), of old programs
            kept = self._network.unfilled(flat, inputs) if points else flat
            seen.append(change(kept))
            whole = self._network.filled(seen[-1], like=flat) if points else seen[-1]
            return whole[:, :, None] if whole.shape.rank < output.shape.rank else whole

        def adjust(original: Any, copy: Any) -> None:
            if original is self._layer:
                plain = copy.call
                if self._rows and isinstance(original, SharedDenseMax):
                    vars(copy)["call"] = lambda x, **_: max_over_points(see(copy.features(x)))
                else:
                    vars(copy)["call"] = lambda *args, **kwargs: see(plain(*args, **kwargs))

        with keras.StatelessScope():
            answer = shadow(self._model, adjust)(self._network.arguments(inputs), training=False)
        if len(seen) != 1:
            raise UserError(f"{self} is used {len(seen)} times; its output is needed once")
        return self._last(seen[0]), self._network.scores(answer)

    def _last(self, output: tf.Tensor) -> tf.Tensor:
        """Returns rows of features, or a gradient for them, with the channels last, in float32 or wider."""
        if not self._rows:
            return output
        said = getattr(self._layer, "data_format", None) or self._network.data_format
        output = tf.cast(output, wide(output.dtype.name))
        if said != "channels_first":
            return output
        return tf.transpose(output, (0, *range(2, len(output.shape)), 1))

    def with_gradient(
        self, inputs: tf.Tensor, target: TargetTensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns the layer's output, the gradient of the target's score for it, and the logits (B,C).

        Raises:
            UserError: If no gradient reaches the layer's output, or as for a call.
        """
        outputs: list[tf.Tensor] = []
        with tf.GradientTape(watch_accessed_variables=False) as tape:

            def watched(output: tf.Tensor) -> tf.Tensor:
                tape.watch(output)
                outputs.append(output)
                return output

            rows, scores = self(inputs, watched)
            score = target_score(scores, target)
        gradient = tape.gradient(score, outputs[0])
        if gradient is None:
            raise UserError(f"no gradient reaches the output of {self}")
        gradient = self._last(tf.convert_to_tensor(gradient))
        if self._rows and self._network.kind == "points" and not isinstance(self._layer, SharedDenseMax):
            gradient = _without_dead(rows, gradient)
        return rows, gradient, scores

    def _check(self, output: Any) -> None:
        if not tf.is_tensor(output) or not output.dtype.is_floating:
            raise UserError(f"{self} gives no tensor of numbers, whose channels are features")
        rank = {"points": 3, "voxels": 5}[self._network.kind] if self._rows else None
        if rank == 3 and output.shape.rank == 4 and output.shape[2] == 1:
            return
        if output.shape.rank < 2 or rank not in (None, output.shape.rank):
            what = f"features of {self._network.kind} are needed, with {rank} axes" if rank else "no channels"
            raise UserError(f"{self} gives features {tuple(output.shape)}; {what}")

    def __str__(self) -> str:
        return f"layer {self.name!r} of {self._network.name}"


def _without_dead(features: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
    """Returns the gradient (B,M,K) without that of channels in which a max finds all points equal.

    An ordinary max shares the gradient of such a channel among all points, most often one whose ReLU no
    point activates; none of them made the decision (see `max_over_points`). A mean over the points does give
    all of them the same, in the other channels too, and keeps it.
    """
    equal = tf.reduce_max(features, axis=1) == tf.reduce_min(features, axis=1)
    least, most = tf.reduce_min(tf.abs(gradient), axis=1), tf.reduce_max(tf.abs(gradient), axis=1)
    of_max = tf.reduce_any(~equal & (least == 0) & (most > 0), axis=1, keepdims=True)
    return tf.where((equal & (least > 0) & of_max)[:, None], tf.zeros_like(gradient), gradient)


def _layer(network: Network, model: keras.Model, name: str) -> Any:
    """Returns the one layer of a name, or of a path such as backbone/conv where names repeat.

    Raises:
        UserError: If there is none or several; the message names those that are near or fit.
    """
    paths = dict(_paths(model))
    found = [part for path, part in paths.items() if path == name or path.endswith(f"/{name}")]
    if len(found) == 1:
        return found[0]
    if found:
        known = ", ".join(path for path, part in paths.items() if part in found)
        raise UserError(f"{network.name} has {len(found)} layers named {name!r}: give one of {known}")
    near = difflib.get_close_matches(name, list(paths), n=4, cutoff=0.3)
    others = [path for path in _fitting(model, network.kind) if path not in near]
    hint = f"; there are {', '.join([*near, *others])} and more" if near or others else ""
    raise UserError(f"{network.name} has no layers named {name!r}{hint}")


def _paths(model: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """Yields each layer, also the nested ones, with its path; a layer that stands in two places once."""
    seen = set()
    for part in model._flatten_layers(include_self=False, recursive=False):
        if id(part) not in seen:
            seen.add(id(part))
            yield f"{above}{part.name}", part
            yield from _paths(part, f"{above}{part.name}/")


def _fitting(model: keras.Model, kind: str) -> list[str]:
    """Returns the last few layers whose output are features of points or voxels, as far as they show it."""
    rank = 3 if kind == "points" else 5
    fitting = []
    for path, part in _paths(model):
        shape = getattr(getattr(part, "output", None), "shape", ()) if part._inbound_nodes else ()
        if len(shape) == rank and not isinstance(part, keras.layers.InputLayer):
            fitting.append(path)
    return fitting[:-6:-1]
