"""Parts of a segmentation as targets: a point, an instance, all that is predicted as a class."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError


class Region(NamedTuple):
    """Why a model that scores each point or voxel gives a part of them its class: the mean score there.

    Attributes:
        class_: The class to explain, one for all examples or one each (B,); None for the one with the highest
            mean score in the region.
        where: The region: a mask, bool (N,) or (D,H,W), or one for each example; one point by its number or
            one voxel by its three, for all examples or one each; or "predicted", where the class is
            predicted.
    """

    class_: Any
    where: Any = "predicted"


class RegionTensor(NamedTuple):
    """Regions as arrays or tensors.

    Attributes:
        classes: int32 (B,), -1 for the one with the highest mean score.
        mask: 1 in the region and 0 elsewhere, float32 (B,M), M points or voxels.
    """

    classes: Any
    mask: Any


def pooled(scores: tf.Tensor, target: Any = None) -> tf.Tensor:
    """Returns scores (B,C): of scores for each point or voxel the mean over the region, or over all."""
    if scores.shape.rank in (2, None):
        return scores
    flat = tf.reshape(scores, (tf.shape(scores)[0], -1, scores.shape[-1]))
    if not isinstance(target, RegionTensor):
        return tf.reduce_mean(flat, axis=1)
    mask = tf.cast(target.mask, flat.dtype)
    return tf.einsum("bm,bmc->bc", mask, flat) / tf.reduce_sum(mask, axis=1, keepdims=True)


def region_tensor(
    region: Region,
    examples: int,
    classes: Any,
    answers: Callable[[int], np.ndarray],
    class_names: Sequence[str] | None = None,
) -> RegionTensor:
    """Returns a user's region as arrays.

    Args:
        region: What the user gave.
        examples: B.
        classes: Its classes, checked, int32 (B,), or None.
        answers: Returns the scores of the first so many examples.
        class_names: What errors call the classes.

    Raises:
        UserError: If the model is no segmentation, the region does not fit its answer, or is empty.
    """
    predicted = isinstance(region.where, str) and region.where == "predicted"
    scores = answers(examples if predicted else 1)
    if scores.ndim < 3:
        raise UserError(
            "a Region is of a model that scores each point or voxel; this one scores whole examples"
        )
    if classes is not None and (not isinstance(classes, np.ndarray) or classes.ndim != 1):
        raise UserError("the class of a Region must be a class or one for each example")
    if not predicted:
        mask = _mask(region.where, examples, scores.shape[1:-1])
    elif classes is None:
        raise UserError("a Region where a class is predicted needs the class")
    else:
        mask = scores.argmax(axis=-1) == classes.reshape(-1, *(1,) * (scores.ndim - 2))
    mask = mask.reshape(examples, -1)
    if not mask.any(axis=1).all():
        number = int(mask.any(axis=1).argmin())
        what = "its mask is empty"
        if predicted:
            label = int(classes[number])
            what = f"class {class_names[label] if class_names else label} is predicted nowhere"
        raise UserError(f"the Region of example {number} is empty: {what}")
    chosen = np.full(examples, -1, np.int32) if classes is None else classes
    return RegionTensor(chosen, mask.astype(np.float32))


def _mask(where: Any, examples: int, places: tuple[int, ...]) -> np.ndarray:
    """Returns a mask (B,...) of a mask or of indices."""
    array = np.asarray(where)
    if array.dtype == bool and array.shape in (places, (examples, *places)):
        return np.broadcast_to(array, (examples, *places))
    single = () if len(places) == 1 else (len(places),)
    if np.issubdtype(array.dtype, np.integer) and array.shape in (single, (examples, *single)):
        index = np.broadcast_to(array.reshape(-1, len(places)), (examples, len(places)))
        if (index >= 0).all() and (index < places).all():
            mask = np.zeros((examples, *places), bool)
            mask[(np.arange(examples), *index.T)] = True
            return mask
    raise UserError(
        f"a Region must be a mask, bool {places}, the number of a point or the three of a voxel in it, or "
        f"'predicted'; it is {where if array.ndim < 2 else array.shape!r}"
    )
