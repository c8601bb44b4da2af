"""Creases of meshes as they are found: against those of procedural shapes, which are known exactly."""

import dataclasses

import numpy as np
import pytest

from tfxai3d.data import shapes
from tfxai3d.data.geometry import Mesh
from tfxai3d.data.shapes.solids import box


def soup(mesh, rng):
    """Returns a mesh of single triangles, their corners in any order, every third of them there twice."""
    faces = np.concatenate([mesh.faces, mesh.faces[::3, ::-1]])
    faces = rng.permuted(rng.permutation(faces), axis=1)
    return Mesh(mesh.vertices[faces].reshape(-1, 3), np.arange(faces.size).reshape(-1, 3))


def length(shape):
    return np.linalg.norm(np.diff(shape.edges.astype(float), axis=1), axis=-1).sum()


@pytest.mark.parametrize("name", ["bathtub", "bed", "car", "cone", "desk", "laptop", "sofa"])
def test_points_near_edges_are_those_of_the_exact_creases(name):
    mesh = shapes.make_shape(name, 3)
    known = dataclasses.replace(mesh, corners=np.zeros((0, 3), np.float32))
    expected = shapes.sample_shape(known, 500, 0).features
    assert 0.05 < (expected > 0).mean() < 0.95
    for given in (mesh.z_up(), soup(mesh.z_up(), np.random.default_rng(0))):
        found = dataclasses.replace(known, edges=shapes.cad_shape(given).edges)
        np.testing.assert_array_equal(shapes.sample_shape(found, 500, 0).features, expected)


def test_a_box_has_twelve_edges_and_a_box_with_a_face_missing_its_rim():
    solid = box((0, 1), (0, 2), (0, 3))
    whole = shapes.cad_shape(Mesh(solid.vertices, solid.faces))
    # Each edge is that of two faces, and none of the faces' diagonals is one.
    assert length(whole) == pytest.approx(2 * 4 * (1 + 2 + 3), rel=1e-5)
    # A border is one as well: without a face, its outline counts once.
    corners = solid.vertices[np.unique(solid.faces[-2:])]
    without = shapes.cad_shape(Mesh(solid.vertices, solid.faces[:-2]))
    assert length(whole) - length(without) == pytest.approx(2 * np.ptp(corners, axis=0).sum(), rel=1e-5)


def test_a_plane_goes_on_where_triangles_of_other_sizes_meet():
    """A T-junction: one long side on the left, two short ones on the right."""
    vertices = np.array([[0, 0, 0], [0, 2, 0], [-2, 1, 0], [0, 1, 0], [2, 0, 0], [2, 2, 0]], float)
    faces = np.array([[0, 1, 2], [0, 3, 4], [3, 5, 4], [3, 1, 5]])
    outline = 2 * np.sqrt(5) + 2 + 2 + 2
    assert length(shapes.cad_shape(Mesh(vertices, faces))) == pytest.approx(outline, rel=1e-5)


@pytest.mark.parametrize(("degrees", "creases"), [(20, 0), (40, 2), (90, 2), (150, 2)])
def test_a_crease_turns_by_more_than_thirty_degrees(degrees, creases):
    angle = np.radians(degrees)
    far = [np.cos(angle), 0, np.sin(angle)]
    vertices = np.array([[0, 0, 0], [0, 1, 0], [-1, 0, 0], [-1, 1, 0], far, np.add(far, [0, 1, 0])])
    faces = np.array([[0, 1, 2], [1, 3, 2], [0, 4, 1], [1, 4, 5]])
    found = length(shapes.cad_shape(Mesh(vertices, faces)))
    assert found == pytest.approx(6 + creases, rel=1e-5)  # the border, and the middle once a face


def test_distances_to_segments():
    points = np.array([[0.5, 1, 0], [3, 0, 0], [0, 0, -2]], float)
    segments = np.array([[[0, 0, 0], [1, 0, 0]]], float)
    np.testing.assert_allclose(shapes.segment_distance(points, segments), [1, 2, 2], atol=1e-7)
    assert np.isinf(shapes.segment_distance(points, segments[:0])).all()
