"""Voxels: exact against a slow triangle-box test; sets, binvox files, and augmentations by seed."""

import logging
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from tfxai3d.data.augment.voxels import (
    coarsen,
    flip,
    quarter_turn,
    shift,
    voxel_augmentation,
    voxel_batches,
)
from tfxai3d.data.datasets.voxel_tree import voxelize_modelnet_tree
from tfxai3d.data.datasets.voxels import (
    MODELNET10_CLASSES,
    find_empty,
    load_modelnet10,
    load_voxels,
)
from tfxai3d.data.geometry import Mesh
from tfxai3d.data.readers.binvox import read_binvox, write_binvox
from tfxai3d.data.readers.reading import read
from tfxai3d.data.voxelization import fill_inside, poses, surface_voxels, voxelize, voxelize_points
from tfxai3d.errors import UserError

# --- mesh to occupancy


def touches(triangle, voxel):
    """Separating axis test of one triangle and one closed unit cube, axis by axis."""
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) + voxel
    edges = [triangle[1] - triangle[0], triangle[2] - triangle[1], triangle[0] - triangle[2]]
    axes = [*np.eye(3), np.cross(edges[0], edges[1])]
    axes += [np.cross(edge, unit) for edge in edges for unit in np.eye(3)]
    for axis in axes:
        a, b = triangle @ axis, corners @ axis
        if a.min() > b.max() or b.min() > a.max():
            return False
    return True


def reference(vertices, faces, size):
    grid = np.zeros((size,) * 3, np.uint8)
    for voxel in np.ndindex(grid.shape):
        grid[voxel] = any(touches(vertices[face], voxel) for face in faces)
    return grid


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.sampled_from([None, 1.0, 0.5]))
def test_surface_is_exact(seed, count, step):
    """Also for corners on the borders of voxels, where only touching counts."""
    vertices = np.random.default_rng(seed).uniform(0, 5, (3 * count, 3))
    vertices = vertices if step is None else np.round(vertices / step) * step
    faces = np.arange(3 * count).reshape(-1, 3)
    np.testing.assert_array_equal(surface_voxels(vertices, faces, 5), reference(vertices, faces, 5))


@pytest.mark.parametrize("triangle", [[(1, 1, 1)] * 3, [(0, 0, 0), (4, 4, 4), (2, 2, 2)]])
def test_triangles_without_area_are_points_and_lines(triangle):
    vertices = np.array(triangle, float)
    grid = surface_voxels(vertices, np.array([[0, 1, 2]]), 4)
    np.testing.assert_array_equal(grid, reference(vertices, [[0, 1, 2]], 4))


def test_many_pairs_are_tested_in_parts(monkeypatch):
    mesh = sphere()
    whole = voxelize(mesh)
    monkeypatch.setattr("tfxai3d.data.voxelization._MAX_PAIRS", 100)
    np.testing.assert_array_equal(voxelize(mesh), whole)


def sphere() -> Mesh:
    ball = trimesh.creation.icosphere(2, 3.0)
    return Mesh(ball.vertices + np.array([10, -5, 7]), ball.faces)


@pytest.mark.parametrize(("extent", "margin"), [(24, 4), (30, 1), (32, 0)])
def test_a_mesh_fills_the_middle_of_the_grid(extent, margin):
    grid = voxelize(sphere(), extent=extent)
    assert grid.shape == (32, 32, 32)
    assert grid.dtype == np.uint8
    for axis in range(3):
        occupied = np.flatnonzero(grid.any(axis=tuple({0, 1, 2} - {axis})))
        assert (occupied[0], occupied[-1]) == (margin, 31 - margin)


def test_the_longest_side_sets_the_scale_and_axes_are_x_y_z():
    box = trimesh.creation.box((12.0, 6.0, 3.0))
    grid = voxelize(Mesh(box.vertices, box.faces))
    spans = [np.flatnonzero(grid.any(axis=tuple({0, 1, 2} - {axis})))[[0, -1]].tolist() for axis in range(3)]
    assert spans[0] == [4, 27]
    assert spans[1] == [9, 22]  # 10..22: a face between two voxels touches both
    assert spans[2] == [12, 19]  # 13..19, likewise


def test_solid_is_the_surface_and_what_it_encloses():
    surface, solid = voxelize(sphere(), solid=False), voxelize(sphere())
    centre = np.stack(np.meshgrid(*[np.arange(32) - 15.5] * 3, indexing="ij"), -1)
    radius = np.linalg.norm(centre, axis=-1)
    assert not surface[radius < 9].any()
    assert solid[radius < 12].all()
    assert (solid >= surface).all()
    np.testing.assert_array_equal(solid != surface, (solid == 1) & (surface == 0))


def test_an_open_surface_encloses_nothing():
    grid = np.ones((5, 5, 5), np.uint8)
    grid[1:4, 1:4, 1:4] = 0
    assert fill_inside(grid).all()
    grid[2, 2, 4] = 0
    np.testing.assert_array_equal(fill_inside(grid), grid)


def test_a_mesh_outside_the_grid_is_named():
    with pytest.raises(
        UserError, match=r"reaches from \(7, -8, 4\) to \(13, -2, 10\), outside the grid 0..32"
    ):
        surface_voxels(sphere().vertices, sphere().faces)


@pytest.mark.parametrize("extent", [0, 25, 34])
def test_an_extent_that_cannot_be_centred_is_refused(extent):
    with pytest.raises(UserError, match="cannot be centred in 32"):
        voxelize(sphere(), extent=extent)


def test_points_mark_the_voxels_they_lie_in():
    points = np.array([[0, 0, 0], [24, 12, 0], [12, 6, 0], [23.5, 0, 0]], np.float32)
    occupied = np.argwhere(voxelize_points(points))
    np.testing.assert_array_equal(occupied, [[4, 10, 16], [16, 16, 16], [27, 10, 16], [27, 22, 16]])
    with pytest.raises(UserError, match="identical"):
        voxelize_points(np.ones((4, 3)))


def test_poses_turn_about_the_up_axis():
    mesh = sphere()
    rotated = poses(mesh, 12)
    assert len(rotated) == 12
    np.testing.assert_array_equal(rotated[0].vertices, mesh.vertices)
    x, y, z = mesh.vertices.T
    np.testing.assert_allclose(rotated[3].vertices, np.stack([-y, x, z], 1), atol=1e-5)
    box = trimesh.creation.box((4.0, 2.0, 1.0))
    quarter = poses(Mesh(box.vertices, box.faces), 4)[1]
    plain = voxelize(Mesh(box.vertices, box.faces))
    np.testing.assert_array_equal(voxelize(quarter), plain.transpose(1, 0, 2)[::-1])


# --- sets of grids and binvox


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


def test_a_tree_of_meshes_in_several_poses(tmp_path):
    for name, count in (("sofa", 1), ("bed", 2)):
        (tmp_path / name / "test").mkdir(parents=True)
        for number in range(count):
            box = trimesh.creation.box((4.0, 2.0, 1.0 + number))
            box.export(tmp_path / name / "test" / f"{number}.off")
    rotated, labels, names = voxelize_modelnet_tree(tmp_path, "test", 4)
    assert (names, labels.tolist()) == (("bed", "sofa"), [0, 0, 1])
    assert (rotated.shape, rotated.dtype) == ((4, 3, 32, 32, 32, 1), np.uint8)
    box = trimesh.creation.box((4.0, 2.0, 2.0))
    plain = voxelize(Mesh(box.vertices, box.faces))
    np.testing.assert_array_equal(rotated[0, 1, ..., 0], plain)
    np.testing.assert_array_equal(rotated[1, 1, ..., 0], plain.transpose(1, 0, 2)[::-1])
    np.testing.assert_array_equal(rotated[2, 1, ..., 0], plain[::-1, ::-1])
    cloud = "".join(f"{i} 1 2\n" for i in range(10))
    (tmp_path / "bed" / "test" / "9.off").write_text(f"OFF\n10 0 0\n{cloud}")
    with pytest.raises(UserError, match=r"9\.off: has no faces"):
        voxelize_modelnet_tree(tmp_path)


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


# --- augmentation

SEED = tf.constant([3, 4], tf.int64)


def batch(count=200, size=6, margin=2):
    inside = np.random.default_rng(1).random((count,) + (size,) * 3) < 0.5
    return np.pad(inside, [(0, 0)] + [(margin, margin)] * 3)[..., None].astype(np.uint8)


def candidates(grid, transform):
    """Returns which of the named outcomes a transformed grid equals."""
    outcomes = {
        flip: {(x, y): grid[::x, ::y] for x in (1, -1) for y in (1, -1)},
        quarter_turn: {k: np.rot90(grid, k, (0, 1)) for k in range(4)},
        shift: {
            (x, y, z): np.roll(grid, (x, y, z), (0, 1, 2))
            for x in range(-2, 3)
            for y in range(-2, 3)
            for z in range(-2, 3)
        },
    }
    return outcomes[transform]


@pytest.mark.parametrize("transform", [flip, shift, quarter_turn])
def test_each_grid_is_moved_by_its_own_draw(transform):
    x = batch()
    moved = transform(tf.constant(x), SEED).numpy()
    assert moved.dtype == x.dtype
    names = []
    for before, after in zip(x, moved, strict=True):
        [name] = [key for key, value in candidates(before, transform).items() if np.array_equal(value, after)]
        names.append(name)
    np.testing.assert_array_equal(transform(tf.constant(x), SEED), moved)
    assert (transform(tf.constant(x), SEED + 1).numpy() != moved).any()
    if transform is flip:
        shares = (np.array(names) == -1).mean(axis=0)
        assert ((shares > 0.1) & (shares < 0.3)).all()
    else:
        assert {0, 1, 2} <= set(np.array(names).ravel().tolist())


def test_what_is_shifted_out_is_lost():
    x = np.ones((50, 4, 4, 4, 1), np.float32)
    left = shift(tf.constant(x), SEED).numpy().sum(axis=(1, 2, 3, 4))
    sides = {a * b * c for a in (2, 3, 4) for b in (2, 3, 4) for c in (2, 3, 4)}
    assert set(left.tolist()) <= sides
    assert len(set(left.tolist())) > 3


@pytest.mark.parametrize("size", [12, 6, 4, 1])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_coarsened_blocks_are_full_where_any_voxel_is(size, dtype):
    grids = (np.random.default_rng(0).random((3, 12, 12, 12, 1)) < 0.02).astype(dtype)
    factor = 12 // size
    expected = np.zeros((3, size, size, size, 1))
    for n, x, y, z, _ in np.argwhere(grids):
        expected[n, x // factor, y // factor, z // factor] = 1
    coarse = np.asarray(coarsen(grids, size))
    np.testing.assert_array_equal(coarse, expected)
    assert coarse.dtype == grids.dtype


def test_a_size_that_is_no_divisor_is_refused():
    with pytest.raises(UserError, match="grids of 32 voxels a side cannot be coarsened to 20"):
        coarsen(np.zeros((1, 32, 32, 32, 1)), 20)


def test_augmentation_by_name():
    augment = voxel_augmentation(["flip", "shift"])
    x = tf.constant(batch())
    expected = shift(flip(x, SEED + tf.constant([1, 0], tf.int64)), SEED + tf.constant([2, 0], tf.int64))
    np.testing.assert_array_equal(tf.function(augment)(x, SEED), expected)
    with pytest.raises(UserError, match=r"unknown augmentation 'jitter'.*flip, shift"):
        voxel_augmentation(["jitter"])


@pytest.mark.parametrize("plain_copy", [False, True])
def test_an_epoch_of_batches(plain_copy):
    x, labels = batch(10), np.arange(10)
    for i in range(10):
        x[i].flat[: i + 1] = 1 - x[i].flat[: i + 1]

    def epoch(number):
        made = voxel_batches(
            x,
            labels,
            num_classes=10,
            batch_size=4,
            augment=voxel_augmentation(),
            seed=(5, number),
            plain_copy=plain_copy,
        )
        return [(grids.numpy(), one_hot.numpy()) for grids, one_hot in made]

    first = epoch(0)
    assert len(first) == (5 if plain_copy else 2)
    assert first[0][0].shape == (4, 10, 10, 10, 1)
    assert first[0][0].dtype == first[0][1].dtype == np.float32
    for (a, b), (c, d) in zip(first, epoch(0), strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)
    assert any((a[0] != b[0]).any() for a, b in zip(first, epoch(1), strict=True))
    if plain_copy:
        seen = np.concatenate([one_hot.argmax(1) for _, one_hot in first])
        assert np.bincount(seen, minlength=10).tolist() == [2] * 10
        unchanged = [
            int(label)
            for grids, one_hot in first
            for grid, label in zip(grids, one_hot.argmax(1), strict=True)
            if np.array_equal(grid, x[label])
        ]
        assert set(unchanged) == set(range(10))


# --- real data


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
