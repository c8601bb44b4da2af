"""Creases, corners and the labels of points, against brute force."""

import numpy as np
import pytest

from tests.reference.shapes import areas, cube
from tfxai3d.data.shapes import (
    CORNER,
    EDGE,
    FEATURE_TOLERANCE,
    FLAT,
    SHAPE_CLASSES,
    LabelledCloud,
    make_shape,
    sample_shape,
    sampling,
    solids,
)
from tfxai3d.data.shapes import mesh as meshes


def distance_to_segment(point, start, end) -> float:
    share = np.dot(point - start, end - start) / np.dot(end - start, end - start)
    return float(np.linalg.norm(point - start - np.clip(share, 0, 1) * (end - start)))


# --- creases and corners ---------------------------------------------------------------------------------


def test_a_cube_has_twelve_edges_and_eight_corners():
    mesh = cube()
    assert mesh.edges.shape == (12, 2, 3)
    assert np.allclose(np.linalg.norm(mesh.edges[:, 0] - mesh.edges[:, 1], axis=1), 1)
    assert len(np.unique(mesh.corners, axis=0)) == 8


def test_a_cylinder_has_two_rims_and_no_corner():
    mesh = meshes.assemble([("body", solids.revolve([(1, 0), (1, 2)], segments=32))])
    assert mesh.edges.shape == (64, 2, 3)
    assert np.isin(mesh.edges[..., 1], (0, 2)).all()
    assert len(mesh.corners) == 0


def test_a_cone_has_a_rim_and_a_tip():
    mesh = meshes.assemble([("body", solids.revolve([(1, 0), (0, 2)]))])
    assert len(mesh.edges) == 32
    assert np.array_equal(mesh.corners, [[0, 2, 0]])


def test_a_ball_is_smooth():
    angle = np.linspace(-np.pi / 2, np.pi / 2, 17)[1:-1]
    profile = [(0, -1), *np.stack([np.cos(angle), np.sin(angle)], axis=-1), (0, 1)]
    mesh = meshes.assemble([("body", solids.revolve(profile))])
    assert len(mesh.edges) == len(mesh.corners) == 0
    assert set(sample_shape(mesh, 500, 0).features) == {FLAT}


@pytest.mark.parametrize("seed", range(10))
def test_round_shapes_have_no_spurious_corners(seed):
    assert len(make_shape("bowl", seed).corners) == 0
    assert len(make_shape("vase", seed).corners) == 0


# --- clouds ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHAPE_CLASSES)
def test_clouds_are_normalised_and_labelled(name):
    cloud = sample_shape(make_shape(name, 1), 1024, 2)
    assert isinstance(cloud, LabelledCloud)
    assert cloud.points.shape == (1024, 3)
    assert cloud.points.dtype == np.float32
    assert np.abs(cloud.points.mean(axis=0)).max() < 1e-6
    assert np.linalg.norm(cloud.points, axis=1).max() == pytest.approx(1, abs=1e-6)
    assert cloud.parts.shape == cloud.features.shape == (1024,)
    assert cloud.features.dtype == np.int8
    assert set(cloud.features) <= {FLAT, EDGE, CORNER}
    assert cloud.parts.max() < len(cloud.part_names)


@pytest.mark.parametrize("name", SHAPE_CLASSES)
def test_points_lie_on_the_surface(name):
    mesh = make_shape(name, 3)
    points, faces = sampling.surface_points(mesh, 50, np.random.default_rng(0))
    triangles = mesh.vertices[mesh.faces].astype(float)
    for point, face in zip(points, faces, strict=True):
        offset, u, v = point - triangles[:, 0], *np.moveaxis(triangles[:, 1:] - triangles[:, :1], 1, 0)
        normal = np.cross(u, v)
        square = (normal**2).sum(axis=1)
        a = (np.cross(offset, v) * normal).sum(axis=1) / square
        b = (np.cross(u, offset) * normal).sum(axis=1) / square
        inside = (a > -1e-9) & (b > -1e-9) & (a + b < 1 + 1e-9)
        distance = np.where(inside, np.abs((offset * normal).sum(axis=1)) / np.sqrt(square), np.inf)
        assert distance.min() < 1e-5
        assert distance[face] < 1e-5


@pytest.mark.parametrize("name", ["chair", "airplane", "cup", "desk"])
def test_sampling_is_uniform_by_area(name):
    mesh, count = make_shape(name, 5), 20_000
    _, faces = sampling.surface_points(mesh, count, np.random.default_rng(1))
    area = np.bincount(mesh.face_parts, areas(mesh))
    expected = count * area / area.sum()
    seen = np.bincount(mesh.face_parts[faces], minlength=len(area))
    chi_square, freedom = ((seen - expected) ** 2 / expected).sum(), len(area) - 1
    assert chi_square < freedom + 5 * np.sqrt(2 * freedom)


def test_sampling_is_uniform_within_a_face():
    points, _ = sampling.surface_points(cube(), 30_000, np.random.default_rng(0))
    top = points[points[:, 1] == 1][:, [0, 2]]
    counts, _, _ = np.histogram2d(*top.T, bins=4, range=[[0, 1], [0, 1]])
    expected = len(top) / 16
    assert ((counts - expected) ** 2 / expected).sum() < 15 + 5 * np.sqrt(30)


@pytest.mark.parametrize("name", ["chair", "airplane", "lamp", "cone", "cup", "tent"])
def test_features_equal_brute_force(name):
    mesh = make_shape(name, 4)
    cloud = sample_shape(mesh, 150, 6)
    raw, _ = sampling.surface_points(mesh, 150, np.random.default_rng(6))
    centre = raw.mean(axis=0)
    radius = np.linalg.norm(raw - centre, axis=1).max()
    for point, feature in zip(raw, cloud.features, strict=True):
        edge = min(distance_to_segment(point, *segment) for segment in mesh.edges.astype(float)) / radius
        corner = min((np.linalg.norm(point - c) for c in mesh.corners), default=np.inf) / radius
        expected = CORNER if corner < FEATURE_TOLERANCE else EDGE if edge < FEATURE_TOLERANCE else FLAT
        doubtful = min(abs(edge - FEATURE_TOLERANCE), abs(corner - FEATURE_TOLERANCE)) < 1e-7
        assert feature == expected or doubtful


def test_feature_shares_of_a_cube_are_the_areas():
    cloud = sample_shape(cube(), 60_000, 0)
    raw, _ = sampling.surface_points(cube(), 60_000, np.random.default_rng(0))
    t = (
        FEATURE_TOLERANCE * np.linalg.norm(raw - raw.mean(axis=0), axis=1).max()
    )  # in units of the cube's side
    corner, flat = np.pi * t**2, (1 - 2 * t) ** 2  # of one face: four quarter discs, the inner square
    for feature, share in ((CORNER, corner), (FLAT, flat), (EDGE, 1 - corner - flat)):
        assert np.mean(cloud.features == feature) == pytest.approx(share, abs=4 * np.sqrt(share / 60_000))
