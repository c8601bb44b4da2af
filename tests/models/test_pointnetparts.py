"""PointNet for parts against its figure layer by layer, with the cloud's features repeated for each point."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.reference.plain_pointnet import dense_norm_relu, key, plain_t_net, randomise
from tfxai3d.errors import UserError
from tfxai3d.models import PointNetParts

RNG = np.random.default_rng(0)


def plain_parts(num_classes, width=1.0):
    """The network of figure 9 without a category; its first head layer sees all features in one matrix."""
    scaled = [round(units * width) for units in (64, 128, 128, 512, 2048, 256, 256, 128)]
    points = keras.Input((None, 3))
    x, own = plain_t_net(points, "input_transform", 0.0, width), []
    for i, units in enumerate(scaled[:3]):
        x = dense_norm_relu(x, units, f"mlp_{i}")
        own.append(x)
    own.append(plain_t_net(x, "feature_transform", 1e-3, width))
    own.append(dense_norm_relu(own[-1], scaled[3], "mlp_3"))
    cloud = ops.max(dense_norm_relu(own[-1], scaled[4], "point_features"), axis=1, keepdims=True)
    tiled = cloud + 0 * own[0][..., :1]
    x = ops.concatenate([*own, tiled], axis=-1)
    for i, units in enumerate(scaled[5:]):
        x = dense_norm_relu(x, units, f"head_{i}")
    return keras.Model(points, keras.layers.Dense(num_classes, name="logits")(x))


def copy_weights(ours, plain):
    """Copies all weights; the two matrices of the first head layer are one in the plain network."""
    values = {}
    for variable in ours.weights:
        layer, role = variable.path.split("/")[-2:]
        values[layer.removesuffix("_norm"), role] = np.asarray(variable)
    point, cloud = (values.pop((f"head_0_{name}", "kernel")) for name in ("point", "cloud"))
    values["head_0", "kernel"] = np.concatenate([point, cloud])
    drawn = {key for key in values if key[1] == "seed_generator_state"}
    assert len(values) - len(drawn) == len(plain.weights)
    for variable in plain.weights:
        layer, role = variable.path.split("/")[-2:]
        variable.assign(values[layer.removesuffix("_norm"), role])


@pytest.mark.parametrize("training", [False, True])
def test_equals_the_plain_network(float64, training):
    ours, plain = PointNetParts(5, 0.25, dropout=0.0), plain_parts(5, 0.25)
    randomise(ours)
    copy_weights(ours, plain)
    x = RNG.uniform(-1, 1, (3, 21, 3))
    expected = np.asarray(plain(x, training=training))
    np.testing.assert_allclose(ours(x, training=training), expected, rtol=1e-8, atol=1e-9)
    assert float(sum(ours.losses)) == pytest.approx(float(sum(plain.losses)), rel=1e-8)
    before = {key(variable): np.asarray(variable) for variable in plain.weights}
    copy_weights(ours, plain)  # the statistics of the batch have moved alike
    for variable in plain.weights:
        np.testing.assert_allclose(variable, before[key(variable)], rtol=1e-8, atol=1e-9)


def test_has_the_published_sizes():
    ours, plain = PointNetParts(50), plain_parts(50)
    assert ours.count_params() == plain.count_params()
    head = {name: ours.get_layer(f"head_0_{name}").kernel.shape for name in ("point", "cloud")}
    assert head == {"point": (64 + 128 + 128 + 128 + 512, 256), "cloud": (2048, 256)}


@pytest.mark.parametrize("width", [0, -1, 0.3])
def test_a_width_that_leaves_no_whole_channels(width):
    with pytest.raises(UserError, match=r"must be a positive multiple of 0\.03125"):
        PointNetParts(5, width)
