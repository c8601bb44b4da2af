"""Explaining data sets that do not fit into memory, and clouds that do not fit into one array."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.explain.explainer import Explainer
from tfxai3d.results.explanation import Explanation


def stream(explainer: Explainer, batches: Iterable[Any]) -> Iterator[Explanation]:
    """Explains one batch after the other and keeps none.

    Args:
        explainer: Any explainer.
        batches: A `tf.data.Dataset` or any iterable of batches: inputs (B,...) for the predicted classes, or
            pairs of inputs and targets (B,), such as the labels of a data set. Batches may differ in size.

    Yields:
        The Explanation of each batch, in order.
    """
    for batch in batches:
        inputs, target = batch if isinstance(batch, tuple) else (batch, None)
        yield explainer(inputs, target)


def each(
    explainer: Explainer, examples: Sequence[np.ndarray], target: Sequence[int] | np.ndarray | None = None
) -> list[Explanation]:
    """Explains clouds or grids of different sizes in one call; those of equal size share batches.

    Args:
        explainer: Any explainer.
        examples: Points (N_i,3+F) or voxels (D_i,H_i,W_i,C).
        target: The class of each, the predicted ones by default.

    Returns:
        The Explanation of each example, in order.

    Raises:
        UserError: If there are not as many targets as examples, or as the explainer does.
    """
    if target is not None and len(target) != len(examples):
        raise UserError(f"{len(examples)} examples need as many targets, there are {len(target)}")
    shapes = [np.shape(example) for example in examples]
    found: dict[int, Explanation] = {}
    for shape in dict.fromkeys(shapes):
        alike = [number for number, own in enumerate(shapes) if own == shape]
        classes = None if target is None else np.asarray(target)[alike]
        explained = explainer(np.stack([examples[number] for number in alike]), classes)
        found |= {number: explained[place] for place, number in enumerate(alike)}
    return [found[number] for number in range(len(examples))]
