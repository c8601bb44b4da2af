"""Dropping points of many clouds at once, against a loop that deletes rows of one cloud at a time."""

import keras
import numpy as np
import pytest

from tests.reference.networks import POINTS, foreign
from tests.reference.plain_pointnet import randomise
from tests.reference.precision import precision
from tfxai3d.errors import UserError
from tfxai3d.evaluate import (
    DropTable,
    Fixed,
    Forward,
    Recomputed,
    by_count,
    by_mode,
    drop_clouds,
    random_importance,
)
from tfxai3d.explain import PGradCAM, PointSaliency, VanillaGradient
from tfxai3d.models import PointNet, PointNet2

RNG = np.random.default_rng(4)
SIZES = (24, 33, 24, 27, 24)
CLOUDS = [RNG.uniform(-1, 1, (size, 3)) for size in SIZES]
LABELS = np.array([0, 1, 2, 3, 1])


@pytest.fixture(scope="module")
def models():
    """Both networks in float64, where rounding flips no maximum on any processor."""
    with precision():
        made = {"pointnet": PointNet(4), "pointnet2": PointNet2(4, density=0.03)}
    for model in made.values():
        randomise(model, seed=3)
    return made


@pytest.fixture(scope="module")
def sources(models):
    """Each explainer once: its functions are traced once for all tests."""
    made = {}
    for name, model in models.items():
        made[name, "point_saliency"] = Recomputed(PointSaliency(model, batch_size=2))
    made["pointnet", "p_grad_cam"] = Recomputed(PGradCAM(models["pointnet"], batch_size=2))
    return made


def slowly(model, explainer, cloud, label, rule, steps):
    """Returns (points, logits) a step of one cloud whose rows are deleted."""
    cloud, records = cloud.copy(), []
    for step in range(steps + 1):
        records.append((cloud, np.asarray(model(cloud[None], training=False))[0]))
        if step < steps:
            heat = explainer(cloud[None], target=int(label)).importance[0]
            gone = rule(heat, step)
            if not gone.any():
                break
            cloud = np.delete(cloud, np.flatnonzero(gone), axis=0)
    return records


def last(iterator):
    *_, runs = iterator
    return runs


@pytest.mark.parametrize(
    ("network", "method", "rule", "steps"),
    [
        ("pointnet", "point_saliency", by_count(3), 2),
        ("pointnet", "p_grad_cam", by_mode("+median"), 2),
        ("pointnet2", "point_saliency", by_count(4, "lowest"), 1),
    ],
)
def test_equals_deleting_rows_one_cloud_at_a_time(models, sources, network, method, rule, steps):
    model, source = models[network], sources[network, method]
    runs = last(drop_clouds(source, CLOUDS[:3], LABELS[:3], rule, steps=steps))
    for cloud, label, run in zip(CLOUDS, LABELS, runs, strict=False):
        expected = slowly(model, source.explainer, cloud, label, rule, steps)
        assert [step.points for step in run.steps] == [len(left) for left, _ in expected]
        np.testing.assert_array_equal(cloud[run.dropped_at < 0], expected[-1][0])
        for step, (_, logits) in zip(run.steps, expected, strict=True):
            log_probability = logits - np.log(np.exp(logits).sum())
            assert step.predicted == logits.argmax()
            assert step.loss == pytest.approx(-log_probability[label], rel=1e-5, abs=1e-9)
            assert step.confidence == pytest.approx(np.exp(log_probability[label]), rel=1e-5)
            assert step.accuracy == (logits.argmax() == label)


def test_a_cloud_fares_alone_as_in_company(sources):
    source = sources["pointnet", "point_saliency"]
    together = last(drop_clouds(source, CLOUDS, LABELS, by_count(3), steps=2))
    for number in (1, 2):
        (alone,) = last(
            drop_clouds(
                source, CLOUDS[number : number + 1], LABELS[number : number + 1], by_count(3), steps=2
            )
        )
        np.testing.assert_array_equal(alone.dropped_at, together[number].dropped_at)
        for one, other in zip(alone.steps, together[number].steps, strict=True):
            assert one.loss == pytest.approx(other.loss, rel=1e-5)


@pytest.mark.parametrize("network", ["pointnet", "pointnet2"])
def test_copies_of_the_first_point_change_no_logits(models, network):
    """Clouds of different sizes in one batch; for PointNet++ with far fewer points than centroids, too."""
    forward = Forward(models[network], batch_size=3)
    clouds = [*CLOUDS, CLOUDS[0][:11], CLOUDS[1][:1]]
    alone = np.concatenate([models[network](cloud[None], training=False) for cloud in clouds])
    np.testing.assert_allclose(forward(clouds), alone, rtol=1e-9, atol=1e-9)
    assert forward._compiled.experimental_get_tracing_count() == 1


def test_other_networks_get_clouds_of_equal_size():
    shapes = []

    class Mean:
        data_kind, name = "points", "mean"

        def __call__(self, points):
            shapes.append(points.shape)
            return points[:, :, :2].mean(axis=1) if isinstance(points, np.ndarray) else _mean(points)

    def _mean(points):
        return keras.ops.mean(points[..., :2], axis=1)

    clouds = [cloud.astype("float32") for cloud in CLOUDS]
    expected = [cloud[:, :2].mean(axis=0) for cloud in clouds]
    np.testing.assert_allclose(Forward(Mean())(clouds), expected, atol=1e-6)


def test_what_the_explainer_was_told_of_the_model_holds_for_its_logits():
    model = foreign()  # does not say that it takes points
    source = Recomputed(VanillaGradient(model, data_kind="points"))
    clouds = [POINTS[0], POINTS[1, :30]]
    logits = source.rate(clouds, clouds, np.array([0, 1]), np.arange(2))[1]
    np.testing.assert_allclose(source.forward(clouds), logits, atol=1e-9)


def test_fixed_importance(models):
    importance = random_importance(SIZES, seed=1)
    source = Fixed(importance, Forward(models["pointnet"]))
    runs = last(drop_clouds(source, CLOUDS, LABELS, by_count(5), steps=4))
    for size, values, run in zip(SIZES, importance, runs, strict=True):
        expected = np.full(size, -1)
        gone = np.argsort(-values)[: min(20, size - 10)]
        expected[gone] = np.arange(len(gone)) // 5
        np.testing.assert_array_equal(run.dropped_at, expected)
        assert run.stopped_by == ("minimum of points" if size == 24 else "number of steps")


def test_importance_computed_once(models, sources):
    recomputed = sources["pointnet", "point_saliency"]
    once = Fixed.once(recomputed, CLOUDS, LABELS)
    for cloud, label, values in zip(CLOUDS, LABELS, once.importance, strict=True):
        alone = recomputed.explainer(cloud[None], target=int(label)).importance[0]
        np.testing.assert_allclose(values, alone, rtol=1e-5)
    (first, *_), (again, *_) = (
        last(drop_clouds(source, CLOUDS, LABELS, by_count(5), steps=1)) for source in (once, recomputed)
    )
    np.testing.assert_array_equal(first.dropped_at, again.dropped_at)


def test_random_importance_depends_on_seed_and_place_alone():
    first, other = random_importance((9, 9, 30)), random_importance((9, 9, 30), seed=1)
    assert [sorted(values) for values in first] == [list(range(9)), list(range(9)), list(range(30))]
    np.testing.assert_array_equal(random_importance((30,), first=2)[0], first[2])
    assert (first[2] != other[2]).any()
    assert (first[0] != first[1]).any()


class Written:
    """Importance and logits that are functions of the points: class 1 has more than 20 of them."""

    def forward(self, clouds):
        return np.array([[0.0, 1.0] if len(cloud) > 20 else [1.0, 0.0] for cloud in clouds])

    def rate(self, clouds, left, labels, places):
        return [cloud[:, 0] for cloud in clouds], self.forward(clouds)


def test_each_cloud_stops_by_itself():
    runs = last(drop_clouds(Written(), CLOUDS, [1, 1, 0, 1, 1], by_count(7)))
    lost = "decision"
    assert [run.stopped_by for run in runs] == [lost, lost, "wrong from the start", lost, lost]
    assert [len(run.steps) for run in runs] == [2, 3, 1, 2, 2]
    assert [run.points_removed for run in runs] == [7, 14, 0, 7, 7]


def test_insertion_adds_the_most_important_points_first():
    """Against a loop that adds points to the ten that a lowest-first run leaves over."""

    class Sum:  # confidence depends on which points there are
        def forward(self, clouds):
            return np.array([[cloud.sum(), 0.0] for cloud in clouds])

        def rate(self, clouds, left, labels, places):
            return [cloud[:, 0] for cloud in clouds], self.forward(clouds)

    clouds = [cloud[:22] for cloud in CLOUDS[:2]]
    runs = last(drop_clouds(Sum(), clouds, [0, 0], by_count(4, "lowest"), steps=9))
    found = DropTable().extended(runs, [0, 0]).insertion()
    for step, count in enumerate((10, 14, 18, 22)):
        hottest = [cloud[np.argsort(-cloud[:, 0])[:count]] for cloud in clouds]
        expected = np.mean([1 / (1 + np.exp(-cloud.sum())) for cloud in hottest])
        assert found["points_inserted"][step] == count - 10
        assert found["confidence"][step] == pytest.approx(expected, rel=1e-5)


def test_steps_go_on_after_a_lost_decision():
    runs = last(drop_clouds(Written(), CLOUDS, np.zeros(5, int), by_count(2), steps=3))
    assert {run.stopped_by for run in runs} == {"number of steps"}
    assert all(run.counts == [2, 2, 2] for run in runs)


def test_a_step_larger_than_the_cloud_leaves_ten_points():
    runs = last(drop_clouds(Written(), CLOUDS, np.zeros(5, int), by_count(1000), steps=5))
    assert all(
        [step.points for step in run.steps] == [size, 10] for run, size in zip(runs, SIZES, strict=True)
    )
    assert {run.stopped_by for run in runs} == {"minimum of points"}


def test_among_equals_the_lower_index_goes_first():
    for order in ("highest", "lowest"):
        gone = by_count(3, order)(np.zeros(20), 0)
        np.testing.assert_array_equal(np.flatnonzero(gone), [0, 1, 2])
    gone = by_count(2)(np.array([1.0, 3, 2, 3, 3, *[0] * 9]), 0)
    np.testing.assert_array_equal(np.flatnonzero(gone), [1, 3])


def drop(clouds, labels, **options):
    return last(drop_clouds(Written(), clouds, labels, by_count(1), **options))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: by_count(0), "at least 1 point must go in a step, not 0"),
        (lambda: by_count(2, "hottest"), "order must be 'highest' or 'lowest', it is 'hottest'"),
        (lambda: by_mode("+random"), "unknown mode"),
        (
            lambda: last(drop_clouds(Written(), [CLOUDS[0][:9]], [0], by_count(1))),
            "at least 10 points, it has 9",
        ),
        (lambda: last(drop_clouds(Written(), CLOUDS, [0], by_count(1))), "5 clouds need as many labels"),
        (lambda: last(drop_clouds(Written(), [], [], by_count(1))), "no clouds"),
        (
            lambda: last(drop_clouds(Written(), CLOUDS, LABELS, by_count(1), steps=-1)),
            "steps must be at least 0",
        ),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(UserError, match=message):
        call()
