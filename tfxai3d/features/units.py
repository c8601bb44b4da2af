"""The units of a network, classes or channels of a layer, as one number an example each."""

import difflib
from collections.abc import Sequence
from typing import Any, Literal, get_args

import keras
import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.network import network
from tfxai3d.explain.engine.shadow import shadow
from tfxai3d.results.explanation import DataKind

Pool = Literal["mean", "max"]


class Units:
    """Maps inputs (B,...) to the activations (B,K) of all units of a layer.

    Args:
        model: A Keras model; without `layer` also a loaded SavedModel or a differentiable callable.
        layer: Name of the layer whose output channels are the units, also one inside of nested models; by
            default the logits, so that the units are the classes.
        pool: How a channel's activations at all points, centroids or voxels become one number.
        data_kind: "points" or "voxels"; by default what the model's attribute `data_kind` says.

    Raises:
        UserError: If there is no such layer or several, or the model or the kind of its data is unknown.
    """

    def __init__(
        self,
        model: Any,
        layer: str | None = None,
        pool: Pool = "mean",
        data_kind: DataKind | None = None,
    ):
        if pool not in get_args(Pool):
            raise UserError(f"pool {pool!r}: must be one of {', '.join(get_args(Pool))}")
        self.network = network(model, data_kind)
        self.layer, self.pool = layer, pool
        self._model, self._layer = model, self._find(model, layer) if layer else None

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the activations (B,K), in inference mode.

        Raises:
            UserError: If the layer's output has no channels or the layer is used several times.
        """
        if self._layer is None:
            return self.network(inputs)
        output = self._output(inputs)
        places = list(range(1, output.shape.rank - 1))
        if not places:
            return output
        return (tf.reduce_mean if self.pool == "mean" else tf.reduce_max)(output, axis=places)

    def checked(self, channels: Sequence[int], count: int) -> np.ndarray:
        """Returns the numbers of units as int32 (U,).

        Raises:
            UserError: If there is none, or one is not below `count`, the number of units.
        """
        numbers = np.asarray(channels)
        where = f"layer {self.layer!r}" if self.layer else self.network.name
        if numbers.ndim != 1 or not numbers.size or not np.issubdtype(numbers.dtype, np.integer):
            raise UserError(f"{where}: give a list of unit numbers, such as [0, 1], not {channels!r}")
        if numbers.min() < 0 or numbers.max() >= count:
            wrong = numbers[(numbers < 0) | (numbers >= count)][0]
            raise UserError(f"{where} has no unit {wrong}: its units are 0 to {count - 1}")
        return numbers.astype(np.int32)

    def count(self, shape: tuple[int, ...]) -> int:
        """Returns the number of units K, for inputs whose examples have a shape."""
        if self._layer is None and self.network.classes is not None:
            return self.network.classes
        return int(self(tf.zeros((1, *shape), self.network.dtype)).shape[-1])

    def names(self, channels: np.ndarray) -> tuple[str, ...]:
        """Returns what the units are called: the class, or the layer and the channel."""
        if self.layer:
            return tuple(f"{self.layer} {channel}" for channel in channels)
        known = self.network.class_names
        return tuple(known[channel] if known else f"class {channel}" for channel in channels)

    def _find(self, model: Any, name: str) -> Any:
        if not isinstance(model, keras.Model):
            raise UserError(f"{self.network.name} is no Keras model: only its classes can be shown, no layer")
        layers = {id(part): part for part in model._flatten_layers(include_self=False)}.values()
        found = [part for part in layers if part.name == name]
        if len(found) != 1:
            near = difflib.get_close_matches(name, [part.name for part in layers], n=4, cutoff=0.3)
            hint = f"; there are {', '.join(near)} and more" if near else ""
            raise UserError(f"{self.network.name} has {len(found) or 'no'} layers named {name!r}{hint}")
        return found[0]

    def _output(self, inputs: tf.Tensor) -> tf.Tensor:
        seen: list[Any] = []

        def adjust(original: Any, copy: Any) -> None:
            if original is self._layer:
                plain = copy.call

                def call(*args: Any, **kwargs: Any) -> Any:
                    seen.append(plain(*args, **kwargs))
                    return seen[-1]

                vars(copy)["call"] = call

        with keras.StatelessScope():
            shadow(self._model, adjust)(inputs, training=False)
        where = f"layer {self.layer!r} of {self.network.name}"
        if len(seen) != 1:
            raise UserError(f"{where} is used {len(seen)} times, not once")
        if not tf.is_tensor(seen[0]) or seen[0].shape.rank < 2 or not seen[0].dtype.is_floating:
            raise UserError(f"{where} gives no channels of activations")
        return seen[0]
