"""Classification by the vote of several views of each object."""

from collections.abc import Iterable

import keras
import numpy as np

from tfxai3d.evaluate.classification import Classification, classify


def vote(
    model: keras.Model,
    views: Iterable[np.ndarray],
    labels: np.ndarray,
    batch_size: int = 64,
    verbose: bool = False,
) -> Classification:
    """Classifies objects by the mean of the probabilities that a model gives to their views.

    Probabilities and not logits, so that every view has one vote of the same size: logits have no bound, and
    one view of which the model is wildly sure could outvote all others.

    Args:
        model: Maps inputs to logits.
        views: Each holds one view of every object (M,...), such as `Split.views` of tfxai3d.data makes.
        labels: True classes, int (M,).
        batch_size: Examples a forward pass.
        verbose: Show a progress bar for each view.

    Returns:
        The answers; their logits are the logarithms of the mean probabilities.
    """
    total: np.ndarray | float = 0.0
    count = 0
    for view in views:
        answers = classify(model, view, labels, batch_size, verbose)
        total = total + answers.probabilities.astype(np.float64)
        count += 1
    return Classification(np.log(np.maximum(total / count, np.finfo(np.float64).tiny)), np.asarray(labels))
