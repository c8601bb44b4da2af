"""The objects of the explorer."""

from types import SimpleNamespace

import numpy as np
import pytest
from absl import flags

from tfxai3d import cli, data
from tfxai3d.errors import UserError
from tfxai3d.explain.engine.layout import Layout


@pytest.fixture
def exhibits(defined):
    """With the flags of the app explore, as they are by default."""
    defined(cli.MODEL, cli.GRIDS, num_points=64, seed=0, features=None, array=None, batch_size=32)
    flags.FLAGS(["app"])
    return cli.EmbeddedAndFiles()


def net(kind, shape, class_names=None, up="y"):
    layout = Layout(kind, shape)
    about = {"kind": kind, "shape": shape, "layout": layout, "data_format": layout.data_format, "up": up}
    return SimpleNamespace(**about, class_names=class_names)


POINTS = net("points", (None, 3))
VOXELS = net("voxels", (28, 28, 28, 1), ("normal", "hyperplasia"))


def test_shapes_are_those_that_a_network_knows(exhibits):
    assert exhibits.labels(POINTS) == list(data.shapes.SHAPE_CLASSES)
    assert exhibits.labels(net("points", (None, 3), ("lamp", "cow", "chair"))) == ["chair", "lamp"]
    for other in (net("points", (None, 3), ("normal", "hyperplasia")), net("points", (None, 6))):
        assert exhibits.labels(other) == []
    assert exhibits.labels(net("voxels", (8, 8, 8, 2))) == []
    chairs = [exhibits.embedded("chair", number, POINTS) for number in (0, 1)]
    assert [one.name for one in chairs] == ["chair 0", "chair 1"]
    assert [one.inputs.shape for one in chairs] == [(64, 3)] * 2
    assert np.abs(chairs[0].inputs - chairs[1].inputs).max() > 0.01
    np.testing.assert_array_equal(exhibits.embedded("chair", 0, None).inputs, chairs[0].inputs)


def test_embedded_scans(exhibits):
    assert exhibits.labels(VOXELS) == ["normal", "hyperplasia"]
    split = data.open_dataset("adrenalmnist3d_examples", "voxels")
    found = exhibits.embedded("hyperplasia", 1, VOXELS)
    np.testing.assert_array_equal(found.inputs, split.inputs[np.flatnonzero(split.labels == 1)[1]])
    assert found.scan
    with pytest.raises(UserError, match="there are 4 embedded volumes of 'normal': give a number below that"):
        exhibits.embedded("normal", 4, VOXELS)


def test_files_have_the_up_axis_that_is_said(exhibits, tmp_path):
    cloud = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    np.save(tmp_path / "a.npy", cloud)
    upright, lying = (exhibits.of_file(tmp_path / "a.npy", POINTS, up).inputs for up in ("y", "z"))
    np.testing.assert_array_equal(lying, data.z_up_to_y_up(upright))
    grid = exhibits.of_file(tmp_path / "a.npy", net("voxels", (16, 16, 16, 1)), "z").inputs
    assert grid.shape == (16, 16, 16, 1)
    np.save(tmp_path / "b.npy", np.random.default_rng(0).normal(size=(16, 16, 16)).astype(np.float32))
    assert exhibits.of_file(tmp_path / "b.npy", net("voxels", (16, 16, 16, 1)), "z").scan
    with pytest.raises(UserError, match=r"nothing\.npy: no such file"):
        exhibits.of_file(tmp_path / "nothing.npy", POINTS, "y")
