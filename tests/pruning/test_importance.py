"""Layer-adaptive magnitude against its definition, weight by weight."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfxai3d import pruning
from tfxai3d.pruning.thresholds import lamp


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(-3, 3))
def test_lamp_equals_its_definition_at_every_scale(seed, scale):
    rng = np.random.default_rng(seed)
    kernel = (rng.integers(-4, 5, (2, 3, 4)) * 10.0**scale).astype("float32")  # with ties and zeros
    kernel[0, 0, 0] = 10.0**scale
    got = lamp(kernel)
    for place in np.ndindex(kernel.shape):
        others = kernel[np.abs(kernel) >= abs(kernel[place])].astype("float64")
        expected = abs(kernel[place]) / np.sqrt(np.sum(others**2))
        assert float(got[place]) == pytest.approx(expected, rel=1e-5)


def test_a_kernel_of_zeros_has_none():
    np.testing.assert_array_equal(lamp(np.zeros((3, 2), "float32")), np.zeros((3, 2)))


def test_no_layer_is_lost_whatever_its_scale(float64):
    import keras

    inputs = keras.Input((6,))
    x = keras.layers.Dense(8, use_bias=False)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(8, use_bias=False)(x))
    first, second = model.get_weights()
    left = {}
    for importance in ("magnitude", "lamp"):
        model.set_weights([first, 1e-6 * second])
        pruning.prune_magnitude(model, 0.1, importance=importance)
        layers = pruning.kernel_sparsity(model)["layers"].values()
        left[importance] = [layer["left"] for layer in layers]
    assert left["magnitude"] == [11, 0]
    assert min(left["lamp"]) >= 4
    assert sum(left["lamp"]) == 11
