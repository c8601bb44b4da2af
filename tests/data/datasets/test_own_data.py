"""A user's own files are a set: trees, tables and arrays, with the dirt that comes with them."""

import logging
from pathlib import Path

import h5py
import numpy as np
import pytest
import trimesh

from tests.reference.files import npy, off, rows
from tfxai3d import data
from tfxai3d.data import open_dataset
from tfxai3d.errors import UserError

RANDOM = np.random.default_rng(0)


def write_objects(folder: Path, count: int) -> None:
    """Boxes and clouds, by turns, in several formats."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        points = RANDOM.normal(size=(30, 3)).astype(np.float32)
        kinds = {
            "OFF": trimesh.creation.box((1, 2, 3)).export(file_type="off").encode(),
            "npy": npy(points),
            "xyz": rows(points).encode(),
            "ply": trimesh.creation.box((3, 2, 1)).export(file_type="ply"),
        }
        suffix = list(kinds)[number % len(kinds)]
        (folder / f"{number}.{suffix}").write_bytes(kinds[suffix])


def layout(root: Path, order: str) -> Path:
    for name in ("chair", "table"):
        for split, count in (("train", 4), ("test", 3)):
            write_objects(root / (f"{name}/{split}" if order == "class" else f"{split}/{name}"), count)
    return root


@pytest.mark.parametrize("order", ["class", "split"])
def test_a_tree_of_any_formats_with_its_dirt(
    tmp_path: Path, order: str, caplog: pytest.LogCaptureFixture
) -> None:
    root = layout(tmp_path, order)
    inner = root / ("chair/train" if order == "class" else "train/chair")
    for name in ("._0.OFF", ".DS_Store", "README.txt", "notes.md"):
        (inner / name).write_bytes(b"\0\1")
    for empty in ("sofa/test", "sofa/train", "test/sofa"):
        (root / empty).mkdir(parents=True)
    (root / "index.csv").write_text("not an object")
    with caplog.at_level(logging.WARNING):
        opened = {split: open_dataset(root, "points", split, num_points=32) for split in ("train", "test")}  # type: ignore[arg-type]
    (notice,) = [record.getMessage() for record in caplog.records]
    assert "passed over 4 file(s) that are no objects, such as " in notice
    assert notice.endswith(" and 1 empty folder(s), such as sofa")
    assert opened["train"].class_names == opened["test"].class_names == ("chair", "table")
    assert opened["train"].labels.tolist() == [0] * 4 + [1] * 4
    assert opened["test"].labels.tolist() == [0] * 3 + [1] * 3
    assert opened["train"].inputs.shape == (8, 32, 3)
    cloud = opened["train"].inputs[1]
    assert len(np.unique(cloud, axis=0)) == 30  # filled up with copies
    path = opened["train"].where[1]["file"]
    np.testing.assert_array_equal(cloud[:30], data.load_points(path, 32, 0, up="z"))


def test_a_class_without_test_files_is_counted_the_same_in_both_splits(tmp_path: Path) -> None:
    for folder in ("b/train", "b/test", "a/train", "c/test"):
        write_objects(tmp_path / folder, 1)
    for split, labels in (("train", [0, 1]), ("test", [1, 2])):
        opened = open_dataset(tmp_path, "points", split)  # type: ignore[arg-type]
        assert (opened.class_names, opened.labels.tolist()) == (("a", "b", "c"), labels)
    with pytest.raises(UserError, match="has no examples of the split val"):
        open_dataset(tmp_path, "points", "val")


def test_classes_without_splits_are_divided(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a", "b"):
        write_objects(tmp_path / name, 10)
    with caplog.at_level(logging.WARNING):
        train, test = (open_dataset(tmp_path, "points", split, num_points=16) for split in ("train", "test"))  # type: ignore[arg-type]
    assert "every fifth example of a class" in caplog.records[0].getMessage()
    assert (np.bincount(train.labels).tolist(), np.bincount(test.labels).tolist()) == ([8, 8], [2, 2])
    assert not {place["file"] for place in train.where} & {place["file"] for place in test.where}


def test_meshes_clouds_and_grids_of_a_tree_become_voxels(tmp_path: Path) -> None:
    write_objects(tmp_path / "a" / "test", 4)
    grid = (RANDOM.random((32, 32, 32)) < 0.2).astype(np.float32)
    (tmp_path / "a" / "test" / "z.npy").write_bytes(npy(grid))
    opened = open_dataset(tmp_path, "voxels")
    assert opened.inputs.shape == (5, 32, 32, 32, 1)
    for place, found in zip(opened.where, opened.inputs, strict=True):
        np.testing.assert_array_equal(found, data.load_grid(place["file"]))
    quarter = list(opened.views(4))[1]
    np.testing.assert_array_equal(quarter[4, ..., 0], np.rot90(grid, axes=(0, 1)))
    cloud = data.read(opened.where[1]["file"]).points[:, [1, 0, 2]] * (-1, 1, 1)  # type: ignore[union-attr]
    np.testing.assert_array_equal(quarter[1, ..., 0], data.voxelize_points(cloud))


def test_a_table_of_paths_and_labels(tmp_path: Path) -> None:
    write_objects(tmp_path / "files", 4)
    names = sorted(path.name for path in (tmp_path / "files").iterdir())
    lines = [
        f"files/{name};{number % 2 + 9};{'test' if number > 1 else 'Train'}"
        for number, name in enumerate(names)
    ]
    table = tmp_path / "list.csv"
    table.write_text("Path;label;split\n" + "\n".join(lines) + "\n")
    train, test = (open_dataset(table, "points", split, num_points=16) for split in ("train", "test"))  # type: ignore[arg-type]
    assert train.class_names == test.class_names == ("9", "10")
    assert (train.labels.tolist(), test.labels.tolist()) == ([0, 1], [0, 1])
    assert test.where[0] == {"index": 0, "file": str(tmp_path / "files" / names[2]), "dataset": str(table)}
    for content, message in (
        ("file,label\na,b\n", "has no columns `path` and `label`"),
        ("path,label\nabsent.off,b\n", r"line 2 names absent\.off, which is not there"),
        ("path,label\nfiles/0.OFF,\n", "line 2 has no path or no label"),
        ("path,label,split\nfiles/0.OFF,a,dev\n", "has the split 'dev'; give train, val or test"),
        ("path,label,split\nfiles/0.OFF,a,test\nfiles/1.npy,a,\n", "of some examples but not of all"),
    ):
        table.write_text(content)
        with pytest.raises(UserError, match=message):
            open_dataset(table, "points")


def test_medmnist_is_occupancy_or_grey_values(tmp_path: Path) -> None:
    path = tmp_path / "adrenalmnist3d_64.npz"
    images = np.where(RANDOM.random((6, 8, 8, 8)) < 0.3, 255, 0).astype(np.uint8)
    labels = np.array([[0], [1], [1], [0], [1], [0]], np.uint8)
    arrays = {
        f"{split}_{name}": array
        for split in ("train", "val", "test")
        for name, array in (("images", images), ("labels", labels))
    }
    np.savez(path, **arrays)
    opened = open_dataset(path, "voxels", "val")
    assert opened.class_names == ("normal", "hyperplasia")
    assert opened.labels.tolist() == labels.ravel().tolist()
    assert (opened.inputs.dtype, opened.inputs.shape) == (np.uint8, (6, 8, 8, 8, 1))
    np.testing.assert_array_equal(opened.inputs[..., 0], images // 255)
    np.savez(tmp_path / "other.npz", **(arrays | {"test_images": images // 2}))
    grey = open_dataset(tmp_path / "other.npz", "voxels")
    assert grey.class_names == ("0", "1")
    np.testing.assert_allclose(grey.inputs[..., 0], images // 2 / 255, rtol=1e-6)
    with pytest.raises(UserError, match=r"adrenalmnist3d_64\.npz: is no data set of points"):
        open_dataset(path, "points")


def test_h5_sets_with_and_without_splits(tmp_path: Path) -> None:
    clouds, labels = RANDOM.normal(size=(10, 20, 3)), np.arange(10)[:, None] % 2
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["train/points"], file["train/label"] = clouds, labels
        file["test_points"], file["test_labels"] = clouds[:4], labels[:4]
    opened = open_dataset(path, "points", num_points=16)
    np.testing.assert_array_equal(opened.inputs, clouds[:4, :16].astype(np.float32))
    assert len(open_dataset(path, "points", "train", num_points=16)) == 10
    with pytest.raises(UserError, match="clouds have 20 points, 21 were asked for"):
        open_dataset(path, "points", num_points=21)
    with h5py.File(path, "w") as file:
        file["anything"], file["y"] = clouds, labels
    (tmp_path / "class_names.txt").write_text("cup\nlamp\n")
    train, test = (open_dataset(path, "points", split, num_points=20) for split in ("train", "test"))  # type: ignore[arg-type]
    assert train.class_names == ("cup", "lamp")
    assert (len(train), len(test)) == (8, 2)
    with h5py.File(path, "w") as file:
        file["data"] = clouds
    with pytest.raises(UserError, match=r"a\.h5: holds 0 arrays of labels"):
        open_dataset(path, "points")


def test_what_is_no_set_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.off").write_bytes(off(np.eye(3), [[0, 1, 2]]))
    for source, message in (
        (tmp_path / "absent", "no such file or folder"),
        (tmp_path / "a.off", "is no data set of points"),
    ):
        with pytest.raises(UserError, match=message):
            open_dataset(source, "points")
