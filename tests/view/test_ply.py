import numpy as np
import pytest

from tfxai3d.errors import UserError
from tfxai3d.view import point_colors, write_ply

trimesh = pytest.importorskip("trimesh")


def test_round_trip(tmp_path, explanation):
    points, importance = explanation.inputs[0], explanation.importance[0]
    write_ply(tmp_path / "heat.ply", points, importance, "green_red")
    cloud = trimesh.load(tmp_path / "heat.ply")
    np.testing.assert_array_equal(cloud.vertices, points)
    expected = np.round(point_colors(importance, "green_red") * 255)
    np.testing.assert_array_equal(cloud.colors[:, :3], expected)
    assert (cloud.colors[:, 3] == 255).all()
    kept = cloud.metadata["_ply_raw"]["vertex"]["data"]["importance"]
    np.testing.assert_array_equal(np.ravel(kept), importance)


def test_is_binary_and_open3d_reads_it(tmp_path, explanation):
    write_ply(tmp_path / "heat.ply", explanation.inputs[0], explanation.importance[0], "green_red")
    assert (tmp_path / "heat.ply").read_bytes().startswith(b"ply\nformat binary_little_endian")
    open3d = pytest.importorskip("open3d")
    cloud = open3d.io.read_point_cloud(str(tmp_path / "heat.ply"))
    np.testing.assert_allclose(np.asarray(cloud.points), explanation.inputs[0])
    assert cloud.has_colors()


@pytest.mark.parametrize("points", [np.zeros((3, 3)), np.zeros((4, 2)), np.full((4, 3), np.nan)])
def test_bad_input_leaves_no_file(tmp_path, points):
    with pytest.raises(UserError):
        write_ply(tmp_path / "heat.ply", points, np.ones(4), "green_red")
    assert not list(tmp_path.iterdir())
