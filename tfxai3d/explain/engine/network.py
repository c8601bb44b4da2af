"""What is explained: any model as a function from inputs to logits, and what its inputs are."""

import dataclasses
from collections.abc import Callable
from typing import Any, get_args

import keras
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.shadow import in_half_precision, shadow
from tfxai3d.models.layers.precision import wide
from tfxai3d.results.explanation import DataKind

Shape = tuple[int | None, ...]
ANY_SHAPE: dict[str, Shape] = {"points": (None, 3), "voxels": (None, None, None, 1)}
_LETTERS = {"points": "(B,N,3)", "voxels": "(B,D,H,W,1)"}


@dataclasses.dataclass(frozen=True)
class Network:
    """A function from inputs to logits, and what its inputs are.

    Attributes:
        function: Maps inputs to logits (B,C), in inference mode, and changes nothing.
        name: What errors call it.
        kind: "points" (B,N,3) or "voxels" (B,D,H,W,1).
        dtype: Of the inputs as they are given, float32 or float64; the scores are as wide.
        shape: Of one example, None where it may vary; None for a function that does not say.
        classes: Number of logits, if it is known without a call.
        class_names: Their names, if known.
        ignores_copies: Whether copies of a cloud's first point, put at its end, change nothing.
    """

    function: Callable[[tf.Tensor], Any]
    name: str
    kind: DataKind
    dtype: str = "float32"
    shape: Shape | None = None
    classes: int | None = None
    class_names: tuple[str, ...] | None = None
    ignores_copies: bool = False

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the logits (B,C); raises as `logits` does."""
        return self.logits(self.function(inputs))

    def logits(self, answer: Any) -> tf.Tensor:
        """Returns the logits (B,C) in what the model returns.

        Raises:
            UserError: If there are none.
        """
        logits = answer
        if isinstance(logits, dict):
            logits = logits.get("logits", next(iter(logits.values())) if len(logits) == 1 else None)
        if logits is None or isinstance(logits, list | tuple):
            raise UserError(f"{self.name} must return one tensor of logits (B,C), or name one 'logits'")
        logits = tf.convert_to_tensor(logits)
        logits = tf.cast(logits, wide(logits.dtype.name))
        if logits.shape.rank not in (2, None):
            raise UserError(f"{self.name} must return logits (B,C), it returns {tuple(logits.shape)}")
        return logits

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
            and all(want in (None, size) for want, size in zip(fixed, shape[1:], strict=True))
        )


def network(model: Any, data_kind: DataKind | None = None) -> Network:
    """Returns any model as a Network.

    Args:
        model: A Keras model, a loaded SavedModel or one of its signatures, or a differentiable callable; a
            Network, or one whose attribute `network` is one, is taken at its word.
        data_kind: "points" or "voxels"; by default what the model's attribute `data_kind` says.

    Raises:
        UserError: If the kind of the data is not known, or the model's input is of another kind, several, or
            not built.
    """
    known = model if isinstance(model, Network) else getattr(model, "network", None)
    if isinstance(known, Network) and data_kind in (None, known.kind):
        return known
    kind: Any = data_kind or getattr(model, "data_kind", None)
    name = f"model {getattr(model, 'name', None) or type(model).__name__!r}"
    if kind not in get_args(DataKind):
        said = f"it is {kind!r}" if kind else f"{name} does not say what it takes"
        raise UserError(f"data_kind must be 'points' or 'voxels': {said}")
    if not isinstance(model, keras.Model):
        return Network(_callable(model, name), name, kind, class_names=getattr(model, "class_names", None))
    if not model.built:
        raise UserError(f"{name} has no weights yet: call it once, or load them")
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
        function=inference(model),
        name=name,
        kind=kind,
        dtype="float64" if dtype == "float64" else "float32",
        shape=shape and (*shape[:-1], expected[-1]),
        classes=outputs[0].shape[-1] if len(outputs) == 1 else None,
        class_names=getattr(model, "class_names", None),
        ignores_copies=getattr(model, "ignores_copies", False),
    )


def inference(model: keras.Model) -> Callable[[tf.Tensor], Any]:
    """Returns the model's call in inference mode, which leaves no new statistic or loss on the model.

    What computes in half precision computes in float32 here, see `shadow`.
    """
    called = shadow(model, lambda original, copy: None) if in_half_precision(model) else model

    def call(inputs: tf.Tensor) -> Any:
        with keras.StatelessScope():
            return called(inputs, training=False)

    return call


def _callable(model: Any, name: str) -> Callable[[tf.Tensor], Any]:
    """Returns what to call: the object, the `serve` of a Keras export, or the default signature."""
    if isinstance(model, tf.types.experimental.ConcreteFunction) and _keywords(model):
        (keyword,) = _keywords(model)
        dtype = model.structured_input_signature[1][keyword].dtype
        return lambda inputs: model(**{keyword: tf.cast(inputs, dtype)})
    if callable(model):
        return model
    if hasattr(model, "serve"):
        return model.serve
    if "serving_default" in getattr(model, "signatures", {}):
        return _callable(model.signatures["serving_default"], name)
    raise UserError(f"{name} is neither a Keras model nor callable, and has no serving_default signature")


def _keywords(function: Any) -> list[str]:
    """Returns the argument of a SavedModel's signature, which takes no positional ones."""
    names = sorted(function.structured_input_signature[1])
    if len(names) > 1:
        raise UserError(f"the signature takes {len(names)} inputs, {', '.join(names)}; one can be explained")
    return names
