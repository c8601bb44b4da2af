"""Localisation: is the importance where the reason is, of objects of which it is known by construction?"""

import numpy as np
import scipy.stats

from tfxai3d.errors import UserError
from tfxai3d.evaluate.faithfulness.subject import Rated


def mass(rated: Rated) -> np.ndarray:
    """Returns the fraction of the positive importance that lies where the reason is, (B,): higher is better.

    Mass Concentration (SE3D, ICIP 2024); 0 where nothing is positive. Chance is the fraction of the places.

    Raises:
        UserError: If the subject does not say where the reason is, as for the other.
    """
    positive, truth = np.maximum(rated.importance, 0), _truth(rated)
    total = positive.sum(axis=1)
    return np.divide((positive * truth).sum(axis=1), total, out=np.zeros_like(total), where=total > 0)


def ranking(rated: Rated) -> np.ndarray:
    """Returns how often a place of the reason is rated above another place, (B,): the higher, the better.

    The area under the ROC curve: equal ratings count half, chance is 1/2. NaN where the reason is nowhere or
    everywhere.
    """
    pairs = zip(rated.importance, _truth(rated), rated.subject.places, strict=True)
    return np.array([_area(row[there], truth[there]) for row, truth, there in pairs])


def _area(importance: np.ndarray, truth: np.ndarray) -> float:
    inside = int(truth.sum())
    if not 0 < inside < len(truth):
        return float("nan")
    ranks = scipy.stats.rankdata(importance)
    return float((ranks[truth].sum() - inside * (inside + 1) / 2) / (inside * (len(truth) - inside)))


def _truth(rated: Rated) -> np.ndarray:
    if rated.subject.truth is None:
        raise UserError("localisation needs truth, where the reason is")
    return rated.subject.truth.reshape(len(rated.subject.truth), -1)
