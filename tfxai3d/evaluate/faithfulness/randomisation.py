"""Sanity checks: a map that explains a network changes with the network, and with the class."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.evaluate.faithfulness.subject import Rated
from tfxai3d.evaluate.statistics import rank_correlation

DEPTHS = (0.25, 0.5, 1.0)
"""Fractions of a network's weights, from the top, that are shuffled one after the other."""


def parameters(rated: Rated) -> np.ndarray:
    """Returns how far the map survives when the weights are shuffled, in [0, 1], (B,): lower is better.

    The size of Spearman's correlation of the map and that of the network whose upper weights are shuffled,
    mean over the `DEPTHS` (the cascading test of Adebayo et al., NeurIPS 2018). The entries of a weight stay
    the same, only their places change. 0 where a map becomes constant.

    Raises:
        UserError: If the model shows no weights.
    """
    subject = rated.subject
    found = []
    for depth in DEPTHS:
        with shuffled(subject.network.model, depth, subject.seed):
            other = np.asarray(rated.rate(subject.inputs, subject.labels))
        found.append(np.abs(_agreement(rated, other)))
    return np.mean(found, axis=0)


def other_class(rated: Rated) -> np.ndarray:
    """Returns how far the map is that of the runner-up as well, in [-1, 1], (B,): the lower, the better.

    Spearman's correlation of the maps of the explained class and of the class with the highest score beside
    it (the random-logit test of Sixt et al., ICML 2020, with the class that is hardest to tell apart).
    """
    subject = rated.subject
    scores = subject.whole.copy()
    scores[np.arange(len(scores)), subject.labels] = -np.inf
    return _agreement(rated, np.asarray(rated.rate(subject.inputs, scores.argmax(axis=-1))))


@contextlib.contextmanager
def shuffled(model: Any, depth: float, seed: int = 0) -> Iterator[None]:
    """Shuffles the entries of a model's upper weights for the block, and puts them back after it.

    Args:
        model: A Keras model, or what has its TensorFlow variables as `trainable_variables`.
        depth: The fraction of its trainable weights of two axes or more, counted from the last.
        seed: Of the shuffling.

    Raises:
        UserError: If it shows no such weights.
    """
    weights = [weight for weight in _weights(model) if len(weight.shape) > 1]
    if not weights:
        raise UserError("parameters: the model shows no weights that could be shuffled")
    chosen = weights[-max(1, round(depth * len(weights))) :]
    before = [weight.numpy() for weight in chosen]
    rng = np.random.default_rng(seed)
    try:
        for weight, values in zip(chosen, before, strict=True):
            weight.assign(rng.permutation(values.ravel()).reshape(values.shape))
        yield
    finally:
        for weight, values in zip(chosen, before, strict=True):
            weight.assign(values)


def _weights(model: Any) -> Sequence[Any]:
    return getattr(model, "trainable_variables", None) or getattr(model, "variables", None) or ()


def _agreement(rated: Rated, other: np.ndarray) -> np.ndarray:
    """Returns Spearman's correlation with another map over the places, 0 where one is constant."""
    rows = rated.subject.places
    return np.nan_to_num(rank_correlation(rated.importance, other.reshape(rows.shape), within=rows))
