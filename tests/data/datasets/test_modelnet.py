import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from tfxai3d.data import MODELNET40_CLASSES, load_modelnet40
from tfxai3d.errors import UserError


def write_shard(path, points, labels, dtype="float32"):
    with h5py.File(path, "w") as file:
        file["data"] = points.astype(dtype)
        file["label"] = labels


@pytest.fixture
def folder(tmp_path):
    """Two test shards of 3 and 2 clouds; the list carries paths as in the public set."""
    rng = np.random.default_rng(0)
    for i, count in enumerate((3, 2)):
        points = rng.uniform(-1, 1, (count, 16, 3))
        write_shard(tmp_path / f"test{i}.h5", points, np.arange(count, dtype="uint8")[:, None] + 10 * i)
    listing = "data/modelnet40_ply_hdf5_2048/test0.h5\n\ndata/modelnet40_ply_hdf5_2048/test1.h5\n"
    (tmp_path / "test_files.txt").write_text(listing)
    return tmp_path


def test_reads_all_shards_in_order(folder):
    points, labels = load_modelnet40(folder, "test")
    assert (points.shape, points.dtype) == ((5, 16, 3), np.float32)
    assert labels.dtype == np.int64
    assert labels.tolist() == [0, 1, 2, 10, 11]
    with h5py.File(folder / "test1.h5") as file:
        np.testing.assert_array_equal(points[3:], file["data"])


def test_keeps_the_first_points(folder):
    points, _ = load_modelnet40(folder, "test", 7)
    assert points.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(points, load_modelnet40(folder, "test")[0][:, :7])


def test_float16_and_flat_labels(folder):
    values = np.random.default_rng(1).uniform(-1, 1, (2, 8, 3))
    write_shard(folder / "half.h5", values, np.array([4, 5]), "float16")
    (folder / "train_files.txt").write_text("half.h5\n")
    points, labels = load_modelnet40(str(folder), "train")
    assert points.dtype == np.float32
    assert labels.tolist() == [4, 5]
    np.testing.assert_array_equal(points, values.astype("float16").astype("float32"))


@pytest.mark.parametrize("num_points", [0, -3, 17])
def test_a_number_of_points_that_cannot_be_had(folder, num_points):
    with pytest.raises(UserError, match=f"have 16 points, {num_points} were asked"):
        load_modelnet40(folder, "test", num_points)


def test_missing_or_empty_listing(folder):
    with pytest.raises(UserError, match=r"train_files\.txt: no such file; give a ModelNet40"):
        load_modelnet40(folder, "train")
    (folder / "train_files.txt").write_text("\n")
    with pytest.raises(UserError, match="lists no files"):
        load_modelnet40(folder, "train")


def _replace(name, values):
    def damage(path):
        with h5py.File(path, "a") as file:
            del file[name]
            if values is not None:
                file[name] = values

    return damage


POINTS = np.zeros((2, 16, 3), "float32")
DAMAGES = {
    "missing": (lambda path: path.unlink(), "not a readable"),
    "empty": (lambda path: path.write_bytes(b""), "not a readable"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:900]), "not a readable"),
    "no data": (_replace("data", None), "not a readable"),
    "no labels": (_replace("label", None), "not a readable"),
    "text": (_replace("data", "points"), "not a readable"),
    "flat": (_replace("data", POINTS[0]), r"must be \(B,N,3\)"),
    "four columns": (_replace("data", np.zeros((2, 16, 4))), r"must be \(B,N,3\)"),
    "labels short": (_replace("label", np.zeros(1)), "as many labels"),
    "other number of points": (_replace("data", POINTS[:, :9]), "differ in points a cloud: 9, 16"),
    "nan": (_replace("data", POINTS * np.nan), "NaN or infinite"),
    "infinite": (_replace("data", POINTS + np.inf), "NaN or infinite"),
    "label too large": (_replace("label", np.array([0, 40])), r"outside 0\.\.39"),
    "label negative": (_replace("label", np.array([-1, 3])), r"outside 0\.\.39"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_shard_is_a_user_error(folder, damage, message):
    damage(folder / "test1.h5")
    with pytest.raises(UserError, match=message) as caught:
        load_modelnet40(folder, "test")
    assert "\n" not in str(caught.value)


@pytest.mark.data
@pytest.mark.skipif("TFXAI3D_DATA" not in os.environ, reason="needs TFXAI3D_DATA")
@pytest.mark.parametrize(("split", "counts"), [("train", {9840, 9843}), ("test", {2468})])
def test_the_real_data(split, counts):
    """The public set left three of the 9,843 training clouds out."""
    root = Path(os.environ["TFXAI3D_DATA"])
    folders = [root, *sorted(root.glob("modelnet40_ply_hdf5_*"))]
    folder = next(path for path in folders if (path / f"{split}_files.txt").is_file())
    points, labels = load_modelnet40(folder, split, 1024)
    assert len(points) in counts
    assert points.shape[1:] == (1024, 3)
    assert len(MODELNET40_CLASSES) == 40
    assert set(labels) == set(range(40))
    assert np.linalg.norm(points, axis=-1).max() < 1.01
