"""The contract that every explainer keeps."""

import abc
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.explanation import Explanation


class Parts(NamedTuple):
    """What a method computes for one batch.

    Attributes:
        attributions: Shape of the inputs.
        importance: One value a point (B,N).
        scores: Logits (B,C).
    """

    attributions: tf.Tensor
    importance: tf.Tensor
    scores: tf.Tensor


class Explainer(abc.ABC):
    """A method bound to a model and its options; holds no state between calls.

    Args:
        model: Maps points (B,N,3) to logits (B,C).
        batch_size: The most examples the model ever sees at once.
    """

    method: ClassVar[str]

    def __init__(self, model: keras.Model, batch_size: int = 32):
        if batch_size < 1:
            raise UserError(f"batch_size must be at least 1, it is {batch_size}")
        self.model, self.batch_size = model, batch_size
        # One trace for all numbers of examples and points.
        self._compiled = tf.function(
            self.explain_batch,
            input_signature=[tf.TensorSpec((None, None, 3), tf.float32), tf.TensorSpec((None,), tf.int32)],
        )

    @abc.abstractmethod
    def explain_batch(self, inputs: tf.Tensor, target: tf.Tensor) -> Parts:
        """Explains one batch; traceable by `tf.function`.

        Args:
            inputs: Points (B,N,3).
            target: The class of each example, int32 (B,); -1 for the predicted class.
        """

    def options(self) -> dict[str, Any]:
        """Returns the options that decide the result, JSON-compatible."""
        return {}

    def __call__(self, inputs: Any, target: Any = None) -> Explanation:
        """Explains why the model gives `target` its score.

        Args:
            inputs: Points (B,N,3).
            target: One class for all examples or one each (B,); the predicted class by default.

        Returns:
            An Explanation of NumPy arrays.

        Raises:
            UserError: If the inputs are not finite points, a target is out of range, or the model's scores
                are not finite.
        """
        inputs = _checked(inputs)
        classes = self.model.output_shape[-1]
        wanted = _targets(target, len(inputs), classes)
        batches = range(0, len(inputs), self.batch_size)
        parts = [
            self._compiled(inputs[i : i + self.batch_size], wanted[i : i + self.batch_size]) for i in batches
        ]
        attributions, importance, scores = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        if not np.isfinite(scores).all():
            raise UserError(
                "the model's scores are not finite: its weights or the scale of the inputs are wrong"
            )
        return Explanation(
            inputs=inputs,
            attributions=attributions,
            importance=importance,
            target=np.where(wanted < 0, np.argmax(scores, axis=-1), wanted).astype(np.int64),
            scores=scores,
            method=self.method,
            options=self.options(),
            class_names=getattr(self.model, "class_names", None),
        )


def target_score(scores: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Returns each example's score (B,) of its target, or of the predicted class where target is -1."""
    chosen = tf.where(target < 0, tf.argmax(scores, axis=-1, output_type=tf.int32), target)
    return tf.gather(scores, chosen, batch_dims=1)


def _checked(inputs: Any) -> np.ndarray:
    try:
        array = np.asarray(inputs, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise UserError("inputs must be points (B,N,3), they are no array of numbers") from error
    if array.ndim != 3 or array.shape[-1] != 3 or not len(array) or not array.shape[1]:
        raise UserError(f"inputs must be points (B,N,3), they are {array.shape}")
    if not np.isfinite(array).all():
        raise UserError("inputs hold NaN or infinite coordinates")
    return array


def _targets(target: Any, examples: int, classes: int) -> np.ndarray:
    if target is None:
        return np.full(examples, -1, np.int32)
    array = np.asarray(target)
    if not np.issubdtype(array.dtype, np.integer) or array.shape not in ((), (examples,)):
        raise UserError(f"target must be one class or {examples} classes, it is {target!r}")
    if array.min() < 0 or array.max() >= classes:
        raise UserError(f"target must be in 0..{classes - 1}, it is {target!r}")
    return np.broadcast_to(array, (examples,)).astype(np.int32)
