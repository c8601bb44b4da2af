"""From a model's answer to the scores that are explained, and to probabilities."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError, check_choice
from tfxai3d.explain.engine.answers import chosen
from tfxai3d.models.layers.precision import wide
from tfxai3d.results.heads import HEADS, SOFTMAX, Head, check_classes, told_by

_SCALES = (1.0, 0.5, 4.0)
_HIDDEN = ("PartitionedCall", "StatefulPartitionedCall", "PyFunc", "EagerPyFunc")


class Reading:
    """How a model's answer is read; one object for all that is made of a network.

    What the model does not say is told by its answers to the first inputs that it gets, see `settle`.

    Args:
        name: What errors call the model.
        answer: Maps inputs to what the model returns.
        head: What that means; None if it is to be told.
        activated: Whether it is probabilities already; None if it is to be told.
        output: What picks the answer from several; None where there is but one, or one called "logits".

    Attributes:
        head: What the answer means, None as long as it is not known.
        activated: Whether the answer is probabilities, None as long as it is not known.
    """

    def __init__(
        self,
        name: str,
        answer: Callable[[tf.Tensor], Any],
        head: Head | None = None,
        activated: bool | None = None,
        output: str | int | None = None,
    ):
        if head is not None:
            check_choice("head", head, HEADS)
        if activated is None and head in ("logits", "regression", "probabilities"):
            activated = head == "probabilities"
        self.name, self.answer, self.head, self.activated = name, answer, head, activated
        self.sees_no_copies = False  # whether it was found that copies of a point change nothing
        self.output = output
        self.inverted = False  # whether a softmax could only be undone by logarithms

    @property
    def settled(self) -> bool:
        """Whether it is known how to read the answer."""
        return self.head is not None and self.activated is not None

    def settle(self, inputs: np.ndarray) -> None:
        """Tells from the model's answers to these inputs, at several scales, what is not known yet."""
        if self.settled:
            return
        lasts: list[str] = []

        def answers(some: tf.Tensor) -> tf.Tensor:
            tensor = picked(self.answer(some), self.name, self.output)
            lasts.append(_last_operation(tensor))
            return tensor

        def call(function: Callable[[tf.Tensor], tf.Tensor]) -> np.ndarray:
            return np.concatenate([function(tf.constant(scale * inputs[:2])).numpy() for scale in _SCALES])

        try:
            found = call(tf.function(answers, autograph=False))
        except NotImplementedError:  # NumPy code, which makes no graph
            lasts, found = ["hidden"], call(answers)
        found = found[np.isfinite(found).all(axis=tuple(range(1, found.ndim)))]
        if not len(found):
            return  # what is not finite is an error of the caller's
        if self.head is None:
            self.head, self.activated = told_by(found, lasts[0])
        else:  # binary or sigmoids; of the others the name says it
            self.activated = lasts[0] == "Sigmoid" or told_by(found, "hidden")[1]

    def scores(self, answer: Any) -> tf.Tensor:
        """Returns the scores in what the model returns: see `tfxai3d.results.heads`.

        Raises:
            UserError: If there is no tensor of numbers (B,C).
        """
        tensor = picked(answer, self.name, self.output)
        before = None if self.activated is False else _before_activation(tensor)
        if before is not None:
            tensor = before
        elif self.activated:
            tensor = self._undone(tensor)
        binary = self.head == "binary" or (self.head is None and before is not None)
        if binary and tensor.shape[-1] == 1:
            tensor = tf.concat([-tensor, tensor], axis=-1)
        return tf.cast(tensor, wide(tensor.dtype.name))

    def _undone(self, p: tf.Tensor) -> tf.Tensor:
        tiny = np.finfo(p.dtype.as_numpy_dtype).tiny
        log = tf.math.log(tf.maximum(p, tiny))
        if self.head in SOFTMAX:
            self.inverted = True
            return log
        return log - tf.math.log(tf.maximum(1 - p, tiny))


def log_probabilities(scores: tf.Tensor, head: Head) -> tf.Tensor:
    """Returns the logarithms of the probabilities of all classes, shape of the scores.

    Raises:
        UserError: If the scores are values, not of classes.
    """
    check_classes(head)
    return tf.nn.log_softmax(scores) if head in SOFTMAX else tf.math.log_sigmoid(scores)


def probabilities(scores: tf.Tensor, head: Head) -> tf.Tensor:
    """Returns the probabilities of all classes, shape of the scores; see `log_probabilities`."""
    check_classes(head)
    return tf.nn.softmax(scores) if head in SOFTMAX else tf.sigmoid(scores)


def picked(answer: Any, name: str, output: str | int | None = None) -> tf.Tensor:
    """Returns the tensor (B,C), or of a segmentation (B,...,C), of what a model returns.

    Raises:
        UserError: If there is none, or several and none is called "logits".
    """
    tensor = tf.convert_to_tensor(chosen(answer, name, output))
    if tensor.shape.rank == 0:
        raise UserError(f"{name} must return scores (B,C), it returns one number")
    return tensor[:, None] if tensor.shape.rank == 1 else tensor


def _before_activation(tensor: tf.Tensor) -> tf.Tensor | None:
    """Returns what went into the softmax or sigmoid that gave a tensor, as Keras's own losses find it."""
    before = getattr(tensor, "_keras_logits", None)
    if before is None and _last_operation(tensor) in ("Softmax", "Sigmoid"):
        before = _source(tensor).inputs[0]
    return before


def _last_operation(tensor: tf.Tensor) -> str:
    """Returns the operation that gave a tensor of a graph, "hidden" if it is inside of a function."""
    if tf.executing_eagerly():
        return ""
    kind = str(_source(tensor).type)
    return "hidden" if kind in _HIDDEN else kind


def _source(tensor: tf.Tensor) -> tf.Operation:
    operation = tensor.op
    while operation.type in ("Identity", "Cast"):
        operation = operation.inputs[0].op
    return operation
