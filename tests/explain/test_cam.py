"""The methods on endpoint features against their formulas, written with loops, and against each other."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import networks
from tests.reference.explanations import Reference
from tests.reference.networks import POINTS, VOXELS, assert_close
from tests.reference.precision import precision
from tests.reference.split import split
from tfxai3d import explain
from tfxai3d.errors import UserError
from tfxai3d.explain.engine.layer_output import LayerOutput
from tfxai3d.explain.engine.network import network
from tfxai3d.models.layers.max_over_points import max_over_points


@pytest.fixture(scope="module", params=["basic", "full"])
def both(request):
    """A model and its reference."""
    model = networks.pointnet(request.param)
    with precision():
        return model, Reference(model)


@pytest.fixture(scope="module")
def p_grad_cam():
    return explain.PGradCAM(networks.pointnet())


@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_p_grad_cam_equals_the_formula(both, pooling):
    model, reference = both
    explanation = explain.PGradCAM(model, pooling)(POINTS[:2], [0, 2])
    for i, target in enumerate((0, 2)):
        expected = reference.p_grad_cam(POINTS[i], target, pooling)
        assert expected.max() > 0
        assert_close(explanation.importance[i], expected)
        assert_close(explanation.scores[i], reference.gradient(POINTS[i], target)[2])


def test_grad_cam_equals_the_formula(both):
    model, reference = both
    explanation = explain.GradCAM(model)(POINTS[:3], [3, 1, 0])
    for i, target in enumerate((3, 1, 0)):
        assert_close(explanation.importance[i], reference.grad_cam(POINTS[i], target))


def test_feature_magnitude_and_critical_points_equal_the_formula():
    model = networks.pointnet()
    magnitude = explain.FeatureMagnitude(model)(POINTS[:2]).importance
    critical = explain.CriticalPoints(model)(POINTS[:2]).importance
    for i in range(2):
        features = split(model).features(POINTS[i : i + 1])[0].numpy()
        assert_close(magnitude[i], [sum(abs(number) for number in row) for row in features.tolist()])
        wins = np.zeros(len(features))
        for column in features.T:
            wins[np.argmax(column)] += column.max() > 0
        assert wins.sum() < features.shape[1]  # some channels are dead
        assert_close(critical[i], wins)


@settings(deadline=None, max_examples=10)
@given(st.permutations(range(40)))
def test_permuting_the_points_permutes_the_heat(p_grad_cam, order):
    expected = p_grad_cam(POINTS[:1], 0).importance[:, order]
    assert_close(p_grad_cam(POINTS[:1, order], 0).importance, expected)


@settings(deadline=None, max_examples=10)
@given(st.lists(st.integers(0, 19), min_size=1, max_size=40))
def test_duplicated_points_share_the_heat(p_grad_cam, extra):
    index = np.array([*range(20), *extra])
    explanation = p_grad_cam(POINTS[:1, :20][:, index], 0)
    for i in range(20):
        assert_close(explanation.importance[0, index == i], explanation.importance[0, i])
    split_heat = p_grad_cam(POINTS[:1, :20], 0).importance[0]
    # Each channel's gradient is shared equally, so the weights, and the heats, are divided by the copies.
    copies = np.bincount(index)
    assert_close(explanation.importance[0, :20] * copies, split_heat)


def test_the_gradient_of_the_max_goes_to_the_winners_in_equal_shares():
    features = tf.constant([[[1.0, 2.0, 0.0, 5.0], [1.0, 0.0, 0.0, 1.0], [0.5, 2.0, 0.0, 2.0]]])
    with tf.GradientTape() as tape:
        tape.watch(features)
        top = max_over_points(features)
        score = tf.reduce_sum(top * [1.0, 10.0, 100.0, -1.0])
    assert top.numpy().tolist() == [[1, 2, 0, 5]]
    gradient = tape.gradient(score, features)[0].numpy().tolist()
    assert gradient == [[0.5, 5, 0, -1], [0.5, 0, 0, 0], [0, 5, 0, 0]]


def test_a_point_that_wins_nothing_has_no_heat(p_grad_cam):
    cloud = np.concatenate([POINTS[:1], POINTS[:1].mean(axis=1, keepdims=True).repeat(5, axis=1)], axis=1)
    features = split(networks.pointnet()).features(cloud)[0].numpy()
    wins = ((features == features.max(axis=0)) & (features > 0)).any(axis=1)
    heat = p_grad_cam(cloud, 0).importance[0]
    assert not wins.all()
    assert not heat[~wins].any()


def test_the_two_halves_of_a_model_are_the_model(both):
    model, reference = both
    parts = split(model)
    features = parts.features(POINTS)
    assert features.shape == (5, 40, 1024)
    assert_close(features, reference.plain_features(POINTS))
    assert_close(parts.head(features), model(POINTS))


# --- the other networks


def test_the_heat_of_pointnet2_is_that_of_its_centroids_carried_to_the_points():
    model = networks.pointnet2()
    parts = split(model)
    features = parts.features(POINTS[:2])
    with tf.GradientTape() as tape:
        tape.watch(features)
        score = parts.head(features)[:, 1]
    weight = tf.reduce_max(tape.gradient(score, features), axis=-1)
    heat = tf.nn.relu(weight * tf.reduce_sum(features, axis=-1))
    expected = model.to_points(heat, tf.constant(POINTS[:2]))
    assert np.max(expected) > 0
    assert_close(explain.PGradCAM(model)(POINTS[:2], 1).importance, expected)


def test_the_heat_of_vrn_is_interpolated_to_the_grid():
    model = networks.vrn()
    parts = split(model)
    features = parts.features(VOXELS[:2])
    assert_close(parts.head(features), model(VOXELS[:2]))
    with tf.GradientTape() as tape:
        tape.watch(features)
        score = parts.head(features)[:, 2]
    alpha = tf.reduce_mean(tape.gradient(score, features), axis=(1, 2, 3), keepdims=True)
    coarse = tf.nn.relu(tf.reduce_sum(alpha * features, axis=-1)).numpy()
    heat = explain.GradCAM(model)(VOXELS[:2], 2).importance
    assert coarse.shape == (2, 8, 8, 8)
    place, expected = (np.arange(16) + 0.5) / 2 - 0.5, coarse
    for axis in (1, 2, 3):
        expected = np.apply_along_axis(lambda row: np.interp(place, range(8), row), axis, expected)
    assert_close(heat, expected)


def voxel_net(layers, size=8):
    with precision():
        return keras.Sequential([keras.Input((size, size, size, 1)), *layers])


def test_interpolation_is_linear_and_keeps_the_middle_of_each_cell():
    model = voxel_net(
        [
            keras.layers.AveragePooling3D(2, name="coarse", dtype="float32"),
            keras.layers.GlobalAveragePooling3D(dtype="float32"),
            keras.layers.Dense(2, dtype="float32"),
        ]
    )
    ramp = np.arange(8.0)[:, None, None] + np.zeros((8, 8, 8))
    heat = explain.FeatureMagnitude(model, "coarse", data_kind="voxels")(ramp[None, ..., None]).importance[0]
    # The cells hold 0.5, 2.5, 4.5, 6.5: their middles lie on the ramp, as does all between; the ends stay.
    expected = np.clip(ramp, 0.5, 6.5)
    assert_close(heat, expected)
    turned = explain.FeatureMagnitude(model, "coarse", data_kind="voxels")(ramp.T[None, ..., None])
    assert_close(turned.importance[0], expected.T)


# --- models without an endpoint


def points_net(inner):
    with precision():
        points = keras.Input((None, 3))
        x = keras.layers.Dense(4, "relu", name="rows")(points)
        return keras.Model(points, keras.layers.Dense(3)(inner(x)), name="net")


def test_a_layer_inside_of_a_nested_model_whose_output_is_bypassed():
    with precision():
        rows = keras.Input((None, 4))
        nested = keras.Model(rows, keras.layers.Dense(4, "relu", name="inside")(rows) + rows)
        model = points_net(lambda x: keras.layers.GlobalMaxPooling1D()(nested(x)))
    explained = explain.GradCAM(model, "inside", data_kind="points")(POINTS, 1)
    dense, inside, out = model.get_layer("rows"), nested.get_layer("inside"), model.layers[-1]
    features = tf.constant(inside(dense(POINTS)))
    with tf.GradientTape() as tape:
        tape.watch(features)
        score = out(tf.reduce_max(features + dense(POINTS), axis=1))[:, 1]
    alpha = tf.reduce_mean(tape.gradient(score, features), axis=1, keepdims=True)
    assert_close(explained.importance, tf.nn.relu(tf.reduce_sum(alpha * features, axis=-1)))
    assert explained.options == {"layer": "inside"}


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (None, "model 'net' names no endpoint: give layer"),
        ("point_features", "model 'net' has no layers named 'point_features'"),
        ("shared", "layer 'shared' of model 'net' is used 2 times"),
        ("pooled", r"layer 'pooled' of model 'net' gives features \(None, 4\)"),
        ("fewer", r"give \(20,\) values for \(40,\) points; name a layer with a row for each"),
    ],
)
def test_layers_that_will_not_do(layer, message):
    shared = keras.layers.Activation("relu", name="shared", dtype="float64")

    def inner(x):
        x = keras.layers.MaxPooling1D(2, name="fewer")(shared(shared(x)))
        return keras.layers.GlobalMaxPooling1D(name="pooled")(x)

    with pytest.raises(UserError, match=message):
        explain.GradCAM(points_net(inner), layer, data_kind="points")(POINTS)


def test_what_follows_a_layer_takes_its_changed_output(both):
    model, _ = both
    output = LayerOutput(network(model), model)
    mask = (np.arange(40) % 3 > 0)[:, None].astype(POINTS.dtype)
    features, scores = output(tf.constant(POINTS), lambda features: features * mask)
    assert_close(features, split(model).features(POINTS) * mask)
    assert_close(scores, split(model).head(features))
    for rows, shape in ((True, (5, 40, 1024)), (False, (5, 1024))):
        assert LayerOutput(network(model), model, "point_features", rows)(POINTS)[0].shape == shape


def test_an_output_that_is_no_tensor_of_features_is_an_error():
    model = points_net(lambda x: keras.layers.LSTM(2, return_state=True, name="states")(x)[0])
    with pytest.raises(UserError, match="layer 'states' of model 'net' gives no tensor"):
        explain.GradCAM(model, "states", data_kind="points")(POINTS)


def test_pooling_is_max_or_mean():
    assert explain.PGradCAM(networks.pointnet(), "mean").options() == {"pooling": "mean"}
    with pytest.raises(UserError, match="pooling must be 'max' or 'mean', it is 'sum'"):
        explain.PGradCAM(networks.pointnet(), "sum")
