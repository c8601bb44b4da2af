"""Whether a classifier is as sure as it is right.

After Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
"""

import dataclasses

import numpy as np

from tfxai3d.evaluate.classification import Classification
from tfxai3d.results import heads

_TEMPERATURES = (0.05, 20.0)


@dataclasses.dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy, by bins of equal width of the confidence."""

    edges: np.ndarray  # limits of the bins, 0 to 1, (B+1,); a confidence on a limit belongs to the bin below
    counts: np.ndarray  # examples in each bin, int (B,)
    confidence: np.ndarray  # mean probability of the predicted class in each bin (B,), NaN in an empty one
    # Fraction of each bin's examples that are classified right (B,), NaN in an empty one.
    accuracy: np.ndarray

    @property
    def expected_error(self) -> float:
        """Expected calibration error: the mean over all examples of |accuracy - confidence| of their bin."""
        gap = np.abs(np.nan_to_num(self.accuracy - self.confidence))
        return float((self.counts * gap).sum() / self.counts.sum())


def reliability(result: Classification, bins: int = 15) -> Reliability:
    """Compares the probability of the predicted class with how often it is the true one.

    Args:
        result: A classifier's answers, at least one.
        bins: Number of bins; 15 in the paper.
    """
    sure = result.probabilities.max(axis=-1)
    right = result.predicted == result.labels
    edges = np.linspace(0, 1, bins + 1)
    number = np.clip(np.searchsorted(edges, sure) - 1, 0, bins - 1)
    counts = np.bincount(number, minlength=bins)
    with np.errstate(invalid="ignore"):
        confidence, accuracy = (
            np.bincount(number, weights=values, minlength=bins) / counts for values in (sure, right)
        )
    return Reliability(edges, counts, confidence, accuracy)


def fit_temperature(result: Classification) -> float:
    """Finds the number that the logits are best divided by: the least mean cross entropy (section 4.2).

    The mean cross entropy is convex in the inverse of the temperature, so the minimum found is the only one.
    Fit it on data that is neither the model's training set nor the one that is reported on.

    Args:
        result: Answers to the data to fit on, at least one.

    Returns:
        The temperature, between 0.05 and 20: above 1 the model was too sure. It is the lower limit if all
        answers are right, as no temperature is then low enough.
    """
    from scipy.optimize import minimize_scalar

    logits, rows = result.logits.astype(np.float64), np.arange(len(result.labels))

    def cross_entropy(log_temperature: float) -> float:
        logs = heads.log_probabilities(np.exp(-log_temperature) * logits, result.head)
        return float(-np.mean(logs[rows, result.labels]))

    found = minimize_scalar(cross_entropy, bounds=tuple(np.log(_TEMPERATURES)), method="bounded")
    return float(np.exp(found.x))


def with_temperature(result: Classification, temperature: float) -> Classification:
    """Returns the answers with their logits divided by a temperature: same classes, other probabilities."""
    return dataclasses.replace(result, logits=result.logits / temperature)
