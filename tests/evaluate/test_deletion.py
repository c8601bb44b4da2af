"""Taking away the most important part, against loops over single points and voxels."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfxai3d import evaluate
from tfxai3d.errors import UserError


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 0.99))
def test_points_equal_a_loop(seed, fraction):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(2, 7, 3)).astype("float32")
    importance = rng.integers(0, 4, (2, 7)).astype("float32")  # with ties
    got = evaluate.without_important(points, importance, fraction)
    for cloud, values, left in zip(points, importance, got, strict=True):
        gone = sorted(range(7), key=lambda i: (-values[i], i))[: int(fraction * 7)]
        np.testing.assert_array_equal(left, [p for i, p in enumerate(cloud) if i not in gone])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 0.99))
def test_voxels_equal_a_loop(seed, fraction):
    rng = np.random.default_rng(seed)
    grids = (rng.random((3, 3, 2, 4, 1)) < 0.4).astype("float32")
    grids[2] = 0  # nothing to take
    importance = rng.integers(-2, 3, (3, 3, 2, 4)).astype("float32")
    got = evaluate.without_important(grids, importance, fraction)
    for grid, values, left in zip(grids, importance, got, strict=True):
        full = [place for place in np.ndindex(3, 2, 4) if grid[place]]
        full.sort(key=lambda place: (-values[place], place))
        expected = grid.copy()
        for place in full[: int(fraction * len(full))]:
            expected[place] = 0
        np.testing.assert_array_equal(left, expected)


def test_the_score_is_the_mean_confidence_left():
    inputs = keras.Input((None, 3))
    net = keras.Model(inputs, keras.ops.sum(inputs, axis=1)[:, :2])  # logits: sums of x and of y
    points = np.zeros((1, 4, 3), "float32")
    points[0, :, 0] = [4, 3, 2, 1]
    score = evaluate.deletion_score(net, points, np.array([0]), points[..., 0], fractions=(0.25, 0.5))
    np.testing.assert_allclose(score, [np.mean([1 / (1 + np.exp(-6.0)), 1 / (1 + np.exp(-3.0))])], rtol=1e-6)


def test_the_area_between_the_curves_knows_a_perfect_an_inverted_and_a_constant_importance():
    inputs = keras.Input((None, 3))
    net = keras.Model(inputs, keras.ops.sum(inputs, axis=1)[:, :2])
    points = np.zeros((1, 20, 3), "float32")
    points[0, :, 0] = np.linspace(-1, 1, 20)  # what each point adds to the logit of class 0
    perfect, label = points[..., 0], np.array([0])
    area = evaluate.area_between_curves(net, points, label, perfect)
    assert area > 0.5
    np.testing.assert_allclose(evaluate.area_between_curves(net, points, label, -perfect), -area, rtol=1e-5)
    np.testing.assert_allclose(evaluate.area_between_curves(net, points, label, 0 * perfect), 0, atol=1e-7)


@pytest.mark.parametrize("fraction", [-0.1, 1.0])
def test_a_fraction_that_leaves_nothing_is_refused(fraction):
    with pytest.raises(UserError, match="at least 0 and below 1"):
        evaluate.without_important(np.zeros((1, 4, 3)), np.zeros((1, 4)), fraction)


def test_importance_of_another_shape_is_refused():
    with pytest.raises(UserError, match="does not fit"):
        evaluate.without_important(np.zeros((1, 4, 3)), np.zeros((1, 5)), 0.5)
