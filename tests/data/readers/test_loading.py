"""Files as inputs of networks: clouds and grids."""

import numpy as np
import pytest
import trimesh

from tests.reference.files import BOX, CLOUD, GRIDS, RANDOM, Put, npy, npz, rows
from tfxai3d.data.readers.loading import load_grid, load_points
from tfxai3d.data.voxelization import voxelize_points
from tfxai3d.errors import UserError


def test_a_mesh_is_sampled_by_the_seed(put: Put) -> None:
    path = put("box.off", BOX.export(file_type="off"))
    first, again, other = (load_points(path, 500, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert (first.shape, first.dtype) == ((500, 3), np.float32)
    np.testing.assert_allclose(first.mean(axis=0), 0, atol=1e-6)
    assert np.linalg.norm(first, axis=1).max() == pytest.approx(1)
    raw = load_points(path, normalize=False)
    assert len(raw) == 2048
    np.testing.assert_allclose(np.abs(raw).max(axis=0), [0.5, 1, 1.5], rtol=1e-2)


def test_a_cloud_is_thinned_by_the_seed_and_never_padded(put: Put) -> None:
    many = RANDOM.normal(size=(100, 3)).astype(np.float32)
    path = put("a.npy", npy(many))
    first, again, other = (load_points(path, 40, seed, normalize=False) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(np.unique(first, axis=0)) == 40
    assert set(map(tuple, first.tolist())) <= set(map(tuple, many.tolist()))
    for wanted in (100, 2048):
        np.testing.assert_array_equal(load_points(path, wanted, normalize=False), many)


def test_too_few_points_or_identical_samples(put: Put) -> None:
    nearly = np.zeros((10_000, 3), np.float32)
    nearly[0] = 1
    path = put("a.npy", npy(nearly))
    with pytest.raises(UserError, match=r"a\.npy: all 10 points are identical"):
        load_points(path, 10)
    with pytest.raises(UserError, match="ask for at least 10"):
        load_points(path, 9)


def test_a_mesh_a_cloud_and_voxels_become_grids_with_z_up(put: Put) -> None:
    mesh, cloud = put("a.off", BOX.export(file_type="off")), put("a.xyz", rows(CLOUD))
    lying = put("b.off", trimesh.creation.box((1, 3, 2)).export(file_type="off"))
    grid = load_grid(mesh)
    assert (grid.shape, grid.dtype) == ((32, 32, 32, 1), np.float32)
    assert [np.ptp(axis) + 1 for axis in np.nonzero(grid[..., 0])] == [
        10,
        18,
        24,
    ]  # planes between voxels touch both
    np.testing.assert_array_equal(load_grid(lying, up="y"), grid)
    np.testing.assert_array_equal(load_grid(cloud)[..., 0], voxelize_points(CLOUD))
    stored = put("a.npz", npz(features=GRIDS))
    for up in ("y", "z"):
        np.testing.assert_array_equal(load_grid(stored, 2, up=up)[..., 0], GRIDS[2, 0])  # type: ignore[arg-type]
