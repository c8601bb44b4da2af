"""Files become what a network takes, as far as the flags say how."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from absl import flags

from tests.reference.files import npy
from tfxai3d import cli, data, explain, models
from tfxai3d.cli import fitting
from tfxai3d.errors import UserError
from tfxai3d.explain.engine.layout import Layout

RANDOM = np.random.default_rng(0)


@pytest.fixture
def found(defined, tmp_path):
    """The inputs of the only object that flags ask for, of a file with an array."""
    defined(cli.OBJECTS, cli.MODEL, shape=[])

    def find(array, kind, shape, *arguments, up="y"):
        (tmp_path / "a.npy").write_bytes(npy(array))
        flags.FLAGS(["app", f"--input={tmp_path / 'a.npy'}", *arguments])
        layout = Layout(kind, shape)
        net = SimpleNamespace(kind=kind, shape=shape, layout=layout, data_format=layout.data_format, up=up)
        (item,) = cli.find_objects(net)
        return item.inputs

    return find


def test_columns_go_to_a_network_that_takes_them(found):
    scan = RANDOM.normal(size=(20, 5)).astype(np.float32)
    np.testing.assert_array_equal(found(scan, "points", (None, 5))[:, 3:], scan[:, 3:])
    assert found(scan, "points", (None, 3)).shape == (20, 3)
    loaded = found(scan, "points", (None, 4), "--features=column_5", "--up=z")
    np.testing.assert_array_equal(loaded[:, 3], scan[:, 4])
    with pytest.raises(UserError, match=r"has 2 columns after x y z .*, not 1; name them"):
        found(scan, "points", (None, 4), "--features=")


def test_raw_coordinates_and_the_up_axis_are_the_network_s(found):
    scan = (100 + 10 * RANDOM.normal(size=(20, 3))).astype(np.float32)
    turned = scan[:, [0, 2, 1]] * [-1, 1, 1]
    for flags_up, network_up, expected in (
        ("y", "y", scan),
        ("z", "z", scan),
        ("z", "y", turned),
        ("y", "z", turned),
    ):
        loaded = found(scan, "points", (None, 3), "--normalize=none", f"--up={flags_up}", up=network_up)
        np.testing.assert_array_equal(loaded, expected)
    loaded = found(scan, "points", (None, 3), "--normalize=unit_sphere", "--up=y")
    assert np.linalg.norm(loaded, axis=1).max() == pytest.approx(1)


def test_data_sets_and_rotations_have_the_network_s_up_axis(defined):
    defined(cli.OBJECTS, cli.MODEL, cli.ROTATIONS, shape=[])
    flags.FLAGS(["app", "--num_points=32", "--axes=y", "--rotations=3"])
    inputs = keras.Input((None, 3))
    model = keras.Model(inputs, keras.layers.GlobalMaxPooling1D()(inputs))
    upright, lying = (explain.network(model, "points", up=up) for up in ("y", "z"))
    ours, theirs = (cli.open_split(net, num_examples=2) for net in (upright, lying))
    np.testing.assert_array_equal(theirs.inputs, ours.inputs[..., [0, 2, 1]] * [-1, 1, 1])
    second = [list(some[1:].views(3))[1] for some in (ours, theirs)]
    np.testing.assert_allclose(second[1], second[0][..., [0, 2, 1]] * [-1, 1, 1], atol=1e-6)
    axis = {"y": [0, 1, 0], "z": [0, 0, 1]}
    for net in (upright, lying):
        rotations = cli.rotation_test(net).rotations
        np.testing.assert_allclose(rotations @ axis[net.up], [axis[net.up]] * 3, atol=1e-6)
    explained = explain.VanillaGradient(lying)(theirs.inputs)
    assert explained.up == "z"
    with pytest.raises(UserError, match="up 'x': must be one of y, z"):
        explain.network(model, "points", up="x")


def test_volumes_are_resampled_if_asked(found):
    scan = RANDOM.normal(size=(20, 24, 28)).astype(np.float32)
    np.testing.assert_array_equal(found(scan, "voxels", (None, None, None, 1))[..., 0], scan)
    with pytest.raises(UserError, match=r"volume \(20, 24, 28, 1\), the network .*; give --resample"):
        found(scan, "voxels", (12, 12, 14, 1))
    with pytest.raises(UserError, match="give its channels"):
        found(scan, "voxels", (None, None, None, 2))
    assert found(scan, "voxels", (12, 12, 14, 1), "--resample").shape == (12, 12, 14, 1)
    with pytest.raises(UserError, match="--resample: the network takes grids of any size"):
        found(scan, "voxels", (None, None, None, 1), "--resample")
    loaded = found(scan, "voxels", (None, None, None, 1), "--resample", "--resolution=10")
    assert loaded.shape == (10, 10, 10, 1)


def test_occupancy_becomes_distances_where_the_network_or_a_flag_says_so(found, defined):
    grid = (RANDOM.random((8, 8, 8)) < 0.3).astype(np.float32)
    expected = data.truncated_distance_field(grid, 2.5)
    loaded = found(grid, "voxels", (8, 8, 8, 1), "--truncation=2.5")
    np.testing.assert_array_equal(loaded[..., 0], expected)
    small = models.ResNet3D(2, width=0.125, size=8, truncation=2.5)
    form = cli.grid_form(explain.network(small))
    assert form == data.GridForm(8, None, 2.5)
    flags.FLAGS(["app", "--truncation=3"])
    assert cli.grid_form(explain.network(small)).truncation == 3


POINTS = np.arange(4 * 6, dtype=np.float32).reshape(4, 6)
GRID = (np.arange(8**3, dtype=np.float32) % 3 == 0).astype(np.float32).reshape(8, 8, 8, 1)


def net(kind, shape, data_format=None):
    inputs = keras.Input(shape)
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)))
    return explain.VanillaGradient(model, data_kind=kind, data_format=data_format).network


@pytest.mark.parametrize(
    ("kind", "shape", "data_format", "inputs", "expected"),
    [
        ("points", (4, 6), None, POINTS, POINTS),
        ("points", (6, 4), "channels_first", POINTS, POINTS.T),
        ("voxels", (8, 8, 8, 1), None, GRID, GRID),
        ("voxels", (8, 8, 8), None, GRID, GRID[..., 0]),
        ("voxels", (1, 8, 8, 8), "channels_first", GRID, GRID.transpose(3, 0, 1, 2)),
    ],
)
def test_as_the_network_takes_them(kind, shape, data_format, inputs, expected):
    network = net(kind, shape, data_format)
    np.testing.assert_array_equal(fitting.fitted(inputs, network), expected)
    both = np.stack([inputs, inputs])
    np.testing.assert_array_equal(fitting.fitted(both, network), np.stack([expected, expected]))


def test_grids_become_coarse():
    assert fitting.fitted(GRID, net("voxels", (4, 4, 4, 1))).shape == (4, 4, 4, 1)
    assert fitting.fitted(GRID, net("voxels", (4, 4, 4))).shape == (4, 4, 4)
    with pytest.raises(UserError, match=r"is a volume \(8, 8, 8, 1\), the network takes .*; give --resample"):
        fitting.fitted(2 * GRID, net("voxels", (4, 4, 4, 1)))  # values are resampled, if at all
    assert fitting.fitted(GRID, None) is GRID
