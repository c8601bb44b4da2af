"""Explaining data sets that do not fit into memory."""

from collections.abc import Iterable, Iterator
from typing import Any

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
