"""The pools and the BatchNorm of VRN against NumPy and against Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.reference.plain_pointnet import randomise
from tfxai3d.errors import UserError
from tfxai3d.models.layers.fused_norm import FusedBatchNormalization
from tfxai3d.models.layers.pooling3d import HalvingPool3D


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode", ["max", "average"])
def test_pools_pad_every_side_and_averages_count_it(mode, dtype):
    x = np.random.default_rng(0).normal(-1.0, 1.0, (2, 8, 6, 4, 3)).astype(dtype)
    expected = np.empty((2, 4, 3, 2, 3))
    for i, j, k in np.ndindex(4, 3, 2):
        window = x[
            :, max(2 * i - 1, 0) : 2 * i + 2, max(2 * j - 1, 0) : 2 * j + 2, max(2 * k - 1, 0) : 2 * k + 2
        ]
        whole = window.max(axis=(1, 2, 3)) if mode == "max" else window.sum(axis=(1, 2, 3)) / 27
        expected[:, i, j, k] = whole
    layer = HalvingPool3D(mode, dtype=dtype)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5)
    assert layer.compute_output_shape(x.shape) == expected.shape
    assert HalvingPool3D.from_config(layer.get_config()).mode == mode
    with pytest.raises(UserError, match="mode 'mean'"):
        HalvingPool3D("mean")


def test_fused_norm_is_keras_norm():
    x = tf.constant(np.random.default_rng(0).normal(2.0, 3.0, (3, 4, 4, 4, 5)).astype("float32"))
    weights = tf.constant(np.random.default_rng(1).normal(size=x.shape).astype("float32"))
    results = []
    for kind in (FusedBatchNormalization, keras.layers.BatchNormalization):
        layer = kind(momentum=0.9)
        layer.build(x.shape)
        randomise(layer)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_sum(y * weights)
        gradients = tape.gradient(loss, [x, *layer.trainable_variables])
        results.append([y, *gradients, *layer.variables, layer(x)])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
