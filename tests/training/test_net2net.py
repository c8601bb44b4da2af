"""A widened network computes what the narrow one does, and its copies of a channel can part."""

from unittest import mock

import keras
import numpy as np
import pytest

import tfxai3d.models.vrn as vrn_module
from tests.reference.networks import VOXELS
from tests.reference.plain_pointnet import randomise
from tests.reference.precision import precision
from tfxai3d.errors import UserError
from tfxai3d.models import VRN, PointNet
from tfxai3d.training import widened


@pytest.fixture(scope="module")
def networks():
    with precision(), mock.patch.object(vrn_module, "KEEP", ((0.6,), (0.5,))):
        narrow = VRN(4, 0.125, size=16)
        randomise(narrow, seed=1)
        wide = VRN(4, 0.5, size=16)
        wide.set_weights(widened(narrow, [variable.shape for variable in wide.weights]))
    return narrow, wide


def test_the_scores_are_those_of_the_narrow_network(networks):
    narrow, wide = networks
    np.testing.assert_allclose(wide(VOXELS), narrow(VOXELS), rtol=1e-10, atol=1e-10)


def test_copies_of_a_channel_get_gradients_of_their_own(networks):
    import tensorflow as tf

    wide = networks[1]
    kernel = wide.get_layer("conv0").kernel
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(wide(VOXELS)[:, 0])
    gradient = tape.gradient(loss, kernel.value).numpy()
    copies = gradient.reshape(*gradient.shape[:-1], -1, 4)
    np.testing.assert_array_equal(kernel[..., :4] - kernel[..., :1], 0)
    assert (copies.std(axis=-1) > 1e-3 * np.abs(copies).max(axis=-1)).mean() > 0.9


def test_equal_shapes_are_copied(networks):
    narrow = networks[0]
    for ours, theirs in zip(
        widened(narrow, [v.shape for v in narrow.weights]), narrow.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "other",
    [
        lambda: VRN(3, 0.125, size=16),
        lambda: PointNet(4, "basic"),
        lambda: keras.Sequential([keras.Input((1,))]),
    ],
)
def test_another_network_is_refused(networks, other):
    with (
        mock.patch.object(vrn_module, "KEEP", ((0.6,), (0.5,))),
        pytest.raises(UserError, match="another network"),
    ):
        widened(networks[0], [variable.shape for variable in other().weights])
