"""Parts of a segmentation as targets, against finite differences and completeness."""

import keras
import numpy as np
import pytest

from tests.reference.networks import assert_close
from tests.reference.precision import precision
from tfxai3d import explain
from tfxai3d.errors import UserError

RNG = np.random.default_rng(5)
CLOUDS = RNG.normal(size=(2, 8, 3))
VOLUMES = RNG.normal(size=(2, 3, 4, 5, 2))


@pytest.fixture(scope="module")
def of_points():
    """PointNet's published head for parts: each point's features beside those of the cloud."""
    with precision():
        points = keras.Input((None, 3))
        rows = keras.layers.Dense(6, "relu", bias_initializer="normal", name="rows")(points)
        whole = keras.layers.GlobalMaxPooling1D(keepdims=True)(rows)
        x = keras.ops.concatenate([rows, whole + 0 * rows], axis=-1)
        x = keras.layers.Dense(6, "relu", bias_initializer="normal")(x)
        return keras.Model(points, keras.layers.Dense(3)(x), name="parts")


@pytest.fixture(scope="module")
def of_voxels():
    with precision():
        voxels = keras.Input((3, 4, 5, 2))
        x = keras.layers.Conv3D(4, 3, padding="same", activation="relu", name="rows")(voxels)
        return keras.Model(voxels, keras.layers.Conv3D(3, 1, activation="softmax")(x), name="organs")


def logits(model, inputs):
    """Returns the scores, of a softmax those before it up to a constant of each place."""
    answer = np.asarray(model(inputs))
    return answer if model.name == "parts" else np.log(answer)


METHODS = {
    "vanilla_gradient": {}, "gradient_times_input": {}, "integrated_gradients": {"steps": 100},
    "mean_field_shapley": {}, "grad_cam": {"layer": "rows"}, "guided_backprop": {},
    "smooth_grad": {"samples": 2},
}  # fmt: skip


def case(request, name):
    model = request.getfixturevalue(name)
    return (model, CLOUDS, "points") if name == "of_points" else (model, VOLUMES, "voxels")


@pytest.mark.parametrize("name", ["of_points", "of_voxels"])
def test_every_method_explains_a_region(request, name):
    model, inputs, kind = case(request, name)
    mask = RNG.random(inputs.shape[:-1]) < 0.5
    for method, options in METHODS.items():
        explainer = explain.get(method)(model, data_kind=kind, **options)
        found = explainer(inputs, explain.Region(1, mask))
        assert found.importance.shape == inputs.shape[:-1]
        assert np.abs(found.importance).max() > 0
        np.testing.assert_array_equal(found.target, [1, 1])
        assert found.scores.shape == (2, 3)
        np.testing.assert_array_equal(found.region.reshape(mask.shape), mask)
        if found.convergence_delta is not None:
            total = found.attributions.reshape(2, -1).sum(axis=1) - found.convergence_delta
            base = explainer(0 * inputs + 1e-9, explain.Region(1, mask)).scores[:, 1]
            if method == "integrated_gradients":
                np.testing.assert_allclose(total, found.scores[:, 1] - base, rtol=1e-3, atol=1e-4)
        if method == "vanilla_gradient":
            direction = RNG.normal(size=inputs.shape)
            steps = [inputs + step * direction for step in (1e-6, -1e-6)]
            ahead, behind = (explainer(x, explain.Region(1, mask)).scores[:, 1] for x in steps)
            along = (found.attributions * direction).reshape(2, -1).sum(axis=1)
            np.testing.assert_allclose(along, (ahead - behind) / 2e-6, rtol=1e-3, atol=1e-5)


def test_the_scores_are_means_over_the_region(of_points):
    vanilla = explain.VanillaGradient(of_points, data_kind="points")
    answer = np.asarray(of_points(CLOUDS))
    assert_close(vanilla(CLOUDS, explain.Region(0, 5)).scores, answer[:, 5])
    assert_close(vanilla(CLOUDS, explain.Region(0, [5, 2])).scores, answer[[0, 1], [5, 2]])
    mask = np.arange(8) < 3
    assert_close(vanilla(CLOUDS, explain.Region([0, 2], mask)).scores, answer[:, :3].mean(axis=1))
    best = explain.Region(None, mask)
    np.testing.assert_array_equal(vanilla(CLOUDS, best).target, answer[:, :3].mean(axis=1).argmax(-1))
    label = answer.argmax(-1)
    common = int(np.argmax([min((row == c).sum() for row in label) for c in range(3)]))
    found = vanilla(CLOUDS, explain.Region(common, "predicted"))
    np.testing.assert_array_equal(found.region, label == common)
    # A point of the region moves the score by itself and through the max; all others through the max alone
    alone = vanilla(CLOUDS, explain.Region(0, 5)).attributions
    function = vanilla(CLOUDS, lambda scores: scores[:, 5, 0]).attributions
    assert_close(alone, function)


def test_a_voxel_by_its_three_numbers(of_voxels):
    vanilla = explain.VanillaGradient(of_voxels, data_kind="voxels")
    one = vanilla(VOLUMES, explain.Region(2, (1, 2, 3)))
    assert one.region.sum() == 2
    assert not one.attributions[:, :, :, 0].any()  # beyond the reach of a convolution over three
    assert one.attributions[:, 1, 2, 3].any()
    each = vanilla(VOLUMES, explain.Region(2, [(1, 2, 3), (0, 0, 0)]))
    assert_close(each.attributions[0], one.attributions[0])


def test_each_example_has_its_region(of_points):
    integrated = explain.IntegratedGradients(of_points, data_kind="points", steps=5, batch_size=3)
    both = integrated(CLOUDS, explain.Region([0, 1], [3, 6]))
    for row, (label, place) in enumerate([(0, 3), (1, 6)]):
        alone = integrated(CLOUDS[row : row + 1], explain.Region(label, place))
        assert_close(both.attributions[row], alone.attributions[0])


def test_file(of_points, tmp_path):
    found = explain.VanillaGradient(of_points, data_kind="points")(CLOUDS, explain.Region(0, 5))
    found.save(tmp_path / "region.npz")
    again = explain.Explanation.load(tmp_path / "region.npz")
    np.testing.assert_array_equal(again.region, found.region)


@pytest.mark.parametrize(
    ("region", "message"),
    [
        (explain.Region(3, 0), r"0\.\.2"),
        (explain.Region(0, 8), "must be a mask, bool"),
        (explain.Region(0, np.zeros(8, bool)), "example 0 is empty: its mask is empty"),
        (explain.Region(0, np.zeros(7, bool)), "must be a mask, bool"),
        (explain.Region(0, "chair"), "must be a mask, bool"),
        (explain.Region(None, "predicted"), "needs the class"),
        (explain.Region(explain.Contrast(0, 1), 0), "must be a class or one"),
        (1, "for each point or voxel: a target is a Region"),
        (None, "for each point or voxel: a target is a Region"),
    ],
)
def test_mistakes(of_points, region, message):
    explainer = explain.VanillaGradient(of_points, data_kind="points")
    with pytest.raises(UserError, match=message) as caught:
        explainer(CLOUDS, region)
    assert "\n" not in str(caught.value)


def test_a_region_of_a_classifier():
    points = keras.Input((None, 3))
    model = keras.Model(points, keras.layers.GlobalMaxPooling1D()(points))
    with pytest.raises(UserError, match="this one scores whole examples"):
        explain.VanillaGradient(model, data_kind="points")(CLOUDS, explain.Region(0, 1))
