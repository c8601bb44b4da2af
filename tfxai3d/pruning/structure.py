"""What a mask is over: each weight of a network, or each of its channels.

A channel is cut where it is read: the rows of all kernels that read it become zero. So it contributes
nothing, whatever its own bias, normalisation and activation make of it, and as it is still computed, the rows
still have gradients; what has no reader `remove_dead_channels` removes.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import keras
import numpy as np
from keras import ops

from tfxai3d.errors import UserError, check_choice
from tfxai3d.pruning.kernels import Selection, check_finite, select_kernels
from tfxai3d.pruning.shrink.groups import channel_groups
from tfxai3d.storage import unique_name

StructureName = Literal["weight", "channel"]


class Structure(Protocol):
    """The elements that masks are over, and the kernels whose weights they stand for."""

    kernels: dict[str, keras.Variable]
    """By path."""
    shapes: dict[str, tuple[int, ...]]
    """Those of the masks, by the path of the layer that the elements are of."""

    def total(self, values: Sequence[Any]) -> list[Any]:
        """Returns the sums over the weights of each element, given a value for each weight of the kernels."""

    def magnitude(self, weights: Sequence[Any]) -> list[Any]:
        """Returns the L2 norm of the weights of each element."""

    def spread(self, masks: Sequence[Any]) -> list[Any]:
        """Returns masks for the kernels, which broadcast to their shapes."""


class EachWeight:
    """Every weight is an element of its own."""

    def __init__(self, kernels: Mapping[str, keras.Variable]):
        self.kernels = dict(kernels)
        self.shapes: dict[str, tuple[int, ...]] = {
            path: tuple(kernel.shape) for path, kernel in kernels.items()
        }

    def total(self, values: Sequence[Any]) -> list[Any]:
        """Returns the values, as there is nothing to add."""
        return list(values)

    def magnitude(self, weights: Sequence[Any]) -> list[Any]:
        """Returns |W|."""
        return [ops.abs(weight) for weight in weights]

    def spread(self, masks: Sequence[Any]) -> list[Any]:
        """Returns the masks."""
        return list(masks)


class EachChannel:
    """A channel is an element, or channels that are added together; its weights are those that read it.

    Args:
        model: A functional model.
        makers: The kernels whose channels may be cut, by path.

    Raises:
        UserError: If the model is not functional, or no channel can be cut.
    """

    def __init__(self, model: keras.Model, makers: Mapping[str, keras.Variable]):
        groups = channel_groups(model, makers)
        self.kernels: dict[str, keras.Variable] = {}
        for kernel in groups.readers:
            path = str(kernel.path).removeprefix(f"{model.name}/")
            self.kernels[unique_name(path, self.kernels, "_")] = kernel
        self.shapes: dict[str, tuple[int, ...]] = {path: (count,) for path, count in groups.counts.items()}
        self._rows, self._number = groups.rows, sum(groups.counts.values())
        self._ends = np.cumsum(list(groups.counts.values())).tolist()

    def total(self, values: Sequence[Any]) -> list[Any]:
        """Returns the sums over all weights that read each channel, float (n,) for each layer."""
        dtype = keras.backend.result_type("float32", *(value.dtype for value in values))
        total = ops.zeros((self._number + 1,), dtype)
        for value, rows in zip(values, self._rows, strict=True):
            others = [axis for axis in range(len(value.shape)) if axis != len(value.shape) - 2]
            sums = ops.sum(ops.cast(value, dtype), axis=others)
            total = total + ops.segment_sum(sums, ops.convert_to_tensor(rows, "int32"), self._number + 1)
        shapes = zip(self._ends, self.shapes.values(), strict=True)
        return [total[end - shape[0] : end] for end, shape in shapes]

    def magnitude(self, weights: Sequence[Any]) -> list[Any]:
        """Returns the L2 norm of all weights that read each channel, (n,) for each layer."""
        return [ops.sqrt(total) for total in self.total([ops.square(weight) for weight in weights])]

    def spread(self, masks: Sequence[Any]) -> list[Any]:
        """Returns a mask (C,1) for the rows of each kernel (...,C,K); those that read no element stay."""
        mask = ops.concatenate([*(ops.cast(mask, "bool") for mask in masks), ops.ones((1,), "bool")])
        return [ops.take(mask, ops.convert_to_tensor(rows, "int32"))[:, None] for rows in self._rows]


def structure_of(
    name: StructureName,
    model: keras.Model,
    include: Selection | None = None,
    exclude: Selection | None = None,
    biases: bool = False,
) -> Structure:
    """Returns what masks are over in a model, whose layers to prune `select_kernels` says.

    Raises:
        UserError: If there is nothing to prune, weights are NaN, or biases are to be pruned by channels.
    """
    check_choice("structure", name, ("weight", "channel"))
    if name == "channel" and biases:
        raise UserError("structure='channel' cuts whole channels, their biases too; leave biases=True away")
    selected = select_kernels(model, include, exclude, biases)
    check_finite(selected)
    return EachChannel(model, selected) if name == "channel" else EachWeight(selected)


def left_of(structure: Structure) -> list[np.ndarray]:
    """Returns which elements have any weight that is not zero, a bool mask for each layer."""
    present = [ops.cast(ops.not_equal(kernel, 0), "float32") for kernel in structure.kernels.values()]
    return [np.asarray(total) > 0 for total in structure.total(present)]
