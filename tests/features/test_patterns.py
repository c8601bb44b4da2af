import keras
import numpy as np
import pytest

from tests.reference.networks import assert_close, pointnet, pointnet2
from tfxai3d.errors import UserError
from tfxai3d.features import first_layer_patterns
from tfxai3d.models import PointNet2


def test_the_network_answers_to_the_patterns():
    model = pointnet2()
    lively = np.argsort(first_layer_patterns(model, resolution=7).activations)[:-4:-1]
    found = first_layer_patterns(model, lively, resolution=7, fraction=0.2)
    assert found.activations.min() > 0
    assert found.options["radius"] == 0.2
    assert np.linalg.norm(found.inputs, axis=-1).max() <= 0.2 + 1e-6
    # A cloud of a centroid and one neighbour: a channel is the higher of its values at both.
    first = keras.Model(model.input, model.get_layer("sa1_max").output)
    alone = first(np.zeros((1, 1, 3))).numpy()[0, 0]
    whole = first_layer_patterns(model, lively, resolution=7, fraction=1.0)
    assert found.inputs.shape[1] == round(0.2 * whole.inputs.shape[1])
    for unit, channel in enumerate(lively):
        inside = np.linalg.norm(found.inputs[unit], axis=-1) < 0.199  # a ball is open
        neighbours = found.inputs[unit][inside].astype(float)
        clouds = np.stack([np.zeros_like(neighbours), neighbours], axis=1)
        answers = first(clouds).numpy()[:, 0, channel]
        assert_close(answers, np.maximum(found.importance[unit][inside], alone[channel]))
        assert (np.diff(found.importance[unit]) <= 0).all()
        assert found.importance[unit, 0] == found.activations[unit] == whole.importance[unit].max()
    assert found.names == tuple(f"sa1 {channel}" for channel in lively)


def test_all_channels_and_the_fraction_of_the_ball_that_excites():
    model = pointnet2()
    found = first_layer_patterns(model, resolution=5, fraction=1.0)
    assert found.inputs.shape == (128, 33, 3)
    np.testing.assert_allclose(found.options["active"], (found.importance > 0).mean(axis=1), atol=1e-4)
    assert_close(np.sort(found.inputs[0], axis=0), np.sort(found.inputs[1], axis=0))


def test_each_scale_has_its_radius():
    model = PointNet2(3, "msg", density=0.02)
    for scale, (radius, channels) in enumerate(((0.1, 64), (0.2, 128), (0.4, 128))):
        found = first_layer_patterns(model, scale=scale, resolution=3, fraction=1.0)
        assert found.options["radius"] == radius
        assert found.inputs.shape == (channels, 7, 3)
        assert np.abs(found.inputs).max() == pytest.approx(radius)
    with pytest.raises(UserError, match="ball sizes 0 to 2"):
        first_layer_patterns(model, scale=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": [128]}, "sa1 has no unit 128: its units are 0 to 127"),
        ({"channels": []}, r"sa1: give a list of unit numbers, such as \[0, 1\], not \[\]"),
        ({"channels": [0.5]}, "give a list of unit numbers"),
        ({"resolution": 4}, "must be odd"),
        ({"fraction": 0}, "fraction must be"),
    ],
)
def test_mistakes_are_named(options, message):
    with pytest.raises(UserError, match=message):
        first_layer_patterns(pointnet2(), **options)
    with pytest.raises(UserError, match="need a PointNet"):
        first_layer_patterns(pointnet())
