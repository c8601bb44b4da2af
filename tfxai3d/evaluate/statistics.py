"""How far explanations agree, and how sure a mean is."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.stats


class Interval(NamedTuple):
    """A mean and its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


def bootstrap_mean(values: np.ndarray, seed: int = 0) -> Interval:
    """Returns the mean of a sample and its 95 % interval by the percentile bootstrap.

    Args:
        values: A sample (M,); NaN values are left out.
        seed: Seed of the 9,999 resamples.

    Returns:
        The interval; its ends are NaN for fewer than two values, all three for none.
    """
    sample = values[~np.isnan(values)]
    if len(sample) < 2:
        return Interval(float(sample.mean()) if len(sample) else np.nan, np.nan, np.nan)
    rng = np.random.default_rng(seed)
    found = scipy.stats.bootstrap((sample,), np.mean, batch=500, method="percentile", rng=rng)
    return Interval(float(sample.mean()), *map(float, found.confidence_interval))


def rank_correlation(
    first: np.ndarray, second: np.ndarray, *, within: np.ndarray | None = None
) -> npt.NDArray[np.float64]:
    """Returns Spearman's rank correlation of two importance maps of each example.

    Args:
        first: Importance (B,...).
        second: Importance of the same shape.
        within: Which points or voxels count, bool (B,...); by default all.

    Returns:
        Correlations in [-1, 1], (B,); NaN where a map is constant.
    """
    if within is not None:
        parts = [
            (one[here][None], other[here][None])
            for one, other, here in zip(first, second, within, strict=True)
        ]
        return np.concatenate([rank_correlation(*pair) for pair in parts])
    ranks = [scipy.stats.rankdata(array.reshape(len(array), -1), axis=1) for array in (first, second)]
    one, other = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    size = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    product = (one * other).sum(axis=1)
    return np.divide(product, size, out=np.full(len(size), np.nan), where=size > 0)
