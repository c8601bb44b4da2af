import numpy as np
import pytest

from tfxai3d.view.shown import marks


def test_the_cube_is_closed_and_looks_outwards():
    vertices, normals, triangles = marks.cube()
    a, b, c = vertices[triangles].transpose(1, 0, 2)
    turned = np.cross(b - a, c - a)
    np.testing.assert_allclose(turned / 4, normals[triangles[:, 0]])
    assert (np.einsum("tc,tc->t", turned, a) > 0).all()
    assert np.einsum("tc,tc->", turned, a) / 6 == pytest.approx(8.0)  # the volume


def test_only_visible_voxels_and_important_empty_ones_are_marked():
    occupied = np.zeros((7, 7, 7), bool)
    occupied[1:6, 1:6, 1:6] = True
    importance = np.zeros((7, 7, 7))
    importance[0, 0, 0], importance[6, 6, 6], importance[3, 3, 3] = 1.0, 0.4, 5.0
    found = marks.voxel_marks(occupied, importance, top=1.0)
    shell = 5**3 - 3**3
    assert len(found.places) == shell + 1
    assert [0, 0, 0] in found.places.tolist()
    assert [3, 3, 3] not in found.places.tolist()
    small = found.sizes < found.sizes.max()
    assert found.places[small].tolist() == [[0, 0, 0]]


def test_voxels_at_the_border_of_the_grid_are_seen():
    found = marks.voxel_marks(np.ones((3, 3, 3), bool), np.zeros((3, 3, 3)), top=1.0)
    assert len(found.places) == 26


def test_z_of_voxels_points_up_as_y_of_points():
    occupied = np.zeros((4, 4, 4), bool)
    occupied[1, 2, 0] = occupied[1, 2, 3] = occupied[3, 2, 0] = True
    found = marks.voxel_marks(occupied, np.zeros((4, 4, 4)), top=1.0)
    low, high, aside = found.centres
    np.testing.assert_array_equal(high - low, [0, 3, 0])
    np.testing.assert_array_equal(aside - low, [-2, 0, 0])


def test_marks_that_belong_together_keep_their_places():
    one = marks.point_marks(np.array([[0, 0, 0], [4, 0, 0.0]]), np.zeros(2))
    two = marks.point_marks(np.array([[2, 2, 0], [2, -2, 0.0]]), np.zeros(2))
    both = np.concatenate([some.centres for some in marks.in_unit_ball([one, two])])
    np.testing.assert_allclose(both, [[-1, 0, 0], [1, 0, 0], [0, 1, 0], [0, -1, 0]])
