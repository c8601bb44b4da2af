"""Channels and sizes: the attributions have the shape of the inputs, whatever the model takes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.reference.networks import assert_close, precision
from tfxai3d import explain, serve
from tfxai3d.errors import UserError
from tfxai3d.results.explanation import Explanation

RNG = np.random.default_rng(4)
METHODS = {
    "vanilla_gradient": {}, "gradient_times_input": {}, "integrated_gradients": {"steps": 60},
    "mean_field_shapley": {}, "smooth_grad": {"samples": 2}, "grad_cam": {"layer": "rows"},
    "guided_backprop": {}, "p_grad_cam": {"layer": "rows"},
}  # fmt: skip


def cloud(features, data_format="channels_last"):
    """A PointNet of points with normals, colours or whatever, in either format."""
    shape = (None, 3 + features) if data_format == "channels_last" else (3 + features, None)
    with precision():
        points = keras.Input(shape)
        if data_format == "channels_last":
            x = keras.layers.Dense(6, "relu", bias_initializer="normal", name="rows")(points)
        else:
            x = keras.layers.Conv1D(6, 1, activation="relu", data_format=data_format, name="rows",
                                    bias_initializer="normal")(points)  # fmt: skip
        x = keras.layers.GlobalMaxPooling1D(data_format=data_format)(x)
        return keras.Model(points, keras.layers.Dense(2)(keras.layers.Dense(6, "relu")(x)), name="net")


def volume(shape, data_format="channels_last"):
    with precision():
        voxels = keras.Input(shape)
        x = keras.layers.Reshape((*shape, 1))(voxels) if len(shape) == 3 else voxels
        x = keras.layers.Conv3D(3, 3, padding="same", activation="relu", data_format=data_format,
                                name="rows")(x)  # fmt: skip
        x = keras.layers.GlobalAveragePooling3D(data_format=data_format)(x)
        return keras.Model(voxels, keras.layers.Dense(2)(x), name="net")


CASES = {
    "xyz + normals": (cloud, (3,), "points", (9, 6), -1),
    "xyz + intensity": (cloud, (1,), "points", (9, 4), -1),
    "points, channels first": (cloud, (3, "channels_first"), "points", (6, 9), 1),
    "2 channels, not a cube": (volume, ((4, 5, 6, 2),), "voxels", (4, 5, 6, 2), -1),
    "4 channels": (volume, ((4, 4, 4, 4),), "voxels", (4, 4, 4, 4), -1),
    "no axis of channels": (volume, ((4, 5, 6),), "voxels", (4, 5, 6), None),
    "voxels, channels first": (volume, ((2, 4, 5, 6), "channels_first"), "voxels", (2, 4, 5, 6), 1),
}


def made(case):
    build, arguments, kind, shape, axis = CASES[case]
    return build(*arguments), kind, RNG.normal(size=(2, *shape)), axis


def transposed(model):
    """Returns a network of clouds, channels first, as one of channels last, which TensorFlow can run."""
    last = cloud(3)
    last.set_weights([w[0] if w.ndim == 3 else w for w in model.get_weights()])
    return last


def over(axis, reduce, x):
    return x if axis is None else reduce(x, axis=axis)


@pytest.mark.parametrize("case", CASES)
def test_the_attributions_have_the_shape_of_the_inputs(case, tmp_path):
    model, kind, inputs, axis = made(case)
    found = {
        method: explain.get(method)(model, data_kind=kind, **options)(inputs, [0, 1])
        for method, options in METHODS.items()
    }
    places = over(axis, lambda x, axis: x.take(0, axis), inputs).shape
    for one in found.values():
        assert one.attributions.shape == inputs.shape
        assert one.importance.shape == places
    direction = RNG.normal(size=inputs.shape)
    plain = model
    if case == "points, channels first":
        plain = lambda x: transposed(model)(x.transpose(0, 2, 1))  # noqa: E731
    ahead, behind = (np.asarray(plain(inputs + step * direction)) for step in (1e-7, -1e-7))
    slope = (ahead - behind)[[0, 1], [0, 1]] / 2e-7
    vanilla = found["vanilla_gradient"]
    along = (vanilla.attributions * direction).reshape(2, -1).sum(axis=1)
    np.testing.assert_allclose(along, slope, rtol=1e-4, atol=1e-5)
    assert_close(vanilla.importance, over(axis, lambda x, axis: np.linalg.norm(x, axis=axis),
                 np.abs(vanilla.attributions) if axis is None else vanilla.attributions))  # fmt: skip
    for method in ("gradient_times_input", "integrated_gradients"):
        assert_close(found[method].importance, over(axis, np.sum, found[method].attributions))
    gain = np.asarray(plain(inputs)) - np.asarray(plain(0 * inputs))
    for method in ("integrated_gradients", "mean_field_shapley"):
        total = found[method].attributions.reshape(2, -1).sum(axis=1) - found[method].convergence_delta
        if method == "integrated_gradients" or kind == "voxels":
            np.testing.assert_allclose(total, gain[[0, 1], [0, 1]], rtol=1e-4, atol=1e-4)
    # What is saved, exported and loaded is the same
    found["vanilla_gradient"].save(tmp_path / "a.npz")
    again = Explanation.load(tmp_path / "a.npz")
    assert again.channels.shape == (*places, 1 if axis is None else inputs.shape[axis])
    shares = again.channel_shares
    assert shares.shape == (2, again.channels.shape[-1])
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    if axis is not None:
        sizes = (
            np.abs(np.moveaxis(vanilla.attributions, axis, -1)).reshape(2, -1, shares.shape[1]).sum(axis=1)
        )
        assert_close(shares, sizes / sizes.sum(axis=1, keepdims=True))
    if case in ("xyz + normals", "no axis of channels", "points, channels first"):
        serve.export(model, tmp_path / "saved", ["vanilla_gradient", "grad_cam"][:1], data_kind=kind)
        loaded = serve.load(tmp_path / "saved").explainer("vanilla_gradient")(inputs, [0, 1])
        assert_close(loaded.attributions, vanilla.attributions)
        assert loaded.channel_shares.shape == shares.shape


def test_channels_first_is_channels_last_transposed():
    first = cloud(3, "channels_first")
    last = transposed(first)
    points = RNG.normal(size=(2, 9, 6))
    for method, options in METHODS.items():
        one, other = (
            explain.get(method)(model, data_kind="points", **options)(x, 1)
            for model, x in ((first, points.transpose(0, 2, 1)), (last, points))
        )
        if method == "smooth_grad":
            continue  # other noise
        assert_close(one.importance, other.importance)
        assert_close(one.attributions.transpose(0, 2, 1), other.attributions)


def test_features_do_not_move_with_a_point():
    model, kind, points, _ = made("xyz + normals")
    found = explain.PointSaliency(model, data_kind=kind)(points, 1)
    assert not found.attributions[..., 3:].any()
    assert_close(found.importance, found.attributions.sum(axis=-1))


def test_a_function_of_more_channels_says_nothing_and_takes_all():
    def model(points):
        return tf.stack([tf.reduce_sum(points, (1, 2)), tf.reduce_sum(points[..., 3:], (1, 2))], -1)

    explainer = explain.VanillaGradient(model, data_kind="points")
    for features in (2, 0, 5):
        points = RNG.normal(size=(2, 7, 3 + features))
        assert_close(explainer(points, 0).attributions, np.ones_like(points))
    assert_close(explainer(RNG.normal(size=(1, 7, 5)), 1).channel_shares, [[0, 0, 0, 0.5, 0.5]])
    with pytest.raises(UserError, match=r"must be points \(B,N,3\+F\), they are \(2, 7, 2\)"):
        explainer(points[..., :2], 0)
    firsts = explain.VanillaGradient(model, data_kind="points", data_format="channels_first")
    assert firsts(RNG.normal(size=(2, 4, 7)), 0).importance.shape == (2, 7)


def test_noise_has_the_range_of_each_channel():
    points = RNG.normal(size=(1, 50, 4))
    points[..., 3] *= 1000

    def model(points):
        return tf.reduce_sum(points**2, axis=1)[:, 2:]

    noisy = explain.VarGrad(model, data_kind="points", samples=40)(points, 0).attributions
    still = explain.VarGrad(model, data_kind="points", samples=40)(points[..., :3].repeat(2, -1), 0)
    spread = 4 * (0.1 * np.ptp(points[..., :3])) ** 2
    np.testing.assert_allclose(noisy[..., 2].mean(), spread, rtol=0.2)
    assert still.attributions.shape == (1, 50, 6)


def test_a_model_of_other_inputs_is_refused():
    with pytest.raises(
        UserError, match=r"data_kind 'points' means points \(B,N,3\+F\), .* takes \(None, None, 2\)"
    ):
        explain.VanillaGradient(cloud(-1), data_kind="points")
    with pytest.raises(UserError, match=r"data_format must be|data_format"):
        explain.VanillaGradient(cloud(0), data_kind="points", data_format="first")
