"""Complexity: few places are easier to read than many."""

import numpy as np

from tfxai3d.evaluate.faithfulness.subject import Rated


def gini(rated: Rated) -> np.ndarray:
    """Returns the Gini index of |importance| over the places of the object, (B,): the higher, the sparser.

    It is below 1, and 0 where all places are equal (sparseness of Chalasani et al., ICML 2020).
    """
    return np.array([_gini(row) for row in _sizes(rated)])


def entropy(rated: Rated) -> np.ndarray:
    """Returns the entropy of |importance| as a fraction of the largest, (B,): the lower, the simpler.

    The complexity of Bhatt et al. (IJCAI 2020), divided by the logarithm of the number of places: 1 where all
    places are equal, also all 0.
    """
    return np.array([_entropy(row) for row in _sizes(rated)])


def _sizes(rated: Rated) -> list[np.ndarray]:
    sizes = np.abs(rated.importance)
    return [row[there] for row, there in zip(sizes, rated.subject.places, strict=True)]


def _gini(sizes: np.ndarray) -> float:
    if not sizes.sum():
        return 0.0
    ordered, count = np.sort(sizes), len(sizes)
    weights = 2 * np.arange(1, count + 1) - count - 1
    return float((weights * ordered).sum() / (count * ordered.sum()))


def _entropy(sizes: np.ndarray) -> float:
    if not sizes.sum() or len(sizes) < 2:
        return 1.0
    part = sizes[sizes > 0] / sizes.sum()
    return float(-(part * np.log(part)).sum() / np.log(len(sizes)))
