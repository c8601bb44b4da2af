import numpy as np
import pytest

from tfxai3d.evaluate import Classification, fit_temperature, reliability, with_temperature


def answers(confidence, right):
    """Two classes; the predicted one is 0."""
    confidence = np.asarray(confidence, float)
    logits = np.log(np.stack([confidence, 1 - confidence], axis=1))
    return Classification(logits, 1 - np.asarray(right, int))


def slow_error(result, bins):
    """The expected calibration error, example by example."""
    sure, right = result.probabilities.max(-1), result.predicted == result.labels
    total = 0.0
    for k in range(bins):
        members = [i for i, p in enumerate(sure) if k / bins < p <= (k + 1) / bins]
        if members:
            total += abs(sum(float(right[i]) - sure[i] for i in members))
    return total / len(sure)


def test_bins_by_hand():
    found = reliability(answers([0.65, 0.7, 0.7, 0.95], [1, 0, 1, 1]), bins=5)
    assert found.counts.tolist() == [0, 0, 0, 3, 1]
    np.testing.assert_allclose(found.accuracy, [np.nan, np.nan, np.nan, 2 / 3, 1])
    np.testing.assert_allclose(found.confidence, [np.nan, np.nan, np.nan, 2.05 / 3, 0.95])
    assert found.expected_error == pytest.approx((3 * (2.05 - 2) / 3 + 0.05) / 4)


@pytest.mark.parametrize("bins", [1, 7, 15])
def test_expected_error_equals_the_slow_one(bins):
    rng = np.random.default_rng(0)
    result = Classification(rng.normal(size=(200, 4)) * 2, rng.integers(0, 4, 200))
    found = reliability(result, bins)
    assert found.counts.sum() == 200
    assert found.expected_error == pytest.approx(slow_error(result, bins))


def test_certain_answers_fall_into_the_last_bin():
    found = reliability(Classification(np.array([[0.0, 500.0]]), np.array([0])))
    assert found.counts.tolist() == [0] * 14 + [1]
    assert found.expected_error == 1.0


def drawn(temperature, count=20_000):
    """Logits of a model that would be calibrated if they were divided by a temperature."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(count, 5)) * 2
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(-1)  # drawn with the softmax's probabilities
    return Classification((logits * temperature).astype("float32"), labels)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_the_temperature_is_found_and_calibrates(temperature):
    result = drawn(temperature)
    found = fit_temperature(result)
    assert found == pytest.approx(temperature, rel=0.03)
    scaled = with_temperature(result, found)
    np.testing.assert_array_equal(scaled.predicted, result.predicted)
    assert reliability(scaled).expected_error < 0.012
    if temperature != 1:
        assert reliability(result).expected_error > 0.1


def test_the_temperature_is_the_least_cross_entropy():
    result = drawn(1.7, 300)

    def cross_entropy(temperature):
        chosen = with_temperature(result, temperature).probabilities[np.arange(300), result.labels]
        return -np.log(chosen).mean()

    grid = np.geomspace(0.05, 20, 4001)
    best = grid[np.argmin([cross_entropy(t) for t in grid])]
    assert fit_temperature(result) == pytest.approx(best, rel=0.003)


def test_answers_that_are_all_right_end_at_the_limit():
    assert fit_temperature(answers([0.6, 0.9], [1, 1])) == pytest.approx(0.05, rel=0.01)
