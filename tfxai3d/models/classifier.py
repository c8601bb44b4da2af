"""The protocol of the package's networks: what explaining, pruning, training and presets rely on."""

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import keras
import numpy as np

from tfxai3d.models.layers.resizing import resized, widths_of
from tfxai3d.results.explanation import DataKind


class Classifier(keras.Model):
    """A functional Keras model from inputs (B,...) to logits (B,num_classes) that knows what it is made of.

    A network for parts classifies each point or voxel: it `segments`, and its logits are (B,...,num_classes).

    A subclass builds its graph in `__init__`, hands it to this constructor, and keeps each of its own
    arguments as an attribute of the same name; the configuration is read from these. Without any further
    code it can then be saved as a `.keras` file and as a preset.

    Args:
        inputs: The symbolic input.
        logits: The symbolic output, see `layers.head.logits`.
        class_names: Names of the classes; they travel with the model.
        widths: Numbers of channels by the names of the layers that make them, where they are less than the
            published ones. A subclass that takes this argument can be made smaller by pruning channels.
        **kwargs: Further arguments of keras.Model, such as its name.

    Attributes:
        data_kind: Whether the inputs are "points" (B,N,3) or "voxels" (B,D,H,W,1).
        endpoint: Name of the layer whose features the CAM methods explain.
        variants: The published forms that the argument `variant` chooses from, the default first.
        unpruned: Names of the layers that pruning leaves alone unless it is told otherwise.
        ignores_copies: Whether copies of a cloud's first point, put at its end, change nothing. Clouds of
            different sizes can then share a batch.
        segments: Whether it classifies each point or voxel rather than the whole example.
    """

    data_kind: ClassVar[DataKind]
    endpoint: ClassVar[str]
    variants: ClassVar[tuple[str, ...]] = ()
    unpruned: ClassVar[tuple[str, ...]] = ()
    ignores_copies: ClassVar[bool] = False
    segments: ClassVar[bool] = False

    def __init__(
        self,
        inputs: Any,
        logits: Any,
        class_names: tuple[str, ...] | None,
        widths: Mapping[str, int] | None = None,
        **kwargs: Any,
    ):
        if widths:
            inputs, logits = resized(inputs, logits, widths)
        super().__init__(inputs=inputs, outputs=logits, **kwargs)
        self.class_names = tuple(class_names) if class_names else None
        self.widths: dict[str, int] | None = dict(widths) if widths else None

    @classmethod
    def options(cls) -> list[str]:
        """Returns the names of the constructor's own arguments."""
        return list(inspect.signature(cls.__init__).parameters)[1:-1]  # less self and **kwargs

    @classmethod
    def stage_options(cls, size: int) -> dict[str, Any]:
        """Returns the constructor's options for a training stage on so many points, or voxels along an axis.

        The networks of all sizes have the same weights.

        Raises:
            UserError: If there is none of this size.
        """
        return {}

    @classmethod
    def data_options(cls, inputs: np.ndarray) -> dict[str, Any]:
        """Returns the constructor's options for a training on such inputs (M,...).

        Raises:
            UserError: If it cannot take them.
        """
        return {}

    def to_points(self, importance: Any, inputs: Any) -> Any:
        """Carries the importance of the endpoint's rows (B,M), or voxels, to the points of the inputs (B,N).

        Here the rows are the points, and it stays what it is.
        """
        return importance

    def of_channels(self, small: keras.Model) -> keras.Model:
        """Returns a model of this class that equals `small`, one of this graph with fewer channels.

        If there can be none, because `small` has biases that this class has not, it is `small` itself.
        """
        if "widths" not in self.options():
            return small
        own, left = widths_of(self), widths_of(small)
        changes = {name: width for name, width in left.items() if width != own[name]}
        model = type(self).from_config(self.get_config() | {"widths": {**(self.widths or {}), **changes}})
        if [v.shape for v in model.weights] != [v.shape for v in small.weights]:
            return small
        model.set_weights(small.get_weights())
        return model

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {"name": self.name, **{option: getattr(self, option) for option in self.options()}}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Builds the model from `get_config`'s dictionary."""
        return cls(**config)
