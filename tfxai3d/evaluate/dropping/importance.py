"""Where the importance of the points comes from, step by step of a drop sequence."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from tfxai3d.evaluate.dropping.forward import Clouds, Forward
from tfxai3d.explain.explainer import Explainer


class Importance(Protocol):
    """Rates what is left of a batch of clouds."""

    #: Logits of clouds that need no rating.
    forward: Forward

    def rate(
        self, clouds: Clouds, left: Sequence[np.ndarray], labels: np.ndarray, places: np.ndarray
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Returns the importance (N_i,) of what is left of each cloud (N_i,3), and the logits (M,C).

        Args:
            clouds: What is left of each cloud, (N_i,3).
            left: Which points of the whole cloud these are, (N_i,).
            labels: True classes, int (M,).
            places: The clouds' places among those that were given, int (M,).
        """


class Recomputed:
    """An explainer's importance of what is left, anew in each step.

    Clouds of different sizes are explained apart, because what a method makes of copies that would fill a
    batch up is its own affair.
    """

    def __init__(self, explainer: Explainer):
        self.explainer = explainer
        self.forward = Forward(explainer.network, explainer.batch_size)

    def rate(
        self, clouds: Clouds, left: Sequence[np.ndarray], labels: np.ndarray, places: np.ndarray
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Explains what is left; the logits come from the same pass."""
        sizes = np.array([len(cloud) for cloud in clouds])
        importance, logits = ([np.empty(0)] * len(clouds) for _ in range(2))
        for size in np.unique(sizes):
            alike = np.flatnonzero(sizes == size).tolist()
            explained = self.explainer(np.stack([clouds[i] for i in alike]), target=labels[alike])
            for i, rated, scores in zip(alike, explained.importance, explained.scores, strict=True):
                importance[i], logits[i] = rated, scores
        return importance, np.stack(logits)


class Fixed:
    """The importance of the whole clouds, arrays (N_i,), computed once: only forward passes are left."""

    def __init__(self, importance: Sequence[np.ndarray], forward: Forward):
        self.importance, self.forward = importance, forward

    @classmethod
    def once(cls, source: Importance, clouds: Clouds, labels: np.ndarray) -> "Fixed":
        """Returns the importance that another source gives to the whole clouds."""
        whole = [np.arange(len(cloud)) for cloud in clouds]
        return cls(source.rate(clouds, whole, labels, np.arange(len(clouds)))[0], source.forward)

    def rate(
        self, clouds: Clouds, left: Sequence[np.ndarray], labels: np.ndarray, places: np.ndarray
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Looks the importance up and computes the logits."""
        importance = [self.importance[i][kept] for i, kept in zip(places, left, strict=True)]
        return importance, self.forward(clouds)


def random_importance(sizes: Iterable[int], seed: int = 0, first: int = 0) -> list[np.ndarray]:
    """Returns random importance, for control runs: a random order of each cloud's points.

    Args:
        sizes: Points of each cloud.
        seed: A cloud's order follows from the seed and its place in the data set alone.
        first: Place of the first cloud in the data set.
    """
    places = enumerate(sizes, start=first)
    return [np.random.default_rng((seed, place)).permutation(size) for place, size in places]
