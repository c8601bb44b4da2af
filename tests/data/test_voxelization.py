"""Occupancy of meshes and points: exact against a slow triangle-box test."""

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from tfxai3d.data.geometry import Mesh
from tfxai3d.data.voxelization import fill_inside, poses, surface_voxels, voxelize, voxelize_points
from tfxai3d.errors import UserError


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
