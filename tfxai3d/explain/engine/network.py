"""What is explained: any model as a function from inputs to logits, and what its inputs are."""

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, get_args

import keras
import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError, check_choice
from tfxai3d.explain.engine.calls import callable_of, in_graph, reading_of, scores_by
from tfxai3d.explain.engine.head import Reading
from tfxai3d.models.saved_model.loading import SavedModel
from tfxai3d.results.explanation import DataKind
from tfxai3d.results.heads import HEADS, Head

Shape = tuple[int | None, ...]
ANY_SHAPE: dict[str, Shape] = {"points": (None, 3), "voxels": (None, None, None, 1)}
_LETTERS = {"points": "(B,N,3)", "voxels": "(B,D,H,W,1)"}
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
        kind: "points" (B,N,3) or "voxels" (B,D,H,W,1).
        reading: How scores are read from what the model returns.
        model: The model, of Keras if something is looked for inside.
        dtype: Of the inputs as they are given, float32 or float64; the scores are as wide.
        shape: Of one example, None where it may vary; None for a function that does not say.
        columns: Number of the model's outputs, if it is known without a call.
        class_names: Their names, if known.
        layer: The layer whose features the CAM family explains, for models that name no endpoint.
        ignores_copies: Whether copies of a cloud's first point, put at its end, change nothing.
    """

    function: Callable[[tf.Tensor], tf.Tensor]
    name: str
    kind: DataKind
    reading: Reading
    model: Any = None
    dtype: str = "float32"
    shape: Shape | None = None
    columns: int | None = None
    class_names: tuple[str, ...] | None = None
    layer: str | None = None
    ignores_copies: bool = False

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
        shape = [size or _SOME[self.kind] for size in self.shape or ANY_SHAPE[self.kind]]
        with contextlib.suppress(tf.errors.OpError, ValueError, TypeError):  # then it is known later
            self.reading.settle(np.random.default_rng(0).uniform(0, 1, (2, *shape)).astype(self.dtype))

    @property
    def size(self) -> int | None:
        """The number of points that a cloud must have, if it must have one."""
        return self.shape[0] if self.kind == "points" and self.shape is not None else None

    def filled(self, rows: tf.Tensor, like: tf.Tensor | None = None) -> tf.Tensor:
        """Returns clouds (B,N,F), or rows of features, filled up with copies of their first row.

        A network of a fixed number of points takes smaller clouds so; see `check_copies`.

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

    def check_copies(self, inputs: np.ndarray) -> None:
        """Checks that smaller clouds than the network takes can be filled up: a max does not see copies.

        Raises:
            UserError: If it makes a difference of which point they are.
        """
        if self.size in (None, inputs.shape[1]) or self.reading.sees_no_copies:
            return
        cloud = np.asarray(inputs[:1], self.dtype)
        missing = int(self.size or 0) - cloud.shape[1]
        ends = [np.repeat(cloud[:, [i]], missing, axis=1) for i in (0, -1)]
        first, last = (np.asarray(self(np.concatenate([cloud, end], axis=1))) for end in ends)
        if not np.allclose(first, last, rtol=1e-3, atol=1e-4 * max(1.0, float(np.abs(first).max()))):
            raise UserError(
                f"{self.name} takes {self.size} points, and these clouds have {cloud.shape[1]}: filled up "
                "with copies of a point it answers otherwise, as no max over the points does"
            )
        self.reading.sees_no_copies = True

    @property
    def classes(self) -> int | None:
        """Number of scores, if it is known without a call."""
        return 2 if self.head == "binary" else self.columns

    @property
    def inputs(self) -> str:
        """What the inputs must be, in words."""
        fixed = self.shape if self.shape is not None else ANY_SHAPE[self.kind]
        sizes = ",".join(
            str(size or letter)
            for size, letter in zip(fixed, _LETTERS[self.kind][3:-1].split(","), strict=True)
        )
        return f"{self.kind} (B,{sizes})"

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Whether inputs of this shape, batch included, can be explained."""
        fixed = self.shape if self.shape is not None else ANY_SHAPE[self.kind]
        return (
            len(shape) == len(fixed) + 1
            and all(shape)
            and all(want in (None, size) for want, size in zip(fixed[1:], shape[2:], strict=True))
            and (fixed[0] in (None, shape[1]) or (self.kind == "points" and shape[1] < fixed[0]))
        )


def network(
    model: Any,
    data_kind: DataKind | None = None,
    *,
    head: Head | None = None,
    layer: str | None = None,
    class_names: Sequence[str] | None = None,
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

    Raises:
        UserError: If the kind of the data is not known, the model's input is of another kind, several, or
            not built, or names or head do not fit it.
    """
    known = model if isinstance(model, Network) else getattr(model, "network", None)
    net = known if isinstance(known, Network) else _read(model, data_kind)
    if data_kind not in (None, net.kind):
        raise UserError(f"data_kind {data_kind!r}: {net.name} takes {net.kind}")
    names = net.class_names if class_names is None else tuple(class_names)
    if head is None and net.columns == 1 and names is not None and len(names) == 2:
        head = "binary"
    if head is not None and head != net.reading.head:
        net = _with_head(net, head)
    if names is not None and net.classes is not None and len(names) != net.classes:
        raise UserError(f"class_names names {len(names)} of {net.classes} classes of {net.name}")
    return dataclasses.replace(net, layer=layer or net.layer, class_names=names)


def _read(model: Any, data_kind: DataKind | None) -> Network:
    kind: Any = data_kind or getattr(model, "data_kind", None)
    name = f"model {getattr(model, 'name', None) or type(model).__name__!r}"
    if isinstance(model, SavedModel):
        name = model.name
    if kind not in get_args(DataKind):
        said = f"it is {kind!r}" if kind else f"{name} does not say what it takes"
        raise UserError(f"data_kind must be 'points' or 'voxels': {said}")
    if isinstance(model, SavedModel):
        return _of_saved_model(model, kind)
    names = getattr(model, "class_names", None)
    if not isinstance(model, keras.Model):
        reading = Reading(name, callable_of(model, name))
        return Network(in_graph(reading), name, kind, reading, model, class_names=names)
    reading = reading_of(model)
    inputs = getattr(model, "inputs", None) or []
    if len(inputs) > 1:
        raise UserError(f"{name} takes {len(inputs)} inputs; explainers take models of one")
    shape = tuple(inputs[0].shape[1:]) if inputs else None
    expected = ANY_SHAPE[kind]
    if shape is not None and (len(shape) != len(expected) or shape[-1] not in (None, expected[-1])):
        raise UserError(f"data_kind {kind!r} means inputs {_LETTERS[kind]}, {name} takes {(None, *shape)}")
    dtype = inputs[0].dtype if inputs else model.input_dtype
    outputs = getattr(model, "outputs", None) or []
    return Network(
        function=in_graph(reading) if reading.head is None else scores_by(reading),
        name=name,
        kind=kind,
        reading=reading,
        model=model,
        dtype="float64" if dtype == "float64" else "float32",
        shape=shape and (*shape[:-1], expected[-1]),
        columns=outputs[0].shape[-1] if len(outputs) == 1 and outputs[0].shape[1:] else None,
        class_names=names,
        ignores_copies=getattr(model, "ignores_copies", False),
    )


def _of_saved_model(model: SavedModel, kind: DataKind) -> Network:
    """Returns a SavedModel as a Network; a signature says its shape."""
    answer = callable_of(model.loaded if model.signature is None else model.signature, model.name)
    # What `serve.export` writes are scores already.
    reading = Reading(model.name, answer, model.head, None if model.head is None else False)
    net = Network(in_graph(reading), model.name, kind, reading, model, class_names=model.class_names)
    if model.signature is None:
        return net
    (taken,) = model.signature.structured_input_signature[1].values() or [None]
    shape = taken.shape if taken is not None else tf.TensorShape([])
    expected, outputs = ANY_SHAPE[kind], model.signature.structured_outputs
    if not shape.is_compatible_with((None, *expected)) or not taken.dtype.is_floating:
        raise UserError(f"{model.name} takes {taken}; {net.inputs} of floating point are explained")
    logits = outputs.get("logits", next(iter(outputs.values())) if len(outputs) == 1 else None)
    return dataclasses.replace(
        net,
        dtype="float64" if taken.dtype == tf.float64 else "float32",
        shape=None if shape.rank is None else (*shape[1:-1], expected[-1]),
        columns=None if logits is None or logits.shape.rank != 2 else logits.shape[-1],
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
    reading = Reading(net.name, net.reading.answer, head, activated)
    return dataclasses.replace(net, function=in_graph(reading), reading=reading)
