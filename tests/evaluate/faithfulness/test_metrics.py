"""Metrics where the right answer is known: a linear network, whose contributions are exact."""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from tfxai3d import evaluate, explain, models
from tfxai3d.errors import UserError
from tfxai3d.evaluate import METRICS, Rated, Subject
from tfxai3d.evaluate.faithfulness.curves import deletion


def linear():
    """Returns a network whose logits are the sums of x, of y and of z."""
    inputs = keras.Input((None, 3))
    return explain.network(keras.Model(inputs, keras.ops.sum(inputs, axis=1)), "points")


def voxels():
    """Returns a network of grids whose logits are weighted sums of the voxels, and its weights (27,2)."""
    inputs = keras.Input((3, 3, 3, 1))
    dense = keras.layers.Dense(2, use_bias=False)
    model = keras.Model(inputs, dense(keras.layers.Flatten()(inputs)))
    return explain.network(model, "voxels"), dense


LINEAR = linear()


@pytest.fixture(scope="module")
def subject():
    rng = np.random.default_rng(0)
    points = rng.normal(0, 0.1, (3, 60, 3)).astype("float32")
    points[..., 0] += 0.03  # class 0
    return Subject(linear(), points, np.zeros(3, int))


def contributions(inputs, labels):
    """The exact importance: what a point adds to the score of the class."""
    return np.stack([cloud[:, label] for cloud, label in zip(inputs, labels, strict=True)])


def chance(inputs, labels):
    return np.random.default_rng(int(1e3 * abs(inputs[0, 0, 0]))).random(inputs.shape[:-1])


def opposite(inputs, labels):
    return -contributions(inputs, labels)


@pytest.mark.parametrize(
    "name", ["deletion", "insertion", "area_between", "flip", "half", "sensitivity_n", "infidelity"]
)
def test_the_exact_importance_beats_chance_and_chance_its_opposite(subject, name):
    metric = METRICS[name]
    best, middle, worst = (
        metric.measure(Rated(subject, rate)).mean() for rate in (contributions, chance, opposite)
    )
    order = [worst, middle, best] if metric.better == "higher" else [best, middle, worst]
    if name in ("half", "infidelity"):
        assert order[0] <= order[1] <= order[2]
        assert best != worst
    else:
        assert order[0] < order[1] < order[2]


def test_curves_equal_a_loop_that_takes_away_one_by_one(subject):
    rated = Rated(subject, contributions)
    few = deletion(rated, (0.25, 0.5))
    scores = rated.removed(rated.importance, (0.25, 0.5))
    np.testing.assert_allclose(few, scipy.special.softmax(scores, axis=-1)[..., 0].mean(axis=1), rtol=1e-6)
    for cloud, importance, seen in zip(subject.inputs, rated.importance, rated.highest, strict=True):
        order = sorted(range(60), key=lambda i: (-importance[i], i))
        for fraction, scores in zip(evaluate.FRACTIONS, seen, strict=True):
            left = sorted(order[int(fraction * 60) :])
            np.testing.assert_allclose(scores, cloud[left].sum(axis=0), rtol=1e-4, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 0.99))
def test_among_equals_the_lower_index_goes_first(seed, fraction):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(2, 7, 3)).astype("float32")
    importance = rng.integers(-2, 2, (2, 7)).astype("float32")  # with ties
    rated = Rated.by(Subject(LINEAR, points, np.zeros(2, int)), importance)
    found = rated.removed(rated.importance, (fraction,))[:, 0]
    for cloud, values, scores in zip(points, importance, found, strict=True):
        gone = sorted(range(7), key=lambda i: (-values[i], i))[: int(fraction * 7)]
        np.testing.assert_allclose(scores, np.delete(cloud, gone, axis=0).sum(axis=0), rtol=1e-4, atol=1e-5)


def test_the_curves_of_voxels_empty_occupied_ones_alone():
    model, dense = voxels()
    rng = np.random.default_rng(1)
    grids = (rng.random((2, 3, 3, 3, 1)) < 0.5).astype("float32")
    subject = Subject(model, grids, np.array([0, 1]))
    rated = Rated(subject, lambda inputs, labels: rng.random(inputs.shape[:-1]))
    for grid, importance, seen in zip(grids, rated.importance, rated.lowest, strict=True):
        full = np.flatnonzero(grid)
        order = full[np.argsort(importance[full], kind="stable")]
        for fraction, scores in zip(evaluate.FRACTIONS, seen, strict=True):
            left = grid.ravel().copy()
            left[order[: int(fraction * len(full))]] = 0
            np.testing.assert_allclose(scores, left @ dense.kernel.numpy(), rtol=1e-4, atol=1e-5)


def test_flip_finds_the_first_step_that_changes_the_decision():
    cloud = np.zeros((1, 20, 3), "float32")
    cloud[0, :6, 0], cloud[0, 6:, 1] = 1.0, 0.2  # class 0 by 6 to 2.8; after 4 of the 6 it is lost
    subject = Subject(linear(), cloud, np.array([0]))
    expected = min(f for f in evaluate.FRACTIONS if int(f * 20) >= 4)
    assert METRICS["flip"].measure(Rated(subject, contributions)) == pytest.approx([expected])
    assert METRICS["flip"].measure(Rated(subject, opposite)) == [1.0]


def test_a_linear_network_is_told_exactly_by_its_contributions_of_any_scale(subject):
    for scale in (1, 1e-3, 50):
        rated = Rated(subject, lambda inputs, labels, scale=scale: scale * contributions(inputs, labels))
        np.testing.assert_allclose(METRICS["sensitivity_n"].measure(rated), 1, atol=1e-5)
        np.testing.assert_allclose(METRICS["infidelity"].measure(rated), 0, atol=1e-5)
    wrong = Rated(subject, opposite)
    np.testing.assert_allclose(METRICS["sensitivity_n"].measure(wrong), -1, atol=1e-5)
    np.testing.assert_allclose(METRICS["infidelity"].measure(wrong), 1)


def test_maps_that_tell_nothing_have_the_values_of_nothing(subject):
    nothing = Rated(subject, lambda inputs, labels: np.zeros(inputs.shape[:-1]))
    for name, value in (
        ("sensitivity_n", 0),
        ("infidelity", 1),
        ("gini", 0),
        ("entropy", 1),
        ("max_sensitivity", 0),
    ):
        np.testing.assert_array_equal(METRICS[name].measure(nothing), np.full(3, value), err_msg=name)


def test_max_sensitivity_of_contributions_is_the_size_of_the_noise(subject):
    found = METRICS["max_sensitivity"].measure(Rated(subject, contributions))
    size = np.linalg.norm(subject.inputs[..., 0], axis=1)
    assert (found > 0.8 * 0.01 * np.sqrt(60) / size).all()
    assert (found < 1.5 * 0.01 * np.sqrt(60) / size).all()


def test_a_map_of_the_height_turns_with_the_object_and_one_of_noise_does_not(subject):
    height = Rated(subject, lambda inputs, labels: inputs[..., 1])
    np.testing.assert_allclose(METRICS["rotation"].measure(height), 1)
    assert (METRICS["rotation"].measure(Rated(subject, chance)) < 0.5).all()


def test_normals_turn_with_the_points_and_colours_stay():
    points = np.random.default_rng(0).normal(size=(2, 30, 3)).astype("float32")
    normals = points / np.linalg.norm(points, axis=-1, keepdims=True)
    inputs = keras.Input((None, 6))
    model = explain.network(keras.Model(inputs, keras.ops.sum(inputs, axis=1)), "points")
    for more, turn in ((normals, True), (np.abs(points), False)):
        seen = []

        def rate(inputs, labels, seen=seen):
            seen.append(inputs)
            return inputs[..., 1]

        clouds = np.concatenate([points, more], axis=-1)
        METRICS["rotation"].measure(Rated(Subject(model, clouds, np.array([0, 1])), rate))
        whole, turned = seen
        assert not np.allclose(whole[..., :3], turned[..., :3], atol=1e-3)
        if turn:
            length = np.linalg.norm(points, axis=-1, keepdims=True)
            np.testing.assert_allclose(turned[..., 3:], turned[..., :3] / length, atol=1e-5)
        else:
            np.testing.assert_array_equal(turned[..., 3:], whole[..., 3:])


def test_the_right_angle_of_voxels_is_undone():
    grids = np.random.default_rng(0).random((2, 4, 4, 4, 1)).astype("float32")
    inputs = keras.Input((4, 4, 4, 1))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)))
    model = explain.network(model, "voxels")
    own = Rated(
        Subject(
            model,
            grids,
            np.array([0, 1]),
        ),
        lambda inputs, labels: inputs[..., 0],
    )
    np.testing.assert_allclose(METRICS["rotation"].measure(own), 1)


def test_two_samples_of_a_surface_agree_where_the_map_is_smooth(subject):
    smooth = Rated(subject, lambda inputs, labels: inputs[..., 0])
    assert (METRICS["resampling"].measure(smooth) > 0.5).all()
    assert (np.abs(METRICS["resampling"].measure(Rated(subject, chance))) < 0.5).all()


def test_a_fraud_that_ignores_the_network_fails_the_sanity_checks_and_gradients_pass():
    model = models.PointNet(5, "basic")
    points = np.random.default_rng(0).normal(size=(2, 40, 3)).astype("float32")
    weights = [w.numpy() for w in model.weights]
    subject = Subject(model, points, np.array([0, 1]))
    fraud = Rated(subject, lambda inputs, labels: np.linalg.norm(inputs, axis=-1))
    explainer = explain.GradientTimesInput(model)
    honest = Rated(subject, lambda inputs, labels: explainer(inputs, labels).importance)
    for name in ("parameters", "other_class"):
        np.testing.assert_allclose(METRICS[name].measure(fraud), 1)
        assert (METRICS[name].measure(honest) < 0.9).all()
    for before, after in zip(weights, model.weights, strict=True):
        np.testing.assert_array_equal(before, after.numpy())


def test_shuffled_weights_come_back_after_an_error():
    network, dense = voxels()
    before = dense.kernel.numpy()
    seen = []

    def fail():
        with evaluate.shuffled(network.model, 1.0):
            seen.append(dense.kernel.numpy())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not np.array_equal(before, seen[0])
    np.testing.assert_array_equal(np.sort(before.ravel()), np.sort(seen[0].ravel()))
    np.testing.assert_array_equal(before, dense.kernel.numpy())


def test_gini_and_entropy_equal_their_definitions(subject):
    rated = Rated(subject, chance)
    sizes = rated.importance
    pairs = np.abs(sizes[:, :, None] - sizes[:, None]).mean(axis=(1, 2)) / (2 * sizes.mean(axis=1))
    np.testing.assert_allclose(METRICS["gini"].measure(rated), pairs, rtol=1e-6)
    expected = scipy.stats.entropy(sizes, axis=1) / np.log(60)
    np.testing.assert_allclose(METRICS["entropy"].measure(rated), expected, rtol=1e-6)


def test_localisation_equals_the_definition_over_all_pairs(subject):
    truth = np.random.default_rng(3).random((3, 60)) < 0.3
    known = Subject(subject.model, subject.inputs, subject.labels, truth)
    rated = Rated(known, contributions)
    for row, inside, mass, area in zip(
        rated.importance,
        truth,
        METRICS["mass"].measure(rated),
        METRICS["ranking"].measure(rated),
        strict=True,
    ):
        positive = np.maximum(row, 0)
        assert mass == pytest.approx(positive[inside].sum() / positive.sum())
        pairs = row[inside][:, None] - row[~inside]
        assert area == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())
    perfect = Rated(known, lambda inputs, labels: truth.astype(float))
    np.testing.assert_array_equal(METRICS["mass"].measure(perfect), 1)
    np.testing.assert_array_equal(METRICS["ranking"].measure(perfect), 1)


def test_zeroed_points_are_still_points():
    cloud = np.zeros((1, 4, 3), "float32")
    cloud[0, :, 0] = [4, 3, 2, 1]
    inputs = keras.Input((None, 3))
    mean = explain.network(keras.Model(inputs, keras.ops.mean(inputs, axis=1)), "points")
    kept = np.array([[[True, True, False, False]]])
    assert Subject(mean, cloud, np.array([0])).scores(kept)[0, 0, 0] == 3.5
    assert Subject(mean, cloud, np.array([0]), zeroed=True).scores(kept)[0, 0, 0] == 1.75


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": np.zeros((0, 4, 3))}, "at least one"),
        ({"labels": np.zeros(5, int)}, "as many"),
        ({"truth": np.zeros((3, 5), bool)}, "does not fit"),
    ],
)
def test_a_subject_that_does_not_fit_is_one_line(subject, changes, message):
    given = {"model": subject.model, "inputs": subject.inputs, "labels": subject.labels} | changes
    with pytest.raises(UserError, match=message):
        Subject(**given)


def test_importance_of_another_shape_or_not_finite_is_refused(subject):
    for wrong in (np.zeros((3, 5)), np.full((3, 60), np.nan)):
        with pytest.raises(UserError, match="finite"):
            METRICS["gini"].measure(Rated(subject, lambda inputs, labels, wrong=wrong: wrong))
    with pytest.raises(UserError, match="needs truth"):
        METRICS["mass"].measure(Rated(subject, contributions))


def test_a_subject_gets_the_metrics_that_say_something_of_it(subject):
    assert "resampling" in evaluate.metrics_of(subject)
    assert "mass" not in evaluate.metrics_of(subject)
    known = Subject(subject.model, subject.inputs, subject.labels, np.ones((3, 60), bool))
    assert evaluate.metrics_of(known) == ["mass", "ranking"]
    grids = np.ones((1, 3, 3, 3, 1), "float32")
    of_voxels = Subject(voxels()[0], grids, np.array([0]))
    assert "resampling" not in evaluate.metrics_of(of_voxels)
