"""Faithfulness by what a network still says while parts of an object go, in the order of the importance.

All are by real removal: points are taken away, voxels emptied. The orders are those of the signed importance.
"""

from collections.abc import Sequence

import numpy as np

from tfxai3d.evaluate.faithfulness.subject import FRACTIONS, Rated

HALF = 500 / 1024
"""The fraction of InfoCons' protocol (ICML 2025), 500 of 1,024 points."""


def deletion(rated: Rated, fractions: Sequence[float] = FRACTIONS) -> np.ndarray:
    """Returns the mean confidence while the most important part goes, (B,): the lower, the better.

    The area under the deletion curve of Petsiuk et al. (RISE, BMVC 2018), over 2 to 95 % of the object.

    Args:
        rated: The examples and their importance.
        fractions: What is gone of them, in other steps.
    """
    scores = rated.highest if fractions is FRACTIONS else rated.removed(rated.importance, fractions)
    return rated.subject.confidence(scores).mean(axis=1)


def insertion(rated: Rated) -> np.ndarray:
    """Returns the mean confidence while the most important part comes, (B,): the higher, the better.

    The area under the insertion curve of Petsiuk et al. (RISE, BMVC 2018), from the most important 5 % on:
    what is there while the least important part goes.
    """
    return rated.subject.confidence(rated.lowest).mean(axis=1)


def area_between(rated: Rated) -> np.ndarray:
    """Returns `insertion` less `deletion`, in [-1, 1], (B,): 0 is chance, and the higher, the better.

    The ABPC of Schulz et al. (ICLR 2020) and Blücher et al. (TMLR 2024), by confidence.
    """
    return insertion(rated) - deletion(rated)


def area_zeroed(rated: Rated) -> np.ndarray:
    """Returns `area_between` with points moved to the origin in the place of taking them away, (B,).

    So toolkits for images and LATEC (Klein et al., NeurIPS 2024) treat clouds. It is here to be compared: a
    point at the origin is still a point, and a thousand of them are an object of their own.
    """
    subject = rated.subject
    importance = rated.importance.reshape(subject.inputs.shape[:-1])
    return area_between(Rated.by(subject.by_zeroing, importance))


def flip(rated: Rated) -> np.ndarray:
    """Returns the fraction that has to go until the decision changes, (B,): the lower, the better.

    The most important part goes first, in the steps of `FRACTIONS`; 1 where no step changes the decision.
    The number of points of Zheng et al. (ICCV 2019) and Struhs (2020), with the importance computed once.
    """
    changed = rated.highest.argmax(axis=-1) != rated.subject.labels[:, None]
    steps = np.array([*FRACTIONS, 1.0])
    return steps[np.where(changed.any(axis=1), changed.argmax(axis=1), len(FRACTIONS))]


def half(rated: Rated) -> np.ndarray:
    """Returns whether the decision survives the loss of 500 of 1,024 places, 0 or 1, (B,): lower is better.

    The most important go at once. The mean is the accuracy of InfoCons' protocol (Li et al., ICML 2025).
    """
    left = rated.removed(rated.importance, (HALF,))[:, 0]
    return (left.argmax(axis=-1) == rated.subject.labels).astype(float)
