"""Networks of other widths than the published ones."""

import numpy as np
import pytest

from tfxai3d.errors import UserError
from tfxai3d.models import PointNet, from_preset, save_preset
from tfxai3d.models.layers.resizing import widths_of


def test_layers_have_the_widths_that_are_asked_for_and_all_else_fits(tmp_path):
    widths = {"mlp2_1": 17, "point_features": 33, "feature_transform_max": 9, "head_1": 5}
    model = PointNet(4, widths=widths)
    whole = widths_of(PointNet(4))
    assert widths_of(model) == whole | widths
    assert model.get_layer("point_features").kernel.shape == (17, 33)
    assert [layer.name for layer in model.layers] == [layer.name for layer in PointNet(4).layers]
    assert model(np.zeros((2, 8, 3))).shape == (2, 4)
    save_preset(model, tmp_path, {})
    assert from_preset(tmp_path).widths == widths


def test_a_config_without_widths_is_that_of_before():
    config = PointNet(4).get_config()
    del config["widths"]
    assert PointNet.from_config(config).widths is None


@pytest.mark.parametrize(
    ("widths", "message"),
    [
        ({"nowhere": 3}, "there is no layer 'nowhere'"),
        ({"mlp2_1": 0}, "widths: 0 for layer 'mlp2_1': it must be from 1 to 128"),
        ({"mlp2_1": 129}, "from 1 to 128"),
        ({"mlp2_1": 10**12}, "from 1 to 128"),
        ({"mlp2_1": 2.5}, "from 1 to 128"),
        ({"mlp2_1": True}, "from 1 to 128"),
        ({"feature_transform": 3}, "it makes no channels"),
        ({"logits": 3}, "'logits' makes the classes"),
    ],
)
def test_impossible_widths_are_refused(widths, message):
    with pytest.raises(UserError, match=message):
        PointNet(4, "full", widths=widths)
