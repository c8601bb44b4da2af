import numpy as np
import pytest

from tfxai3d.errors import UserError
from tfxai3d.evaluate import (
    RotationTest,
    at_random,
    by_mode,
    drop_clouds,
    drop_points,
    dropped_points,
    random_rotations,
)
from tfxai3d.explain import PGradCAM

CLOUD = np.random.default_rng(3).uniform(-1, 1, (60, 3)).astype("float32")
ROTATIONS = random_rotations(5, seed=1)


@pytest.fixture(scope="module")
def label(tiny_model):
    return int(np.argmax(tiny_model(CLOUD[None])))


@pytest.fixture(scope="module")
def parts(tiny_model):
    return PGradCAM(tiny_model), RotationTest(tiny_model, ROTATIONS, points_at_once=130)


class Scripted:
    """Importance and a rotation test whose answers are written down: heat is a function of the points."""

    def __init__(self, heat, predictions, accuracies):
        self.heat, self.predictions, self.accuracies = heat, iter(predictions), iter(accuracies)

    def rate(self, clouds, left, labels, places):
        return [self.heat(cloud) for cloud in clouds], np.eye(2)[[next(self.predictions)]]

    def test(self, points, label):
        return next(self.accuracies), 0.25

    def run(self, rule, points=CLOUD):
        *_, runs = drop_clouds(self, [points], [1], rule, rotation_test=self.test)
        return runs[0]


def last(steps):
    *_, run = steps
    return run


def consistent(run, total):
    """Checks that the record of a run agrees with itself."""
    removed = [step.dropped for step in run.steps]
    assert [step.iteration for step in run.steps] == list(range(len(run.steps)))
    assert [step.points for step in run.steps] == [total - sum(removed[:i]) for i in range(len(removed))]
    assert [int((run.dropped_at == i).sum()) for i in range(len(removed))] == removed
    assert run.points_removed == sum(removed) == int((run.dropped_at >= 0).sum())
    assert run.counts == [count for count in removed if count]
    assert removed[-1] == 0
    assert all(removed[:-1])
    assert run.steps[-1].points >= 10
    assert all(step.seconds > 0 for step in run.steps)


@pytest.mark.parametrize("mode", ["+average", "-median", "zero"])
def test_equals_a_loop_straight_from_the_description(tiny_model, parts, label, mode):
    run = last(drop_points(*parts, CLOUD, label, mode))
    consistent(run, len(CLOUD))
    cloud = CLOUD
    for step in run.steps:
        logits = np.asarray(tiny_model(cloud[None]))[0]
        turned = [np.asarray(tiny_model((cloud @ matrix.T)[None]))[0] for matrix in ROTATIONS]
        probabilities = [np.exp(row - row.max()) / np.exp(row - row.max()).sum() for row in [logits, *turned]]
        assert step.points == len(cloud)
        assert step.predicted == logits.argmax()
        assert step.confidence == pytest.approx(probabilities[0][label], rel=1e-3, abs=1e-6)
        assert step.accuracy == pytest.approx(np.mean([row.argmax() == label for row in turned]))
        assert step.loss == pytest.approx(np.mean([-np.log(p[label]) for p in probabilities[1:]]), rel=1e-3)
        if step.predicted != label and step.accuracy <= 0.5:
            assert run.stopped_by == "decision"
            assert step is run.steps[-1]
            break
        heat = parts[0](cloud[None], label).importance[0]
        dropped = dropped_points(heat, mode)
        assert step.dropped == dropped.sum()
        cloud = cloud[~dropped]
    np.testing.assert_array_equal(CLOUD[run.dropped_at < 0], cloud)
    assert parts[0]._compiled.experimental_get_tracing_count() == 1
    assert parts[1]._compiled.experimental_get_tracing_count() == 1


def first_coordinate(inputs):
    return np.maximum(inputs[..., 0], 0)


@pytest.mark.parametrize(
    ("predictions", "accuracies", "stopped_by", "iterations"),
    [
        ([1, 1, 0], [0.9, 0.4, 0.5], "decision", 3),  # the prediction and half of the copies must be lost
        ([0, 0, 0], [0.9, 0.6, 0.0], "decision", 3),
        ([0], [0.5], "wrong from the start", 1),
        ([1] * 9, [0.0] * 9, "nothing left to drop", None),  # no copy is right, but the cloud itself
    ],
)
def test_stop_rule(predictions, accuracies, stopped_by, iterations):
    run = Scripted(first_coordinate, predictions, accuracies).run(by_mode("+median"))
    assert run.stopped_by == stopped_by
    assert iterations in (None, len(run.steps))
    consistent(run, len(CLOUD))


def test_nothing_left_to_drop():
    run = Scripted(first_coordinate, [1] * 9, [1.0] * 9).run(by_mode("zero"))
    assert run.stopped_by == "nothing left to drop"
    assert [step.dropped for step in run.steps] == [int((CLOUD[:, 0] <= 0).sum()), 0]
    np.testing.assert_array_equal(run.dropped_at, np.where(CLOUD[:, 0] <= 0, 0, -1))


def test_ten_points_stay():
    run = Scripted(lambda x: np.ones(len(x)), [1] * 9, [1.0] * 9).run(by_mode("nonzero"))
    assert run.stopped_by == "minimum of points"
    assert run.points_removed == 50
    alone = Scripted(first_coordinate, [1], [1.0]).run(by_mode("nonzero"), CLOUD[:10])
    assert (alone.stopped_by, alone.points_removed) == ("minimum of points", 0)


def test_the_random_control_mirrors_the_counts():
    def run(counts, seed):
        script = Scripted(first_coordinate, [1] * 5 + [0], [1.0] * 5 + [0.0])
        return script.run(at_random(counts, seed))

    control = run([7, 4, 2], 5)
    assert control.counts == [7, 4, 2, 5, 5]  # their mean repeats, rounded up
    consistent(control, len(CLOUD))
    np.testing.assert_array_equal(control.dropped_at, run([7, 4, 2], 5).dropped_at)
    assert (control.dropped_at != run([7, 4, 2], 6).dropped_at).any()
    nothing = Scripted(first_coordinate, [1], [1.0]).run(at_random([0]))
    assert (nothing.stopped_by, nothing.points_removed) == ("nothing left to drop", 0)


@pytest.mark.parametrize(("mode", "mirrored"), [("+random", "nonzero"), ("-random", "zero")])
def test_a_random_mode_runs_what_it_mirrors_when_it_gets_no_counts(parts, label, mode, mirrored):
    counts = last(drop_points(*parts, CLOUD, label, mirrored)).counts
    alone = last(drop_points(*parts, CLOUD, label, mode, seed=3))
    given = last(drop_points(*parts, CLOUD, label, mode, counts=counts, seed=3))
    np.testing.assert_array_equal(alone.dropped_at, given.dropped_at)


def test_the_same_run_grows_with_each_iteration(parts, label):
    lengths, runs = [], set()
    for run in drop_points(*parts, CLOUD, label, "nonzero"):
        lengths.append(len(run.steps))
        runs.add(id(run))
        assert bool(run.stopped_by) == (run.steps[-1].dropped == 0)
    assert lengths == list(range(1, len(lengths) + 1))
    assert len(runs) == 1


def test_the_cloud_is_left_alone(parts, label):
    cloud = CLOUD.copy()
    cloud.flags.writeable = False
    next(drop_points(*parts, cloud, label))
    np.testing.assert_array_equal(cloud, CLOUD)


@pytest.mark.parametrize(
    ("points", "label", "mode", "message"),
    [
        (CLOUD[:9], 0, "zero", "at least 10 points, it has 9"),
        (CLOUD, 0, "hottest", "unknown mode 'hottest'"),
        (CLOUD, 5, "zero", r"target must be in 0\.\.4"),
        (CLOUD[:, :2], 0, "zero", "must be points"),
        (np.full((12, 3), np.nan), 0, "zero", "NaN"),
    ],
)
def test_mistakes(parts, points, label, mode, message):
    with pytest.raises(UserError, match=message):
        next(drop_points(*parts, points, label, mode))
