"""What a network takes, of meshes, clouds, grids and volumes."""

import numpy as np
import pytest
import trimesh

from tests.reference.files import npy
from tfxai3d import data
from tfxai3d.data import GridForm, open_dataset, resampled, truncated_distance_field, voxelize
from tfxai3d.data.geometry import Mesh, PointCloud, Volume, VoxelGrid
from tfxai3d.errors import UserError

RANDOM = np.random.default_rng(0)
BOX = trimesh.creation.box((4.0, 2.0, 1.0))
MESH = Mesh(BOX.vertices, BOX.faces)


@pytest.mark.parametrize("resolution", [4, 7, 16, 28, 32, 48])
def test_meshes_and_clouds_at_any_resolution(resolution):
    form = GridForm(resolution)
    for found in (MESH, PointCloud(trimesh.sample.sample_surface(BOX, 4000, seed=0)[0])):
        first, turned = list(form.views(found, 4))[:2]
        assert first.shape == (resolution,) * 3 + (1,)
        assert first.dtype == np.uint8
        spans = [np.flatnonzero(first.any(axis=tuple({0, 1, 2, 3} - {axis}))) for axis in range(3)]
        longest = spans[0][-1] - spans[0][0] + 1
        assert longest == pytest.approx(resolution * 3 / 4, abs=1 + resolution / 8)
        assert spans[0][0] == resolution - 1 - spans[0][-1]  # in the middle
        assert len(spans[1]) == pytest.approx(longest / 2, abs=2)
        assert turned.any(axis=(0, 2, 3)).sum() == longest
    np.testing.assert_array_equal(next(iter(GridForm().views(MESH, 1)))[..., 0], voxelize(MESH))


def test_volumes_are_resampled_and_occupancy_becomes_distances():
    grid = (RANDOM.random((6, 8, 10)) < 0.3).astype(np.uint8)
    volume = Volume(RANDOM.normal(size=(6, 8, 10, 2)).astype(np.float32))
    (plain,) = GridForm().views(VoxelGrid(grid), 1)
    np.testing.assert_array_equal(plain[..., 0], grid)
    form = GridForm(resample=(4, 5, 7))
    (smaller,) = form.views(volume, 1)
    np.testing.assert_array_equal(smaller, resampled(volume.values, (4, 5, 7)))
    (field,) = GridForm(truncation=2.0).views(VoxelGrid(grid), 1)
    np.testing.assert_array_equal(field[..., 0], truncated_distance_field(grid, 2.0))
    (field,) = GridForm(16, truncation=3.0).views(MESH, 1)
    np.testing.assert_array_equal(field[..., 0], truncated_distance_field(voxelize(MESH, size=16), 3.0))
    with pytest.raises(UserError, match=r"truncation=2.0: distances are of occupancy from 0 to 1"):
        GridForm(truncation=2.0).of_volumes(volume.values[None])


def test_data_sets_have_the_form_that_is_asked_for(tmp_path):
    shapes = open_dataset(None, "voxels", num_examples=2, grid=GridForm(12, truncation=2.0))
    assert shapes.inputs.shape == (2, 12, 12, 12, 1)
    assert shapes.inputs.dtype == np.float32
    images = (RANDOM.random((3, 8, 8, 8)) < 0.2).astype(np.uint8)
    labels = np.arange(3)[:, None] % 2
    np.savez(tmp_path / "adrenalmnist3d.npz", test_images=images * 255, test_labels=labels)
    packed = open_dataset(tmp_path / "adrenalmnist3d.npz", "voxels", grid=GridForm(resample=(6, 6, 6)))
    expected = np.stack([resampled(image, (6, 6, 6)) for image in images])
    np.testing.assert_array_equal(packed.inputs[..., 0], expected)
    for name in ("a", "b"):
        folder = tmp_path / "tree" / "test" / name
        folder.mkdir(parents=True)
        (folder / "0.npy").write_bytes(npy(RANDOM.normal(size=(5, 6, 7 if name == "a" else 8))))
    with pytest.raises(UserError, match=r"different shapes, \(5, 6, 7, 1\) and \(5, 6, 8, 1\); resample"):
        _ = open_dataset(tmp_path / "tree", "voxels").inputs
    assert open_dataset(tmp_path / "tree", "voxels", grid=GridForm(resample=(4, 4, 4))).inputs.shape == (
        (2, 4, 4, 4, 1)
    )


def test_a_file_at_any_resolution(tmp_path):
    BOX.export(tmp_path / "box.off")
    grid = data.load_grid(tmp_path / "box.off", resolution=20)
    np.testing.assert_array_equal(grid[..., 0], voxelize(MESH, size=20))
