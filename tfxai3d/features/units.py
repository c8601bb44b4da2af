"""The units of a network, classes or channels of a layer, as one number an example each."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.layer_output import LayerOutput
from tfxai3d.explain.engine.network import network
from tfxai3d.results.explanation import DataKind

Pool = Literal["mean", "max"]
_FIRST = 8


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
        self, model: Any, layer: str | None = None, pool: Pool = "mean", data_kind: DataKind | None = None
    ):
        if pool not in get_args(Pool):
            raise UserError(f"pool {pool!r}: must be one of {', '.join(get_args(Pool))}")
        self.network = network(model, data_kind)
        self.network.settle()
        self.layer, self.pool = layer, pool
        self._output = LayerOutput(self.network, self.network.model, layer, rows=False) if layer else None

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the activations (B,K), in inference mode, of a layer with channels that is used once.

        Those of a layer, or of the classes of a segmentation, at all places become one number by `pool`.
        """
        output = self.network(inputs) if self._output is None else self._output(inputs)[0]
        places = list(range(1, output.shape.rank - 1))
        if not places:
            return output
        return (tf.reduce_mean if self.pool == "mean" else tf.reduce_max)(output, axis=places)

    def checked(self, channels: Sequence[int] | None, count: int) -> np.ndarray:
        """Returns the numbers of units as int32 (U,); see `checked`."""
        return checked(channels, count, f"layer {self.layer!r}" if self.layer else self.network.name)

    def count(self, shape: tuple[int, ...]) -> int:
        """Returns the number of units K, for inputs whose examples have a shape."""
        if self._output is None and self.network.classes is not None:
            return self.network.classes
        return int(self(tf.zeros((1, *shape), self.network.dtype)).shape[-1])

    def names(self, channels: np.ndarray) -> tuple[str, ...]:
        """Returns what the units are called: the class, or the layer and the channel."""
        if self.layer:
            return tuple(f"{self.layer} {channel}" for channel in channels)
        known = self.network.class_names
        return tuple(known[channel] if known else f"class {channel}" for channel in channels)


def unit_numbers(units: Sequence[str] | None, class_names: Sequence[str] = ()) -> list[int] | None:
    """Returns the numbers of units that are given by name or by number.

    Args:
        units: Class names, or numbers from 0 as text; None for the first few, however many there are.
        class_names: Names of the classes; empty where the units are channels.

    Raises:
        UserError: If there is no unit, or one is neither a class nor a number.
    """
    if units is None:
        return None
    if not units:
        raise UserError("units names no unit; give classes or numbers")
    names = list(class_names)
    for unit in units:
        if unit not in names and not (unit.isascii() and unit.isdigit()):
            what = f"the classes {', '.join(names)}" if names else "numbers from 0, such as 0,1,2"
            raise UserError(f"units: {unit!r} is no unit; give {what}")
    return [names.index(unit) if unit in names else int(unit) for unit in units]


def checked(channels: Sequence[int] | None, count: int, where: str) -> np.ndarray:
    """Returns numbers of units as int32 (U,), each below `count`; None is for the first 8.

    Raises:
        UserError: If a number is none of theirs; it says `where` the units are.
    """
    if channels is None:
        return np.arange(min(_FIRST, count), dtype=np.int32)
    try:
        numbers = np.asarray(channels)
    except ValueError:  # rows of different lengths
        numbers = np.empty(0)
    if numbers.ndim != 1 or not numbers.size or not np.issubdtype(numbers.dtype, np.integer):
        raise UserError(f"{where}: give a list of unit numbers, such as [0, 1], not {channels!r}")
    if numbers.min() < 0 or numbers.max() >= count:
        wrong = numbers[(numbers < 0) | (numbers >= count)][0]
        raise UserError(f"{where} has no unit {wrong}: its units are 0 to {count - 1}")
    return numbers.astype(np.int32)
