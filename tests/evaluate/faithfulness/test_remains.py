"""What is left of examples, against examples from which it was taken by hand."""

import keras
import numpy as np
import pytest

from tfxai3d import evaluate, explain

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("shape", "data_format"),
    [((4, 4, 4, 2), "channels_last"), ((2, 4, 4, 4), "channels_first"), ((4, 4, 4), None)],
)
def test_voxels_wherever_their_channels_are(shape, data_format):
    inputs = keras.Input(shape)
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(inputs)))
    remains = evaluate.Remains(explain.network(model, "voxels", data_format=data_format), batch_size=2)
    grids = RANDOM.normal(size=(2, *shape)).astype(np.float32)
    grids[0][(0,) * len(shape)] = 0  # one of the channels: the voxel is still there
    assert remains.places(grids).all() == (len(shape) == 4)
    kept = RANDOM.random((2, 5, 64)) < 0.5
    by_hand = kept.reshape(2, 5, 4, 4, 4)
    if len(shape) == 4:
        by_hand = np.expand_dims(by_hand, 2 if data_format == "channels_first" else -1)
    left = np.where(by_hand, grids[:, None], 0).reshape(10, *shape)
    np.testing.assert_allclose(remains(grids, kept), model(left).numpy().reshape(2, 5, 3), atol=1e-5)


def test_the_most_important_goes_first_among_equals_the_lower_index():
    places = np.array([[True, True, False, True, True]])
    found = evaluate.ranks(np.array([[1.0, 3.0, 9.0, 3.0, 2.0]]), places)
    assert found.tolist() == [[3, 0, 4, 1, 2]]
