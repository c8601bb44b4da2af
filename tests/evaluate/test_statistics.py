"""Agreement and intervals against scipy and against the normal distribution."""

import numpy as np
import pytest
import scipy.stats

from tfxai3d.evaluate import bootstrap_mean, rank_correlation


def test_rank_correlation_is_spearmans_ties_included():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 6, (2, 5, 4, 3)).astype(float)
    found = rank_correlation(first, second)
    for i in range(5):
        expected = scipy.stats.spearmanr(first[i].ravel(), second[i].ravel()).statistic
        assert found[i] == pytest.approx(expected)
    np.testing.assert_allclose(rank_correlation(first, np.exp(first)), 1)
    assert np.isnan(rank_correlation(np.ones((1, 4)), first[:1, 0, :].repeat(2, 1)[:, :4])).all()


def test_the_interval_is_as_wide_as_the_standard_error_says():
    values = np.random.default_rng(3).normal(5, 2, 400)
    found = bootstrap_mean(values)
    assert found.mean == pytest.approx(values.mean())
    error = values.std() / 20
    assert found.low == pytest.approx(found.mean - 1.96 * error, abs=0.1 * error)
    assert found.high == pytest.approx(found.mean + 1.96 * error, abs=0.1 * error)
    assert found == bootstrap_mean(np.append(values, np.nan))


def test_too_few_values_have_no_interval():
    one = bootstrap_mean(np.array([2.0, np.nan]))
    assert one.mean == 2
    assert np.isnan([one.low, one.high]).all()
    assert np.isnan(bootstrap_mean(np.array([np.nan])).mean)
