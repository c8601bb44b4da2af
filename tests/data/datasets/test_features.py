"""Data sets with columns after x y z: normals, colours, intensity."""

from pathlib import Path

import numpy as np
import pytest

from tests.reference.files import Put, h5, off, rows
from tfxai3d.data import open_dataset
from tfxai3d.errors import UserError

RANDOM = np.random.default_rng(0)
NORMALS = RANDOM.normal(size=(20, 3))
NORMALS /= np.linalg.norm(NORMALS, axis=1, keepdims=True)
TABLE = np.column_stack([RANDOM.normal(size=(20, 3)), NORMALS, np.arange(20)])
SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        folder = tmp_path / "tree" / name / "test"
        folder.mkdir(parents=True)
        (folder / "a.csv").write_text("x,y,z,nx,ny,nz,Intensity\n" + rows(TABLE, ","))
    return tmp_path / "tree"


def test_columns_by_name_with_normals_turned_to_y_up(tree: Path) -> None:
    split = open_dataset(tree, "points", num_points=20, features=["Intensity", "nx", "ny", "nz"])
    assert split.features == ("intensity", "nx", "ny", "nz")
    assert split.inputs.shape == (2, 20, 7)
    np.testing.assert_array_equal(split.inputs[0, :, 3], np.arange(20))
    np.testing.assert_allclose(split.inputs[0, :, 4:], NORMALS[:, [0, 2, 1]] * (-1, 1, 1), rtol=1e-6)
    assert split[[1]].features == split.features
    first, quarter, *_ = split.views(4)
    np.testing.assert_allclose(first, split.inputs, rtol=1e-6)
    np.testing.assert_array_equal(quarter[..., 3], first[..., 3])
    for columns in (slice(0, 3), slice(4, 7)):  # a quarter turn about y takes z to x and x to -z
        np.testing.assert_allclose(
            quarter[..., columns], first[..., columns][..., [2, 1, 0]] * (1, 1, -1), atol=1e-6
        )


def test_meshes_have_normals(put: Put) -> None:
    put("a.off", off(SQUARE, [[0, 1, 2, 3]]))
    put("b.off", off(SQUARE, [[3, 2, 1, 0]]))
    path = put("list.csv", b"path,label,split\na.off,one,test\nb.off,two,test\n")
    inputs = open_dataset(path, "points", num_points=20, features=3).inputs
    for cloud, height in zip(inputs, (1, -1), strict=True):
        np.testing.assert_allclose(cloud[:, 3:], np.tile([0, height, 0], (20, 1)), atol=1e-6)


def test_arrays_by_number(put: Put) -> None:
    clouds = RANDOM.normal(size=(6, 20, 5)).astype(np.float32)
    path = put("a.h5", h5(test_data=clouds, test_label=np.arange(6) % 2))
    split = open_dataset(path, "points", num_points=15, features=["column_5"])
    np.testing.assert_array_equal(split.inputs, clouds[:, :15, [0, 1, 2, 4]])
    assert open_dataset(path, "points", num_points=15, features=2).features == ("column_4", "column_5")
    assert open_dataset(path, "points", num_points=15).inputs.shape == (6, 15, 3)
    with pytest.raises(UserError, match=r"a\.h5: has no column 'nx'; it has column_4, column_5"):
        open_dataset(path, "points", num_points=15, features=["nx"])


def test_what_has_no_features_says_so(tree: Path) -> None:
    with pytest.raises(UserError, match="features: procedural shapes have none"):
        open_dataset(None, "points", features=["nx"])
    with pytest.raises(UserError, match="features: voxels have none"):
        open_dataset(tree, "voxels", features=["nx"])
    with pytest.raises(UserError, match=r"a\.csv: has no column 'red'; it has nx, ny, nz, intensity"):
        _ = open_dataset(tree, "points", num_points=20, features=["red"]).inputs
