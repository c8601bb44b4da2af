"""What is explained: any model as a function from inputs to logits, and what its inputs are."""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import keras
import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError, check_choice
from tfxai3d.explain.engine.calls import in_graph, of_function, of_keras, of_signature, signature_of
from tfxai3d.explain.engine.head import Reading
from tfxai3d.explain.engine.layout import DataFormat, Layout, Shape, format_of
from tfxai3d.explain.engine.several_inputs import Inputs, holding
from tfxai3d.models.saved_model.loading import SavedModel
from tfxai3d.results.explanation import DataKind, UpAxis
from tfxai3d.results.heads import HEADS, Head

_SOME = {"points": 64, "voxels": 32}
# What else than what its last activation says the answer can be said to be.
_CAN_BE: dict[Head | None, tuple[Head, ...]] = {
    None: HEADS,
    "logits": ("sigmoids", "regression"),
    "probabilities": ("regression",),
    "sigmoids": ("regression",),
    "binary": ("regression",),
    "regression": ("binary",),
}


@dataclasses.dataclass(frozen=True)
class Network:
    """A function from inputs to the scores that are explained, and all that is known of the model.

    Explainers, dropping, evaluation, export and the programs take it in the place of the model.

    Attributes:
        function: Maps inputs to scores (B,C), in inference mode, and changes nothing.
        name: What errors call it.
        kind: "points" (B,N,3+F) or "voxels" (B,D,H,W,C) or (B,D,H,W).
        reading: How scores are read from what the model returns.
        model: The model, of Keras if something is looked for inside.
        dtype: Of the inputs as they are given, float32 or float64; the scores are as wide.
        shape: Of one example, None where it may vary; None for a function that does not say.
        data_format: Where the channels are, "channels_last" or "channels_first".
        columns: Number of the model's outputs, if it is known without a call.
        class_names: Their names, if known.
        layer: The layer whose features the CAM family explains, for models that name no endpoint.
        ignores_copies: Whether copies of a cloud's first point, put at its end, change nothing.
        several: The inputs of a model that takes several.
        segments: Whether it classifies each point or voxel rather than whole examples, if it is known.
        up: The up axis of the clouds that it takes; grids have z up.
    """

    function: Callable[[tf.Tensor], tf.Tensor]
    name: str
    kind: DataKind
    reading: Reading
    model: Any = None
    dtype: str = "float32"
    shape: Shape | None = None
    data_format: DataFormat = "channels_last"
    columns: int | None = None
    class_names: tuple[str, ...] | None = None
    layer: str | None = None
    ignores_copies: bool = False
    several: Inputs | None = None
    segments: bool = False
    up: UpAxis = "y"

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the scores (B,C) of clouds, filled up if they are too small, or of voxels."""
        return self.function(self.filled(inputs))

    def scores(self, answer: Any) -> tf.Tensor:
        """Returns the scores (B,C) in what the model returns.

        Raises:
            UserError: If there are none.
        """
        return self.reading.scores(answer)

    @property
    def head(self) -> Head:
        """What the scores are of; see `tfxai3d.results.heads`."""
        return self.reading.head or "logits"

    def settle(self, inputs: Any = None) -> None:
        """Finds out how the model's answer is read, if nothing says it, from its answers to some inputs.

        Args:
            inputs: Examples, at least one; random ones by default.
        """
        if self.reading.settled:
            return
        if inputs is not None:
            return self.reading.settle(np.asarray(self.filled(tf.constant(inputs, self.dtype))))
        shape = [size or _SOME[self.kind] for size in self.layout.usual()]
        held = holding(self.several.some() if self.several else {})
        with held, contextlib.suppress(tf.errors.OpError, ValueError, TypeError):  # then it is known later
            self.reading.settle(np.random.default_rng(0).uniform(0, 1, (2, *shape)).astype(self.dtype))

    def arguments(self, inputs: tf.Tensor) -> Any:
        """Returns what the model is called with: the inputs and, if it takes several, those that are held."""
        filled = self.filled(inputs)
        return filled if self.several is None else self.several.arguments(filled)

    @property
    def size(self) -> int | None:
        """The number of points that a cloud must have, if it must have one."""
        if self.kind != "points" or self.shape is None or self.data_format == "channels_first":
            return None
        return self.shape[0]

    def filled(self, rows: tf.Tensor, like: tf.Tensor | None = None) -> tf.Tensor:
        """Returns clouds (B,N,F), or rows of features, filled up with copies of their first row.

        A network of a fixed number of points takes smaller clouds so; see `filling.check_copies`.

        Args:
            rows: The clouds.
            like: What they shall be as large as; by default what the network takes.
        """
        size = self.size if like is None else like.shape[1]
        if size is None or rows.shape[1] == size:
            return rows
        copies = tf.repeat(rows[:, :1], size - tf.shape(rows)[1], axis=1)
        return tf.ensure_shape(tf.concat([rows, copies], axis=1), (rows.shape[0], size, *rows.shape[2:]))

    def unfilled(self, features: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the rows of features that are of the clouds' own points, if there is one a point."""
        if self.size is None or features.shape[1] != self.size or inputs.shape[1] == self.size:
            return features
        return features[:, : tf.shape(inputs)[1]]

    @property
    def classes(self) -> int | None:
        """Number of scores, if it is known without a call."""
        return 2 if self.head == "binary" else self.columns

    @property
    def layout(self) -> Layout:
        """Where the channels of the inputs are."""
        return Layout(self.kind, self.shape, self.data_format)

    @property
    def inputs(self) -> str:
        """What the inputs must be, in words."""
        return self.layout.words()

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Whether inputs of this shape, batch included, can be explained."""
        example = shape[1:]
        if self.size is not None and len(example) == 2 and 0 < example[0] < self.size:
            example = (self.size, example[1])  # smaller clouds are filled up
        return shape[:1] != (0,) and self.layout.fits(example)


def network(
    model: Any,
    data_kind: DataKind | None = None,
    *,
    head: Head | None = None,
    layer: str | None = None,
    class_names: Sequence[str] | None = None,
    data_format: DataFormat | None = None,
    input_name: str | None = None,
    output_name: str | None = None,
    fixed: Mapping[str, Any] | None = None,
    up: UpAxis | None = None,
) -> Network:
    """Returns any model as a Network.

    Args:
        model: A Keras model, a loaded SavedModel or one of its signatures, or a differentiable callable; a
            Network, or what has one as its attribute `network`, such as an explainer, is taken at its word.
        data_kind: "points" or "voxels"; by default what the model's attribute `data_kind` says.
        head: What the model returns, see `tfxai3d.results.heads`; by default what its last activation says,
            or its answers.
        layer: Name of the layer whose features the CAM family explains, for models that name no endpoint.
        class_names: Names of the classes; by default what the model's attribute `class_names` says.
        data_format: Where the inputs have their channels, as Keras calls it; by default what the layers of a
            Keras model say, else "channels_last".
        input_name: Of a model of several inputs, the one that is explained; by default the only one
            that can be.
        output_name: Of a model of several outputs, the one that is explained; by default "logits".
        fixed: Of a model of several inputs, those that are held whatever is explained, by name and without
            the first axis: all that takes a network then takes this one, as if it had one input. By default
            each call of an explainer says what is held.
        up: The up axis, "y" or "z", of the clouds that it takes, about which they are rotated and by which
            they are drawn; by default y.

    Raises:
        UserError: If the kind of the data is not known, the model's input is of another kind, several, or
            not built, or names or head do not fit it.
    """
    known = model if isinstance(model, Network) else getattr(model, "network", None)
    net = (
        known
        if isinstance(known, Network)
        else _read(model, data_kind, data_format, input_name, output_name, fixed)
    )
    if isinstance(known, Network) and (input_name or output_name or fixed):
        raise UserError(f"{net.name} is read already: give input_name, output_name and fixed to its network")
    if data_kind not in (None, net.kind):
        raise UserError(f"data_kind {data_kind!r}: {net.name} takes {net.kind}")
    names = net.class_names if class_names is None else tuple(class_names)
    if head is None and net.columns == 1 and names is not None and len(names) == 2:
        head = "binary"
    if data_format is not None:
        net = dataclasses.replace(net, data_format=data_format)
    if head is not None and head != net.reading.head:
        net = _with_head(net, head)
    if names is not None and net.classes is not None and len(names) != net.classes:
        raise UserError(f"class_names names {len(names)} of {net.classes} classes of {net.name}")
    if up is not None:
        check_choice("up", up, get_args(UpAxis) if net.kind == "points" else ("z",))
    return dataclasses.replace(net, layer=layer or net.layer, class_names=names, up=up or net.up)


def _read(
    model: Any,
    data_kind: DataKind | None,
    data_format: DataFormat | None,
    input_name: str | None,
    output_name: str | None,
    fixed: Mapping[str, Any] | None,
) -> Network:
    kind: Any = data_kind or getattr(model, "data_kind", None)
    facts = model.facts if isinstance(model, SavedModel) else {}
    name = f"model {getattr(model, 'name', None) or type(model).__name__!r}"
    name = model.name if isinstance(model, SavedModel) else name
    if kind not in get_args(DataKind):
        said = f"it is {kind!r}" if kind else f"{name} does not say what it takes"
        raise UserError(f"data_kind must be 'points' or 'voxels': {said}")
    said = data_format or facts.get("data_format", "channels_last")
    check_choice("data_format", said, get_args(DataFormat))
    if isinstance(model, keras.Model):
        layout = Layout(kind, data_format=data_format or format_of(model))
        called = of_keras(model, layout, name, input_name, output_name, fixed)
    else:
        layout, head = Layout(kind, data_format=said), facts.get("head")
        signature = model.signature if isinstance(model, SavedModel) else signature_of(model)
        bare = model.loaded if isinstance(model, SavedModel) else model
        if signature is not None:  # `serve.export` calls what is explained as its kind
            explained = input_name or (kind if facts else None)
            called = of_signature(signature, layout, name, explained, output_name, fixed, head)
        else:
            called = of_function(bare, layout, name, output_name, head)
    return Network(
        name=name,
        kind=kind,
        model=model,
        class_names=getattr(model, "class_names", None),
        ignores_copies=getattr(model, "ignores_copies", False),
        **called._asdict(),
    )


def _with_head(net: Network, head: Head) -> Network:
    """Returns the network with another head than what was read from it.

    Raises:
        UserError: If its last activation says that it cannot be.
    """
    check_choice("head", head, HEADS)
    old = net.reading
    if head not in _CAN_BE[old.head]:
        can = " or ".join(repr(other) for other in _CAN_BE[old.head])
        raise UserError(f"head {head!r}: {net.name} ends in {old.head!r}, which can be taken for {can} alone")
    return read_as(net, head, old.activated if head in ("binary", "sigmoids") else None)


def read_as(net: Network, head: Head, activated: bool | None) -> Network:
    """Returns the network whose answers are said to be of a head, and probabilities or not."""
    reading = Reading(net.name, net.reading.answer, head, activated, net.reading.output)
    return dataclasses.replace(net, function=in_graph(reading), reading=reading)
