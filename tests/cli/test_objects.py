"""Files become what a network takes, as far as the flags say how."""

from types import SimpleNamespace

import numpy as np
import pytest
from absl import flags

from tests.reference.files import npy
from tfxai3d import cli
from tfxai3d.errors import UserError

RANDOM = np.random.default_rng(0)


@pytest.fixture
def found(defined, tmp_path):
    """The inputs of the only object that flags ask for, of a file with an array."""
    defined(cli.OBJECTS, shape=[])

    def find(array, kind, shape, *arguments):
        (tmp_path / "a.npy").write_bytes(npy(array))
        flags.FLAGS(["app", f"--input={tmp_path / 'a.npy'}", *arguments])
        net = SimpleNamespace(kind=kind, shape=shape)
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


def test_volumes_are_resampled_if_asked(found):
    scan = RANDOM.normal(size=(20, 24, 28)).astype(np.float32)
    np.testing.assert_array_equal(found(scan, "voxels", (12, 12, 14, 1))[..., 0], scan)
    assert found(scan, "voxels", (12, 12, 14, 1), "--resample").shape == (12, 12, 14, 1)
    with pytest.raises(UserError, match="--resample: the network takes grids of any size"):
        found(scan, "voxels", (None, None, None, 1), "--resample")
