"""Where the channels of inputs are: points (B,N,3+F), volumes (B,D,H,W,C) or (B,D,H,W), channels first."""

import dataclasses
from typing import Any, Literal

import keras
import tensorflow as tf

from tfxai3d.results.explanation import DataKind

Shape = tuple[int | None, ...]
DataFormat = Literal["channels_last", "channels_first"]

_SPACE = {"points": ("N",), "voxels": ("D", "H", "W")}
_CHANNELS = {"points": "3+F", "voxels": "C"}
_FEWEST = {"points": 3, "voxels": 1}
_USUAL = {"points": 3, "voxels": 1}


@dataclasses.dataclass(frozen=True)
class Layout:
    """The axes of inputs, and what is done over them.

    Attributes:
        kind: "points" or "voxels".
        shape: Of one example, None where it may vary; None for a function that does not say.
        data_format: "channels_last" or "channels_first", as Keras calls them. Voxels may have no axis of
            channels at all.
    """

    kind: DataKind
    shape: Shape | None = None
    data_format: DataFormat = "channels_last"

    @property
    def ranks(self) -> tuple[int, ...]:
        """The numbers of axes that an example can have."""
        return (len(self.shape),) if self.shape is not None else {"points": (2,), "voxels": (4, 3)}[self.kind]

    def axis(self, rank: int) -> int | None:
        """Returns the axis of the channels of a batch with so many axes, None if it has none."""
        if rank == len(_SPACE[self.kind]) + 1:
            return None
        return 1 if self.data_format == "channels_first" else rank - 1

    def fits(self, shape: Shape) -> bool:
        """Whether one example of this shape can be explained; None is any number."""
        if len(shape) not in self.ranks or len(shape) not in Layout(self.kind).ranks or 0 in shape:
            return False
        axis = self.axis(len(shape) + 1)
        if axis is not None and (shape[axis - 1] or _FEWEST[self.kind]) < _FEWEST[self.kind]:
            return False
        return self.shape is None or all(
            want in (None, size) for want, size in zip(self.shape, shape, strict=True)
        )

    def words(self) -> str:
        """Returns what the inputs must be."""
        letters = [self._letters(rank) for rank in self.ranks]
        fixed = self.shape or (None,) * len(letters[0])
        first = ",".join(str(size or letter) for size, letter in zip(fixed, letters[0], strict=True))
        more = "".join(f" or (B,{','.join(other)})" for other in letters[1:])
        return f"{self.kind} (B,{first}){more}"

    def usual(self) -> Shape:
        """Returns the shape of an example, the usual one of a function that does not say."""
        space: Shape = (None,) * len(_SPACE[self.kind])
        channels = (_USUAL[self.kind],)
        return self.shape or (channels + space if self.data_format == "channels_first" else space + channels)

    def of(self, shape: tuple[int, ...]) -> Shape:
        """Returns the shape of examples to trace a graph for: the network's, with these inputs' channels."""
        axis = self.axis(len(shape) + 1)
        traced = list(self.shape if self.shape is not None else shape)
        if axis is not None:
            traced[axis - 1] = shape[axis - 1]
        return tuple(traced)

    def places(self, x: Any) -> Any:
        """Returns the first channel: one value a point (B,N) or voxel (B,D,H,W)."""
        axis = self.axis(len(x.shape))
        return x if axis is None else x[:, 0] if axis == 1 else x[..., 0]

    def contribution(self, attributions: tf.Tensor) -> tf.Tensor:
        """Returns what each point or voxel adds to the score: positive speaks for the target."""
        axis = self.axis(len(attributions.shape))
        return attributions if axis is None else tf.reduce_sum(attributions, axis=axis)

    def magnitude(self, gradient: tf.Tensor) -> tf.Tensor:
        """Returns the length of each point's or voxel's gradient, the size where there is one channel."""
        axis = self.axis(len(gradient.shape))
        if axis is None or gradient.shape[axis] == 1:
            return tf.abs(self.places(gradient))
        return tf.norm(gradient, axis=axis)

    def spread(self, importance: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
        """Returns each point's or voxel's importance, repeated over its channels."""
        axis = self.axis(len(inputs.shape))
        return (
            importance
            if axis is None
            else tf.repeat(tf.expand_dims(importance, axis), inputs.shape[axis], axis)
        )

    def last(self) -> Shape | None:
        """Returns the shape of an example with the channels last, None for a function that does not say."""
        if self.shape is None or self.axis(len(self.shape) + 1) is None:
            return self.shape and (*self.shape, 1)
        return (*self.shape[1:], self.shape[0]) if self.data_format == "channels_first" else self.shape

    def channels_last(self, x: tf.Tensor) -> tf.Tensor:
        """Returns inputs with the channels as the last axis."""
        axis = self.axis(len(x.shape))
        if axis is None:
            return x[..., None]
        return tf.transpose(x, (0, *range(2, len(x.shape)), 1)) if axis == 1 else x

    def as_given(self, x: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the inverse of `channels_last`, in the form of the inputs."""
        axis = self.axis(len(inputs.shape))
        if axis is None:
            return x[..., 0]
        return tf.transpose(x, (0, len(x.shape) - 1, *range(1, len(x.shape) - 1))) if axis == 1 else x

    def _letters(self, rank: int) -> tuple[str, ...]:
        space, channels = _SPACE[self.kind], (_CHANNELS[self.kind],)
        if rank == len(space):
            return space
        return channels + space if self.data_format == "channels_first" else space + channels


def format_of(model: keras.Model) -> DataFormat:
    """Returns where a Keras model has its channels: what its first layer that says it says."""
    formats = (getattr(layer, "data_format", None) for layer in model._flatten_layers(include_self=False))
    said = next(filter(None, formats), "channels_last")
    return "channels_first" if said == "channels_first" else "channels_last"


def built_shape(model: keras.Model, kind: DataKind) -> Shape | None:
    """Returns the shape of an example of a subclassed model, as far as it was built for it: the channels."""
    built = getattr(model, "_build_shapes_dict", None) or {}
    shape = next(iter(built.values()), None) if len(built) == 1 else None
    layout = Layout(kind, data_format=format_of(model))
    if not isinstance(shape, list | tuple) or not all(
        size is None or isinstance(size, int) for size in shape
    ):
        return None
    axis = layout.axis(len(shape))
    return tuple(size if place == axis else None for place, size in enumerate(shape))[1:]
