"""One call opens every set, counts labels as a model does, and reads nothing before it is asked to."""

import logging
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import trimesh

from tfxai3d import data
from tfxai3d.data import MODELNET10_CLASSES, MODELNET40_CLASSES, open_dataset, shapes
from tfxai3d.errors import UserError

KNOWN = ("cup", "box", "sphere", "chair")


@pytest.fixture
def hdf5(tmp_path: Path) -> Path:
    for split, count in (("test", 5), ("train", 3)):
        points = np.random.default_rng(count).uniform(-1, 1, (count, 40, 3)).astype("float32")
        with h5py.File(tmp_path / f"{split}0.h5", "w") as file:
            file["data"], file["label"] = points, np.arange(count)[:, None] * 7
        (tmp_path / f"{split}_files.txt").write_text(f"data/{split}0.h5\n")
    return tmp_path


@pytest.fixture
def grids(tmp_path: Path) -> Path:
    occupancy = (np.random.default_rng(1).random((4, 1, 32, 32, 32)) < 0.1).astype(np.uint8)
    occupancy[2] = 0
    np.savez_compressed(tmp_path / "modelnet10_test.npz", features=occupancy, targets=np.array([9, 0, 4, 4]))
    return tmp_path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, count in (("table", 2), ("sofa", 3)):
        folder = tmp_path / name / "test"
        folder.mkdir(parents=True)
        for i in range(count):
            trimesh.creation.box((4, 3 - i / 2, 1)).export(folder / f"{name}_{i:04}.off")
    return tmp_path


# --- what the folder holds


def test_modelnet40_shards_are_clouds(hdf5: Path) -> None:
    for split, count in (("test", 5), ("train", 3)):
        opened = open_dataset(hdf5, "points", split, num_points=16)
        points, labels = data.load_modelnet40(hdf5, split, 16)
        np.testing.assert_array_equal(opened.inputs, points)
        np.testing.assert_array_equal(opened.labels, labels)
        assert opened.class_names == MODELNET40_CLASSES
        assert opened.where[-1] == {"index": count - 1, "dataset": str(hdf5), "split": split}


def test_modelnet10_is_occupancy_with_the_empty_grids(grids: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        opened = open_dataset(str(grids), "voxels")
    assert not caplog.records
    assert (opened.inputs.shape, opened.inputs.dtype) == ((4, 32, 32, 32, 1), np.uint8)
    assert data.find_empty(opened.inputs).tolist() == [False, False, True, False]
    assert [MODELNET10_CLASSES[label] for label in opened.labels] == [
        "toilet",
        "bathtub",
        "dresser",
        "dresser",
    ]


def test_a_tree_of_meshes_is_sampled_or_voxelised_as_the_network_wants(tree: Path) -> None:
    clouds, voxels = (open_dataset(tree, kind, num_points=32, seed=3) for kind in ("points", "voxels"))
    assert clouds.class_names == voxels.class_names == ("sofa", "table")
    assert clouds.labels.tolist() == voxels.labels.tolist() == [0, 0, 0, 1, 1]
    assert clouds.where[3] == {"index": 3, "file": str(tree / "table" / "test" / "table_0000.off")}
    for i in range(5):
        path = clouds.where[i]["file"]
        expected = data.z_up_to_y_up(data.load_points(path, 32, 3))
        np.testing.assert_array_equal(clouds.inputs[i], expected)
        np.testing.assert_array_equal(voxels.inputs[i, ..., 0], data.voxelize(data.read(path)))
    assert (clouds.inputs.dtype, voxels.inputs.dtype) == (np.float32, np.uint8)


def test_a_folder_that_holds_a_packed_set_and_a_tree_is_the_packed_set(hdf5: Path, tree: Path) -> None:
    assert hdf5 == tree
    assert len(open_dataset(tree, "points", num_points=40).class_names) == 40
    assert len(open_dataset(tree, "voxels").class_names) == 2


@pytest.mark.parametrize(
    ("kind", "name"), [("points", "train_files.txt"), ("voxels", "modelnet10_train.npz")]
)
def test_a_folder_that_holds_none_is_an_error(tmp_path: Path, kind: str, name: str) -> None:
    with pytest.raises(UserError, match=rf"{name}: no such file, nor is .* a tree <class>/train"):
        open_dataset(tmp_path, kind, "train")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": "voxel"}, "kind is 'voxel': it must be points or voxels"),
        ({"split": "vali"}, "split is 'vali': it must be train, val or test"),
        ({"split": "val"}, "procedural shapes have no split val"),
        ({"num_examples": 0}, "num_examples is 0: it must be at least 1"),
        ({"seed": -1}, "it must be 0 or more"),
    ],
)
def test_an_argument_out_of_range_is_an_error(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        open_dataset(None, **({"kind": "points"} | wrong))


# --- procedural shapes


def test_procedural_clouds_are_those_of_make_dataset_and_train_and_test_differ() -> None:
    for split, seed in (("train", 8), ("test", 9)):
        opened = open_dataset(None, "points", split, num_points=32, num_examples=30, seed=4)
        expected = shapes.make_dataset(30, 32, seed)
        np.testing.assert_array_equal(opened.inputs, expected.points)
        np.testing.assert_array_equal(opened.labels, expected.labels)
        assert opened.class_names == shapes.SHAPE_CLASSES
        assert opened.where[7] == {"index": 7, "dataset": f"shapes, seed {seed}"}


def test_procedural_voxels_are_the_shapes_of_the_clouds() -> None:
    clouds, voxels = (
        open_dataset(None, kind, num_points=4096, num_examples=3) for kind in ("points", "voxels")
    )
    np.testing.assert_array_equal(clouds.labels, voxels.labels)
    assert (voxels.inputs.shape, voxels.inputs.dtype) == ((3, 32, 32, 32, 1), np.uint8)
    for cloud, grid in zip(clouds.inputs, voxels.inputs, strict=True):
        touched = data.voxelize_points(data.z_up_to_y_up(cloud)).astype(bool)
        assert (grid[..., 0][touched] == 1).mean() > 0.9  # sampling misses the outermost places


def test_a_set_has_a_thousand_shapes_by_default_and_makes_none_before_it_is_asked_to() -> None:
    opened = open_dataset(None, "voxels")
    assert len(opened) == 1000
    assert opened[990:].labels.shape == (10,)
    assert np.bincount(opened.labels).tolist() == [40] * 25


# --- what a model knows


def test_procedural_clouds_are_of_the_classes_that_the_model_knows() -> None:
    opened = open_dataset(None, "points", num_points=32, num_examples=9, class_names=KNOWN, seed=4)
    expected = shapes.make_dataset(9, 32, 9, ("chair", "cup"))
    np.testing.assert_array_equal(opened.inputs, expected.points)
    assert opened.class_names == KNOWN
    assert [KNOWN[label] for label in opened.labels] == [expected.classes[label] for label in expected.labels]
    with pytest.raises(UserError, match="knows none of the procedural classes"):
        open_dataset(None, "points", class_names=("tree",))


def test_labels_count_as_the_model_does(tree: Path) -> None:
    opened = open_dataset(tree, "points", class_names=("table", "bed", "sofa"))
    assert opened.labels.tolist() == [2, 2, 2, 0, 0]
    assert opened.class_names == ("table", "bed", "sofa")
    with pytest.raises(UserError, match="the model was not trained on table; give other data or another"):
        open_dataset(tree, "points", class_names=("sofa", "bed"))


def test_relabel_counts_as_the_other_list_does() -> None:
    labels = data.relabel(np.array([1, 0, 1]), ("chair", "box"), KNOWN)
    np.testing.assert_array_equal(labels, [1, 3, 1])


@pytest.mark.parametrize("known", [("box",), (), None])
def test_a_class_that_the_model_lacks_is_named(known: tuple[str, ...] | None) -> None:
    with pytest.raises(UserError, match="the model was not trained on chair"):
        data.relabel(np.array([0]), ("chair",), known)


# --- parts and views


def test_examples_are_spread_evenly_and_keep_their_numbers(tree: Path) -> None:
    for kind in ("points", "voxels"):
        every = open_dataset(tree, kind)  # type: ignore[arg-type]
        some = open_dataset(tree, kind, num_examples=3)  # type: ignore[arg-type]
        assert [place["index"] for place in some.where] == [0, 2, 4]
        np.testing.assert_array_equal(some.inputs, every.inputs[[0, 2, 4]])
        np.testing.assert_array_equal(some.labels, every.labels[[0, 2, 4]])
        np.testing.assert_array_equal(every[1:].spread(2).labels, every.labels[[1, 4]])
        assert len(open_dataset(tree, kind, num_examples=50)) == 5  # type: ignore[arg-type]


def test_a_part_reads_only_its_own_files_and_none_twice(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_dataset(tree, "points", num_points=32)
    sofa = tree / "sofa" / "test" / "sofa_0000.off"
    sofa.write_text("damaged")
    tables = opened[opened.labels == 1]
    assert tables.inputs.shape == (2, 32, 3)
    for path in (tree / "table" / "test").iterdir():
        path.unlink()
    np.testing.assert_array_equal(tables[1:].inputs, tables.inputs[1:])
    with pytest.raises(UserError, match=r"sofa_0000\.off"):
        _ = opened.inputs


def test_views_of_clouds_are_rotations_about_the_up_axis(hdf5: Path) -> None:
    for opened in (
        open_dataset(hdf5, "points", num_points=40),
        open_dataset(None, "points", num_examples=3),
    ):
        expected = list(data.rotated_points(opened.inputs, 3))
        np.testing.assert_array_equal(list(opened.views(3)), expected)
        np.testing.assert_array_equal(next(iter(opened.views(1))), opened.inputs)


def test_meshes_are_rotated_before_they_are_voxelised(tree: Path) -> None:
    voxels = open_dataset(tree, "voxels")
    for i, view in enumerate(voxels.views(3)):
        for place, grid in zip(voxels.where, view, strict=True):
            pose = data.poses(data.read(place["file"]), 3)[i]
            np.testing.assert_array_equal(grid[..., 0], data.voxelize(pose))


def test_stored_voxels_make_quarter_turns_only(grids: Path) -> None:
    opened = open_dataset(grids, "voxels")
    np.testing.assert_array_equal(list(opened.views(2)), list(data.rotated_grids(opened.inputs, 2)))
    with pytest.raises(UserError, match="3 views of a voxel grid"):
        list(opened.views(3))
