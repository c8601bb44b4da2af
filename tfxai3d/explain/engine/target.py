"""What is explained about the logits: a class, the difference of two, or any function of them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.region import Region, RegionTensor, pooled, region_tensor


class Contrast(NamedTuple):
    """Why one class rather than another: the difference of their logits.

    Attributes:
        target: The class to explain, one for all examples or one each (B,); None for the predicted class.
        against: The class it is held against, likewise.
    """

    target: Any
    against: Any


TargetFunction = Callable[[tf.Tensor], tf.Tensor]
"""Maps the scores (B,C), or (B,...,C), to one number an example (B,), each from its own row alone."""

TargetTensor: TypeAlias = "tf.Tensor | TargetFunction | RegionTensor"
"""What `explain_batch` takes: classes int32 (B,), -1 for the predicted one; pairs int32 (B,2) of a class and
the one it is held against; a region of a segmentation; or a function of the scores."""


def target_score(scores: tf.Tensor, target: TargetTensor) -> tf.Tensor:
    """Returns each example's number (B,) that is explained, from the scores (B,C) or (B,...,C).

    Raises:
        UserError: If a function of the scores returns anything else, or the target is a class where there are
            scores for each point or voxel.
    """
    if callable(target):
        score = tf.convert_to_tensor(target(scores))
        if score.shape.rank not in (1, None):
            raise UserError(f"the target must map logits (B,C) to (B,), it returns {tuple(score.shape)}")
        return score
    if isinstance(target, RegionTensor):
        predicted = resolved(target, scores)
        classes = predicted.classes if isinstance(predicted, RegionTensor) else predicted
        return tf.gather(pooled(scores, target), classes, batch_dims=1)
    if scores.shape.rank not in (2, None):
        raise UserError(
            f"the model gives scores {tuple(scores.shape)}, for each point or voxel: a target is a Region of "
            "them, or a function of all"
        )
    chosen = tf.gather(scores, resolved(target, scores), batch_dims=1)
    return chosen if chosen.shape.rank == 1 else chosen[:, 0] - chosen[:, 1]


def resolved(target: TargetTensor, scores: tf.Tensor) -> TargetTensor:
    """Returns the target with the predicted class where it says -1."""
    if callable(target):
        return target
    predicted = tf.argmax(pooled(scores, target), axis=-1, output_type=tf.int32)
    if isinstance(target, RegionTensor):
        return target._replace(classes=tf.where(target.classes < 0, predicted, target.classes))
    return tf.where(target < 0, predicted if target.shape.rank == 1 else predicted[:, None], target)


def rows(target: TargetTensor, index: tf.Tensor) -> TargetTensor:
    """Returns the targets of some examples."""
    if isinstance(target, RegionTensor):
        return RegionTensor(*(tf.gather(part, index) for part in target))
    return target if callable(target) else tf.gather(target, index)


def checked(
    target: Any,
    examples: int,
    classes: Callable[[], int],
    answers: Callable[[int], np.ndarray] | None = None,
    class_names: Sequence[str] | None = None,
) -> np.ndarray | RegionTensor | TargetFunction:
    """Returns a user's target as int32 (B,) or (B,2), a region as arrays, or a function as it is.

    Args:
        target: None, a class, classes (B,), a Contrast, a Region, or a function of the scores.
        examples: B.
        classes: Returns C; called only if it is needed.
        answers: Returns the scores of the first so many examples; called only for a Region.
        class_names: What errors call the classes.

    Raises:
        UserError: If the target is none of these or a class is out of range.
    """
    if isinstance(target, Region) and answers is not None:
        named = None if target.class_ is None else checked(target.class_, examples, classes)
        return region_tensor(target, examples, named, answers, class_names)
    if isinstance(target, Contrast):
        if target.against is None:
            raise UserError("a Contrast needs the class to hold against")
        pair = [checked(part, examples, classes) for part in target]
        if not all(isinstance(part, np.ndarray) and part.ndim == 1 for part in pair):
            raise UserError("a Contrast is one of two classes; subtract other targets in a function")
        return np.stack(pair, axis=1)  # type: ignore[arg-type]
    if target is None:
        return np.full(examples, -1, np.int32)
    if callable(target):
        return target
    try:
        array = np.asarray(target)
    except ValueError:  # rows of different lengths
        array = np.empty(0)
    if not np.issubdtype(array.dtype, np.integer) or array.shape not in ((), (examples,)):
        raise UserError(f"target must be one class or {examples} classes, it is {target!r}")
    if array.min() < 0 or array.max() >= classes():
        raise UserError(f"target must be in 0..{classes() - 1}, it is {target!r}")
    return np.broadcast_to(array, (examples,)).astype(np.int32)


def class_number(name: str, class_names: Sequence[str] | None) -> int:
    """Returns the number of a class.

    Raises:
        UserError: If the model does not know it.
    """
    known = list(class_names or ())
    if name not in known:
        raise UserError(f"{name!r} is no class of the model (it knows {', '.join(known) or 'none by name'})")
    return known.index(name)


def named_target(
    text: str, class_names: Sequence[str] | None, segments: bool = False
) -> int | Contrast | Region:
    """Returns the target that a text names: a class, or two as "desk-table", the first against the second.

    Args:
        text: What names the target.
        class_names: The classes of the model; a name with a hyphen goes before a pair.
        segments: Whether the model classifies each point or voxel. The target is then the region where it
            predicts the class, such as "chair/leg".

    Raises:
        UserError: If the model does not know a class of that name, nor two.
    """
    known = list(class_names or ())
    try:
        if segments:
            whole = text.partition("/")[0]
            alike = [name for name in known if name.partition("/")[0] == whole]
            class_number(text, alike or known)  # of a wrong part the others of its whole are listed
            return Region(known.index(text))
        for first in known if text not in known else ():
            second = text.removeprefix(f"{first}-")
            if second != text and second in known:
                return Contrast(known.index(first), known.index(second))
        return class_number(text, known)
    except UserError as error:
        raise UserError(f"target: {error}") from error
