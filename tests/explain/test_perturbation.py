"""Methods that take units away, against the network on clouds that really lack them, and all coalitions."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.explain.test_mean_field_shapley import coalitions, head_and_rows, shapley
from tests.reference import networks
from tests.reference.networks import POINTS, VOXELS, assert_close
from tfxai3d import explain
from tfxai3d.errors import UserError
from tfxai3d.explain.engine.weighted_fit import ridge, summing_to
from tfxai3d.explain.methods.kernel_shap import kernel_weights

CLOUD = POINTS[0]


def averaging(points):
    """No max, no Keras, and copies change it: points must really go."""
    mean = tf.reduce_mean(tf.concat([points, points**2], axis=-1), axis=1)
    return tf.stack([mean[:, 0], tf.sin(9 * mean[:, 3]), mean[:, 1] * mean[:, 5], mean[:, 4]], axis=-1)


NETWORKS = {
    "max": networks.pointnet,
    "t-nets": lambda: networks.pointnet("full"),
    "balls": networks.pointnet2,
    "foreign": networks.foreign,
    "averaging": lambda: averaging,
}


def played(model, cloud, target=1, **options):
    """Returns the game of one cloud, as explainers play it, and the labels of its units."""
    seen = {}

    class Spy(explain.LIME):
        def values(self, game):
            seen["game"] = game
            return super().values(game)

    explainer = Spy(model, data_kind="points", budget=4, **options)
    inputs = tf.constant(cloud[None], explainer.network.dtype)
    explainer.explain_batch(inputs, tf.constant([target]))
    return seen["game"], seen["game"].labels.numpy()


def truth(model, cloud, held, labels, target=1):
    """Returns the score of the cloud that really lacks the points of absent units."""
    left = cloud[np.isin(labels, np.flatnonzero(held)) | (labels < 0)]
    return float(model(tf.constant(left[None] if len(left) else np.zeros((1, 1, 3))))[0, target])


@pytest.mark.parametrize("name", NETWORKS)
def test_a_coalition_is_the_cloud_that_lacks_the_others(name):
    model = NETWORKS[name]()
    game, labels = played(model, CLOUD, num_clusters=6)
    held = np.random.default_rng(0).random((4, 6)) < 0.4
    held[2] = False  # nothing is there
    scores = game.scores(4, lambda number: tf.gather(held, number))
    assert_close(scores, [truth(model, CLOUD, row, labels) for row in held])
    if name not in ("foreign", "averaging"):  # slower networks
        return
    assert_close(game.losses(), truth(model, CLOUD, np.ones(6), labels) - np.array(
        [truth(model, CLOUD, np.arange(6) != unit, labels) for unit in range(6)]
    ))  # fmt: skip
    ranks = np.array([[3, 1, 0, 2, 5, 4], [0, 1, 2, 3, 4, 5]], np.int32)
    walks = [[truth(model, CLOUD, row <= step, labels) for step in range(6)] for row in ranks]
    assert_close(game.along(tf.constant(ranks)), walks)


@pytest.mark.parametrize("name", ["max", "foreign", "averaging"])
def test_points_in_no_unit_stay(name):
    model = NETWORKS[name]()
    parts = np.arange(40) % 4 - 1
    game, labels = played(model, CLOUD, units=parts)
    np.testing.assert_array_equal(labels, parts)
    held = np.array([[False, False, False], [True, False, True]])
    assert_close(
        game.scores(2, lambda number: tf.gather(held, number)),
        [truth(model, CLOUD, row, labels) for row in held],
    )
    found = explain.LeaveOneOut(model, units=parts, data_kind="points")(CLOUD[None], 1)
    assert not found.importance[0][parts < 0].any()
    assert_close(found.importance[0][parts >= 0], game.losses().numpy()[parts[parts >= 0]])
    for unit in range(3):  # the attributions of a unit add up to its value
        np.testing.assert_allclose(found.attributions[0][parts == unit].sum(), game.losses()[unit], rtol=1e-4)


def all_scores(name, labels):
    """Returns the score of every coalition, all at once: a max ignores copies, a mean can be weighted."""
    count = labels.max() + 1
    there = np.array([np.isin(labels, some) for some in coalitions(count)])
    if name == "foreign":
        number = np.where(there, np.arange(len(CLOUD)), there.argmax(axis=1)[:, None])
        clouds = np.where(there.any(axis=1)[:, None, None], CLOUD[number], 0)
        scores = NETWORKS[name]()(clouds)[:, 1].numpy()
    else:
        squares = (there @ CLOUD**2) / np.maximum(there.sum(axis=1, keepdims=True), 1)
        scores = np.sin(9 * squares[:, 0])
    return {frozenset(some): score for some, score in zip(coalitions(count), scores, strict=True)}


@pytest.mark.parametrize("name", ["foreign", "averaging"])
def test_shapley_values_against_all_coalitions_of_ten_clusters(name):
    model = NETWORKS[name]()
    _, labels = played(model, CLOUD, num_clusters=10)
    exact = shapley(all_scores(name, labels), 10)
    options = {"num_clusters": 10, "data_kind": "points", "batch_size": 256}
    fitted = explain.KernelSHAP(model, budget=1022, **options)(CLOUD[None], 1)
    np.testing.assert_allclose(fitted.importance[0], exact[labels], atol=1e-6)
    assert not fitted.standard_error.any()
    for method, budget in ((explain.ShapleySampling, 8000), (explain.KernelSHAP, 600)):
        found = method(model, budget=budget, **options)(CLOUD[None], 1)
        error = np.abs(found.importance[0] - exact[labels])
        assert (found.standard_error > 0).all()
        assert (error < 4 * found.standard_error[0]).all()
        assert found.standard_error.max() < 0.25 * np.abs(exact).max()
        np.testing.assert_allclose(found.attributions.sum(), exact.sum(), atol=1e-5)  # efficiency


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    "method", [explain.KernelSHAP, explain.ShapleySampling], ids=["kernel_shap", "shapley_sampling"]
)
def test_axioms(method):
    model, _ = head_and_rows(head="bent")
    cloud = np.random.default_rng(3).uniform(-1, 1, (8, 3))
    cloud[6] = cloud[2]  # symmetry: equal points
    options = {"units": "points", "data_kind": "points", "batch_size": 128}
    options |= {"budget": 254} if method is explain.KernelSHAP else {"budget": 8000}
    explainer = method(model, **options)
    one, other, both = (explainer(cloud[None], target) for target in (1, 3, explain.Contrast(1, 3)))
    near = 1e-6 if method is explain.KernelSHAP else 4 * float(one.standard_error.max())
    assert abs(one.importance[0, 2] - one.importance[0, 6]) < near
    gain = float(model(cloud[None])[0, 1] - model(np.zeros((1, 8, 3)))[0, 1])
    np.testing.assert_allclose(one.importance.sum(), gain, rtol=1e-5)
    assert_close(both.importance, one.importance - other.importance)  # linearity

    def without_last(points):  # null player: the last point of the cloud is not looked at
        return tf.stack([tf.reduce_sum(tf.where(points[..., :1] > 5, 0.0, points), axis=(1, 2))] * 2, axis=-1)

    cloud[7] = [6, 0, 0]
    found = method(without_last, **options)(cloud[None], 1)
    np.testing.assert_allclose(found.importance[0, 7], 0, atol=1e-6)


def test_fits_agree_with_lime_and_shap_on_the_same_masks():
    """Numbers of lime 0.2.0.1 (LimeBase, cosine distance) and shap 0.51 (KernelExplainer.solve)."""
    held = np.random.default_rng(0).random((60, 6)) < 0.5
    held[0] = True

    def score(held):
        return np.sin(held @ np.array([0.5, -1, 2, 0.3, 0, 1.2])) + held[:, 0] * held[:, 3]

    distance = 1 - np.sqrt(held.mean(axis=1))
    found, _ = ridge(held, np.sqrt(np.exp(-(distance**2) / 0.25**2)), score(held), 1.0)
    lime = [0.755239385798, -0.105340074507, 0.076281347029, 0.366515486487, -0.177022886891, 0.116752669456]
    np.testing.assert_allclose(found, lime, atol=1e-9)
    proper = np.unique(held[(held.sum(axis=1) > 0) & (held.sum(axis=1) < 6)], axis=0)
    start, gain = score(np.zeros((1, 6), bool))[0], np.diff(score(np.array([[False] * 6, [True] * 6])))[0]
    found, _ = summing_to(proper, kernel_weights(tf.constant(proper)), score(proper), start, gain)
    shap = [0.625450408154, -0.523658520095, 0.212805090018, 0.450132578065, -0.080447163657, 0.456837615574]
    np.testing.assert_allclose(found, shap, atol=1e-9)


def test_voxels_by_blocks_and_by_themselves():
    grid = VOXELS[0].copy()
    grid[8:] = 0  # blocks that hold nothing are no units
    found = explain.LeaveOneOut(networks.function, block_size=8, data_kind="voxels")(grid[None], 1)
    whole = networks.function(tf.constant(grid[None]))[0, 1]
    for h, w in itertools.product((0, 8), (0, 8)):
        block = (slice(8), slice(h, h + 8), slice(w, w + 8))
        less = grid.copy()
        less[block] = 0
        loss = float(whole - networks.function(tf.constant(less[None]))[0, 1])
        there = grid[block][..., 0] != 0
        np.testing.assert_allclose(found.importance[0][block], loss * there, rtol=1e-5)
        np.testing.assert_allclose(found.attributions[0][block].sum(), loss, rtol=1e-5)
    assert not found.importance[0, 8:].any()
    alone = explain.LeaveOneOut(networks.function, units="voxels", data_kind="voxels")(grid[None], 1)
    place = tuple(np.argwhere(grid[..., 0])[5])
    less = grid.copy()
    less[place] = 0
    loss = float(whole - networks.function(tf.constant(less[None]))[0, 1])
    np.testing.assert_allclose(alone.importance[0][place], loss, rtol=1e-5)


@pytest.mark.parametrize("kind", ["points", "voxels"])
def test_occlusion_is_the_mean_over_cubes(kind):
    if kind == "points":
        model, example, middles, low, extent = averaging, CLOUD, CLOUD, CLOUD.min(0), np.ptp(CLOUD, axis=0)
    else:
        model, example = networks.function, VOXELS[0]
        middles = np.argwhere(example[..., 0])
        low, extent = middles.min(0) - 0.5, np.ptp(middles, axis=0) + 1
    found = explain.Occlusion(model, size=0.5, data_kind=kind)(example[None], 1).importance[0]
    edge = 0.5 * extent.max()
    sums, counts = np.zeros(len(middles)), np.zeros(len(middles))
    whole = float(model(tf.constant(example[None]))[0, 1])
    for place in itertools.product(
        *(range(1 + int(np.ceil((e - edge) / (edge / 2) - 1e-9))) for e in extent)
    ):
        start = low + np.array(place) * edge / 2
        inside = ((middles >= start) & (middles <= start + edge)).all(axis=1)
        if not inside.any():
            continue
        if kind == "points":
            less = example[~inside]
        else:
            less = example.copy()
            less[tuple(middles[inside].T)] = 0
        loss = whole - float(model(tf.constant(less[None]))[0, 1])
        sums, counts = sums + loss * inside, counts + inside
    expected = sums / counts
    actual = found if kind == "points" else found[tuple(middles.T)]
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-6)


def test_rise_is_the_mean_score_of_the_coalitions_that_hold_a_unit():
    model = averaging
    _, labels = played(model, CLOUD, num_clusters=8)
    scores = all_scores("averaging", labels)
    exact = [np.mean([score for some, score in scores.items() if unit in some]) for unit in range(8)]
    few, many = (
        explain.RISE(model, budget=budget, num_clusters=8, data_kind="points")(CLOUD[None], 1)
        for budget in (250, 4000)
    )
    for found in (few, many):
        assert (np.abs(found.importance[0] - np.array(exact)[labels]) < 4 * found.standard_error[0]).all()
    np.testing.assert_allclose(few.standard_error / many.standard_error, 4, rtol=0.3)


def test_standard_errors_travel_in_the_file(tmp_path):
    found = explain.RISE(averaging, budget=16, num_clusters=4, data_kind="points")(CLOUD[None], 1)
    found.save(tmp_path / "found.npz")
    loaded = explain.Explanation.load(tmp_path / "found.npz")
    np.testing.assert_array_equal(loaded.standard_error, found.standard_error)
    assert loaded.options == {"units": "clusters", "num_clusters": 4, "budget": 16, "seed": 0}


def test_progress_tells_passes(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "tfxai3d.explain.engine.progress.Progress._show", lambda self, *some: seen.append(some)
    )
    options = {"budget": 10, "num_clusters": 4, "data_kind": "points", "batch_size": 4}
    explain.LIME(averaging, progress=True, **options)(CLOUD[None], 1)
    assert seen == [(0, 10), (4, 10), (8, 10)]


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("lime", {"budget": 0}, "budget must be at least 4 passes, it is 0"),
        ("shapley_sampling", {"budget": 0}, "budget must be at least one pass, it is 0"),
        ("shapley_sampling", {"budget": 79}, "budget must be at least 80 passes for 20 units, it is 79"),
        ("rise", {"budget_seconds": 0}, "budget_seconds must be above 0, it is 0"),
        ("kernel_shap", {"budget": 30}, "budget must be at least 40 passes for 20 units, it is 30"),
        ("kernel_shap", {"num_clusters": 1}, "needs at least two units"),
        ("leave_one_out", {"units": "clusters", "num_clusters": 41}, "num_clusters must be at most 40"),
        ("lime", {"num_clusters": 0}, "num_clusters must be at least 1"),
        ("lime", {"units": np.array([0, 2] * 20)}, "unit 1 has no point"),
        ("lime", {"units": np.array([0, -3] * 20)}, "numbered from 0"),
        ("lime", {"units": np.zeros(39, int)}, r"units must number places \(40,\)"),
        ("lime", {"units": np.zeros(40)}, "array of integers"),
        ("lime", {"units": "voxels"}, "units of points must be 'points' or 'clusters'"),
        ("lime", {"kernel_width": 0}, "kernel_width must be above 0"),
        ("occlusion", {"size": 0}, "size must be in"),
    ],
)
def test_mistakes(method, options, message):
    with pytest.raises(UserError, match=message) as caught:
        explain.get(method)(averaging, data_kind="points", **options)(CLOUD[None], 1)
    assert "\n" not in str(caught.value)


def test_an_empty_grid_and_a_network_of_a_fixed_number_of_points():
    with pytest.raises(UserError, match="no voxel that could be taken away"):
        explain.LIME(networks.function, data_kind="voxels")(np.zeros((1, 16, 16, 16, 1)), 1)
    import keras

    points = keras.Input((40, 3))
    model = keras.Model(points, keras.layers.GlobalAveragePooling1D()(points))
    with pytest.raises(UserError, match="takes 40 points, and these clouds have 20: filled up with copies"):
        explain.LIME(model, data_kind="points")(POINTS)
