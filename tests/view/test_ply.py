import dataclasses

import numpy as np
import pytest

from tfxai3d.errors import UserError
from tfxai3d.view import point_colors, write_ply

trimesh = pytest.importorskip("trimesh")


def test_round_trip(tmp_path, explanation):
    points, importance = explanation.inputs[0], explanation.importance[0]
    write_ply(tmp_path / "heat.ply", explanation, colormap="green_red")
    cloud = trimesh.load(tmp_path / "heat.ply")
    np.testing.assert_array_equal(cloud.vertices, points)
    expected = np.round(point_colors(importance, "green_red") * 255)
    np.testing.assert_array_equal(cloud.colors[:, :3], expected)
    assert (cloud.colors[:, 3] == 255).all()
    kept = cloud.metadata["_ply_raw"]["vertex"]["data"]["importance"]
    np.testing.assert_array_equal(np.ravel(kept), importance)


def test_is_binary_and_open3d_reads_it(tmp_path, explanation):
    write_ply(tmp_path / "heat.ply", explanation, colormap="green_red")
    assert (tmp_path / "heat.ply").read_bytes().startswith(b"ply\nformat binary_little_endian")
    open3d = pytest.importorskip("open3d")
    cloud = open3d.io.read_point_cloud(str(tmp_path / "heat.ply"))
    np.testing.assert_allclose(np.asarray(cloud.points), explanation.inputs[0])
    assert cloud.has_colors()


def test_voxels_are_cubes_where_they_are_in_the_grid(tmp_path, voxels):
    write_ply(tmp_path / "heat.ply", voxels, colormap="green_red")
    mesh = trimesh.load(tmp_path / "heat.ply", process=False)
    corners = mesh.vertices.reshape(-1, 24, 3)
    places = np.floor(corners.mean(axis=1)).astype(int)
    occupied = voxels.inputs[0, ..., 0] > 0
    shown = occupied[tuple(places.T)]
    assert 0 < (~shown).sum() < shown.sum()
    np.testing.assert_allclose(np.ptp(corners, axis=1)[shown], 0.94, rtol=1e-5)
    assert np.ptp(corners, axis=1)[~shown].max() < 0.5
    kept = mesh.metadata["_ply_raw"]["vertex"]["data"]["importance"]
    expected = np.repeat(voxels.importance[0][tuple(places.T)], 24)
    np.testing.assert_array_equal(np.ravel(kept), expected)
    assert mesh.volume > 0  # the faces look outwards


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_input_leaves_no_file(tmp_path, explanation, bad):
    broken = dataclasses.replace(explanation, importance=explanation.importance + bad)
    with pytest.raises(UserError):
        write_ply(tmp_path / "heat.ply", broken)
    assert not list(tmp_path.iterdir())
