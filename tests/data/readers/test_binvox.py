"""binvox files are written and read back equal, and damaged ones are named."""

import numpy as np
import pytest
import trimesh

from tfxai3d.data.readers.binvox import read_binvox, write_binvox
from tfxai3d.errors import UserError


def test_binvox_round_trip_and_trimesh_agree(tmp_path):
    grid = np.zeros((40, 40, 40), np.uint8)  # runs of more than 255
    grid[3, 5:20, 7:] = 1
    grid[30:, 2, 1] = 1
    write_binvox(tmp_path / "a.binvox", grid)
    np.testing.assert_array_equal(read_binvox(tmp_path / "a.binvox").occupancy, grid)
    with (tmp_path / "a.binvox").open("rb") as file:
        loaded = trimesh.exchange.binvox.load_binvox(file)
    np.testing.assert_array_equal(loaded.matrix, grid)


def test_binvox_bytes_as_documented(tmp_path):
    """y runs fastest, then z, then x; pairs of value and count."""
    path = tmp_path / "b.binvox"
    path.write_bytes(
        b"#binvox 1\ndim 2 2 2\ntranslate 0 0 0\nscale 1\ndata\n" + bytes([0, 1, 1, 1, 0, 3, 1, 3])
    )
    assert np.argwhere(read_binvox(path).occupancy).tolist() == [[0, 1, 0], [1, 0, 1], [1, 1, 0], [1, 1, 1]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"#binvox 1\ndim 2 2 2\ndata\n" + bytes([1, 7]), "does not hold 8 voxels.*cut off"),
        (b"#binvox 1\ndim 2 2 2\ndata\n" + bytes([1, 8, 0]), "does not hold 8 voxels"),
        (b"#binvox 1\ndim 2 2 2\ndata\n" + bytes([3, 8]), "other than 0 and 1"),
        (b"#binvox 1\ndim 2 2 2\ndata\n" + bytes([0, 8]), "empty"),
        (b"#binvox 1\ndim 2 2\ndata\n" + bytes([1, 8]), r"dimensions \(2, 2\)"),
        (b"#binvox 1\ndim 99999 2 2\ndata\n", "at most 1024"),
        (b"#binvox 1\nscale 2\ndata\n", "not a readable binvox"),
        (b"PLY\n", "not a readable binvox"),
        (b"", "not a readable binvox"),
    ],
)
def test_a_damaged_binvox_is_named(tmp_path, content, message):
    path = tmp_path / "c.binvox"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        read_binvox(path)
    assert str(error.value).startswith(f"{path}: ")


def test_a_missing_binvox(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_binvox(tmp_path / "none.binvox")
