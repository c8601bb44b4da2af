import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfxai3d.errors import UserError
from tfxai3d.evaluate import MIRRORED, MODES, by_count, dropped_points, random_points
from tfxai3d.evaluate.dropping.modes import threshold

HEAT_MODES = [mode for mode in MODES if mode not in MIRRORED]
# Zeros and ties are frequent.
heats = st.lists(
    st.sampled_from([0.0, 0.25, 0.5, 3.0]) | st.floats(0, 1e3, width=32), min_size=1, max_size=40
)


def reference(heat, mode, min_points):
    """The points a mode drops, point by point, as Struhs (2020) defines the modes."""
    positive = sorted(h for h in heat if h > 0)
    if mode in ("nonzero", "zero"):
        chosen = [i for i, h in enumerate(heat) if (h > 0) == (mode == "nonzero")]
    elif not positive:
        chosen = []
    else:
        t = {
            "average": np.mean(positive),
            "median": positive[len(positive) // 2],
            "midrange": (positive[0] + positive[-1]) / 2,
        }[mode[1:]]
        chosen = [i for i, h in enumerate(heat) if (h > t if mode[0] == "+" else h < t)]
    hottest_first = mode[0] == "+" or mode == "nonzero"
    chosen.sort(key=lambda i: (-heat[i] if hottest_first else heat[i], i))
    return set(chosen[: max(0, len(heat) - min_points)])


@pytest.mark.parametrize("mode", HEAT_MODES)
@given(heat=heats, min_points=st.sampled_from([0, 1, 10]))
def test_equals_the_reference(mode, heat, min_points):
    dropped = dropped_points(np.array(heat, np.float32), mode, min_points)
    assert dropped.dtype == bool
    assert set(np.flatnonzero(dropped).tolist()) == reference(heat, mode, min_points)


@given(heat=heats)
def test_plus_and_minus_drop_all_but_the_threshold(heat):
    heat = np.array(heat, np.float32)
    for kind in ("average", "median", "midrange"):
        hot, cold = (dropped_points(heat, sign + kind, 0) for sign in "+-")
        kept = heat[~(hot | cold)]
        assert not (hot & cold).any()
        if (heat > 0).any():
            assert (kept == threshold(heat, kind)).all()
    assert (dropped_points(heat, "nonzero", 0) ^ dropped_points(heat, "zero", 0)).all()


@pytest.mark.parametrize(
    ("heat", "average", "median", "midrange"),
    [([0, 1, 2, 0, 6], 3, 2, 3.5), ([4, 1, 2, 3], 2.5, 3, 2.5), ([0, 7], 7, 7, 7)],
)
def test_thresholds(heat, average, median, midrange):
    heat = np.array(heat, np.float32)
    assert [threshold(heat, kind) for kind in ("average", "median", "midrange")] == [
        average,
        median,
        midrange,
    ]


def test_a_threshold_between_neighbouring_floats_is_not_rounded():
    heat = np.array([1, np.nextafter(np.float32(1), np.float32(2))], np.float32)
    for kind in ("average", "midrange"):
        assert dropped_points(heat, f"+{kind}", 0).tolist() == [False, True]
        assert dropped_points(heat, f"-{kind}", 0).tolist() == [True, False]


def test_large_heats_do_not_overflow():
    heat = np.array([3e38, 3e38, 1], np.float32)
    assert dropped_points(heat, "-midrange", 0).tolist() == [False, False, True]


@pytest.mark.parametrize("mode", HEAT_MODES)
def test_without_heat_only_zero_drops(mode):
    dropped = dropped_points(np.zeros(15, np.float32), mode)
    assert dropped.sum() == (5 if mode == "zero" else 0)


def test_ten_points_stay_and_the_most_extreme_go_first():
    heat = np.arange(13, dtype=np.float32)
    assert np.flatnonzero(dropped_points(heat, "nonzero")).tolist() == [10, 11, 12]
    assert np.flatnonzero(dropped_points(heat, "+median")).tolist() == [10, 11, 12]
    assert np.flatnonzero(dropped_points(heat, "-median")).tolist() == [0, 1, 2]
    assert not dropped_points(heat[:10], "nonzero").any()


@given(st.integers(0, 60), st.integers(0, 50), st.sampled_from([0, 10]), st.integers(0, 5))
def test_random_points(count, total, min_points, seed):
    dropped = random_points(count, total, np.random.default_rng(seed), min_points)
    assert dropped.shape == (total,)
    assert dropped.sum() == max(0, min(count, total - min_points))
    np.testing.assert_array_equal(
        dropped, random_points(count, total, np.random.default_rng(seed), min_points)
    )


def test_random_points_are_uniform():
    rng = np.random.default_rng(0)
    often = sum(random_points(3, 12, rng, 0).astype(int) for _ in range(4000))
    assert np.abs(often / 4000 - 0.25).max() < 0.03


@pytest.mark.parametrize("mode", ["hottest", "", "+zero", "average", *MIRRORED])
def test_other_modes_are_refused(mode):
    with pytest.raises(UserError, match=r"unknown mode .*; known are \+average, "):
        dropped_points(np.ones(20), mode)


def test_of_importance_with_a_sign_the_most_positive_go_first():
    importance = np.array([-5.0, 0.0, 2.0, -1.0, 3.0])
    gone = [np.flatnonzero(by_count(2, order, 0)(importance, 0)).tolist() for order in ("highest", "lowest")]
    assert gone == [[2, 4], [0, 3]]
    assert np.flatnonzero(dropped_points(importance, "nonzero", 0)).tolist() == [2, 4]
