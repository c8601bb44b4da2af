"""Sets of grids: read whole, checked, and equal to what the meshes give."""

import logging
import os
from pathlib import Path

import numpy as np
import pytest

from tfxai3d.data.datasets.voxels import MODELNET10_CLASSES, find_empty, load_modelnet10, load_voxels
from tfxai3d.data.geometry import Mesh
from tfxai3d.data.readers.reading import read
from tfxai3d.data.voxelization import voxelize
from tfxai3d.errors import UserError


def grids(count, seed=0):
    return (np.random.default_rng(seed).random((count, 1, 32, 32, 32)) < 0.02).astype(np.uint8)


@pytest.fixture
def put(tmp_path):
    def write(**arrays):
        np.savez_compressed(tmp_path / "set.npz", **arrays)
        return tmp_path / "set.npz"

    return write


def test_a_set_is_read_and_its_empty_grids_are_counted(put, caplog):
    features = grids(5)
    features[2] = 0
    path = put(features=features, targets=np.arange(5, dtype=np.int32))
    with caplog.at_level(logging.WARNING):
        kept, labels = load_voxels(path)
    assert "left out 1 empty grids of 5: 2" in caplog.text
    assert (kept.shape, kept.dtype, labels.dtype) == ((4, 32, 32, 32, 1), np.float32, np.int64)
    assert labels.tolist() == [0, 1, 3, 4]
    np.testing.assert_array_equal(kept[2, ..., 0], features[3, 0])
    every, labels = load_voxels(path, keep_empty=True, dtype="uint8")
    assert every.dtype == np.uint8
    assert labels.tolist() == [0, 1, 2, 3, 4]
    assert find_empty(every).tolist() == [False, False, True, False, False]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"features": grids(2)[..., :30], "targets": [0, 1]},
            r"\(2, 1, 32, 32, 30\); give grids of 32 voxels",
        ),
        ({"features": np.zeros((2, 3, 32, 32, 32), np.uint8), "targets": [0, 1]}, "give grids of 32 voxels"),
        (
            {"features": grids(3) * [[[[[1]]]], [[[[2]]]], [[[[1]]]]], "targets": [0, 1, 2]},
            "grid 1 has values",
        ),
        (
            {"features": grids(2), "targets": [0]},
            r"targets are int64\(1,\); give one class number for each of 2",
        ),
        ({"features": grids(2), "targets": [0, -1]}, "negative or broken"),
        ({"features": grids(2).astype(str), "targets": [0, 1]}, "features are <U3|features are <U1"),
        (
            {"features": np.full((2, 1, 32, 32, 32), np.nan, np.float32), "targets": [0, 1]},
            "grid 0 has values",
        ),
        ({"points": np.zeros(3)}, "not a readable .npz with features and targets .*features"),
    ],
)
def test_a_wrong_set_is_named(put, arrays, message):
    path = put(**arrays)
    with pytest.raises(UserError, match=message) as error:
        load_voxels(path)
    assert str(error.value).startswith(f"{path}: ")


def test_missing_and_damaged_sets(put, tmp_path):
    with pytest.raises(UserError, match="no such file"):
        load_voxels(tmp_path / "none.npz")
    path = put(features=grids(2), targets=[0, 1])
    raw = path.read_bytes()
    for damaged in (raw[:500], b"PK\3\4", b"", raw[:300] + b"\0" * 200 + raw[500:]):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"not a readable \.npz"):
            load_voxels(path)


def test_modelnet10_is_read_by_split_with_its_empty_grids(tmp_path):
    features = grids(3)
    features[1] = 0
    np.savez(tmp_path / "modelnet10_train.npz", features=features, targets=[9, 0, 4])
    read, labels = load_modelnet10(tmp_path, "train")
    assert (read.dtype, read.shape, labels.tolist()) == (np.uint8, (3, 32, 32, 32, 1), [9, 0, 4])
    assert find_empty(read).tolist() == [False, True, False]
    with pytest.raises(UserError, match=r"modelnet10_test\.npz: no such file"):
        load_modelnet10(tmp_path)
    np.savez(tmp_path / "modelnet10_test.npz", features=features, targets=[0, 1, 10])
    with pytest.raises(UserError, match=r"targets reach 10; ModelNet10's classes are 0 to 9"):
        load_modelnet10(tmp_path, "test")


@pytest.fixture(scope="module")
def data_dir():
    if not os.environ.get("TFXAI3D_DATA"):
        pytest.skip("TFXAI3D_DATA is not set")
    return Path(os.environ["TFXAI3D_DATA"])


@pytest.mark.data
@pytest.mark.parametrize(("split", "count", "empty"), [("train", 3991, 7), ("test", 908, 1)])
def test_modelnet10_voxels(data_dir, split, count, empty):
    path = data_dir / "modelnet10_voxels" / f"modelnet10_{split}.npz"
    everything, labels = load_voxels(path, keep_empty=True, dtype="uint8")
    assert (len(everything), len(labels), find_empty(everything).sum()) == (count, count, empty)
    kept, labels = load_voxels(path, dtype="uint8")
    assert len(kept) == len(labels) == count - empty
    assert set(labels.tolist()) == set(range(len(MODELNET10_CLASSES)))
    occupied = kept[..., 0].any(axis=0)
    assert occupied[4:28, 4:28, 4:28].any()
    assert occupied.sum() == occupied[4:28, 4:28, 4:28].sum()


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "number"),
    [("desk/test/desk_0214", 13), ("dresser/test/dresser_0205", 4), ("table/test/table_0404", 11)],
)
def test_our_solid_voxels_equal_the_published_ones(data_dir, name, number):
    grids, labels = load_voxels(
        data_dir / "modelnet10_voxels" / "modelnet10_test.npz", keep_empty=True, dtype="uint8"
    )
    expected = grids[labels == MODELNET10_CLASSES.index(name.split("/")[0])][number, ..., 0]
    mesh = read(data_dir / "ModelNet10" / f"{name}.off")
    assert isinstance(mesh, Mesh)
    np.testing.assert_array_equal(voxelize(mesh), expected)
