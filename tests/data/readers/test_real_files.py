"""The real data sets are read."""

import os
from pathlib import Path

import pytest

from tfxai3d.data.geometry import Mesh, VoxelGrid
from tfxai3d.data.readers.loading import load_points
from tfxai3d.data.readers.reading import read


@pytest.fixture
def real() -> Path:
    folder = os.environ.get("TFXAI3D_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("TFXAI3D_DATA names no folder")
    return Path(folder)


@pytest.mark.data
def test_every_modelnet10_mesh_is_read(real: Path) -> None:
    paths = sorted(real.glob("ModelNet10/*/*/*.off"))
    assert len(paths) == 240
    for path in paths:
        assert isinstance(read(path), Mesh), path
    points = load_points(paths[0], 1024)
    assert points.shape == (1024, 3)


@pytest.mark.data
def test_single_meshes_and_stores_are_read(real: Path) -> None:
    bunny = read(real / "meshes/stanford_bunny.ply")
    assert isinstance(bunny, Mesh)
    assert (len(bunny.vertices), len(bunny.faces)) == (1889, 3851)
    airplane = read(real / "meshes/airplane_0003.off")
    assert isinstance(airplane, Mesh)
    assert (len(airplane.vertices), len(airplane.faces)) == (42472, 44580)
    assert load_points(real / "modelnet40_ply_hdf5_1024/ply_data_test0.h5", index=5).shape == (1024, 3)
    grid = read(real / "modelnet10_voxels/modelnet10_test.npz", 907)
    assert isinstance(grid, VoxelGrid)
    assert grid.occupancy.shape == (32, 32, 32)
