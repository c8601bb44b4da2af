"""Faithfulness by random subsets: does the importance of what goes add up to what the score loses?"""

import itertools

import numpy as np

from tfxai3d.evaluate.faithfulness.subject import SUBSETS, Rated


def sensitivity_n(rated: Rated) -> np.ndarray:
    """Returns how well summed importance goes with the loss of the score, in [-1, 1], (B,): higher is better.

    Pearson's correlation over random subsets of one size, mean over the sizes `SUBSETS` (sensitivity-n of
    Ancona et al., ICLR 2018). 0 where the sums or the losses do not vary.
    """
    told, lost = _told_and_lost(rated)
    ends = itertools.pairwise(np.cumsum([0, *SUBSETS.values()]))
    found = [_correlation(told[:, i:j], lost[:, i:j]) for i, j in ends]
    return np.mean(found, axis=0)


def infidelity(rated: Rated) -> np.ndarray:
    """Returns the part of the loss that the importance does not tell, (B,): the lower, the better.

    The infidelity of Yeh et al. (NeurIPS 2019) for random subsets that are taken away, `E[(told - lost)^2]`,
    by the best factor of 0 or more for the importance, and as a fraction of `E[lost^2]`: in [0, 1], whatever
    the scale of importance and scores. 1 where the importance tells nothing, or the opposite.
    """
    told, lost = _told_and_lost(rated)
    both, own, all_lost = ((a * b).mean(axis=1) for a, b in ((told, lost), (told, told), (lost, lost)))
    size = own * all_lost
    return 1 - np.divide(np.maximum(both, 0) ** 2, size, out=np.zeros_like(both), where=size > 0)


def _told_and_lost(rated: Rated) -> tuple[np.ndarray, np.ndarray]:
    """Returns the summed importance of each subset and what the score loses without it, (B,S)."""
    gone, lost = rated.subject.subsets
    return np.einsum("bsm,bm->bs", gone, rated.importance), lost.astype(np.float64)


def _correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns Pearson's correlation of rows (B,S), 0 where one is constant."""
    one, other = (rows - rows.mean(axis=1, keepdims=True) for rows in (first, second))
    size = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    constant = (np.ptp(first, axis=1) == 0) | (np.ptp(second, axis=1) == 0)
    return np.divide((one * other).sum(axis=1), size, out=np.zeros(len(size)), where=(size > 0) & ~constant)
