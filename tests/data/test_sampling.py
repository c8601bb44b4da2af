"""Surface sampling and normalisation."""

import numpy as np
import pytest

from tfxai3d.data.sampling import face_areas, normalize, sample_surface
from tfxai3d.errors import UserError

VERTICES = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [3, 0, 1], [0, 4, 2]], np.float32)
FACES = np.array([[0, 1, 2], [0, 1, 1], [0, 3, 4], [1, 3, 4]], np.int32)  # the second has no area


def chi_square(counts: np.ndarray, expected: np.ndarray) -> float:
    return float(((counts - expected) ** 2 / expected).sum())


def test_face_areas_equal_the_exact_ones() -> None:
    vertices = np.array([[0, 0, 0], [3, 0, 0], [0, 4, 0], [0, 0, 2]], np.float32)
    np.testing.assert_allclose(face_areas(vertices, np.array([[0, 1, 2], [0, 1, 3], [1, 1, 2]])), [6, 3, 0])


def test_faces_are_drawn_in_proportion_to_area() -> None:
    areas = face_areas(VERTICES, FACES)
    _, index = sample_surface(VERTICES, FACES, 60_000, seed=1)
    counts = np.bincount(index, minlength=len(FACES))
    assert counts[1] == 0
    solid = areas > 0
    assert chi_square(counts[solid], 60_000 * areas[solid] / areas.sum()) < 13.8  # 2 degrees, p = 0.001


def test_points_are_uniform_within_a_face() -> None:
    points, _ = sample_surface(VERTICES, FACES[:1], 64_000, seed=2)
    assert (points[:, :2].sum(axis=1) <= 1 + 1e-6).all()
    # 8 x 8 cells of the unit square: those wholly inside the triangle are equally likely, 1/32 each.
    cells = np.minimum((points[:, :2] * 8).astype(int), 7)
    counts = np.zeros((8, 8))
    np.add.at(counts, (cells[:, 0], cells[:, 1]), 1)
    inside = np.add.outer(np.arange(8), np.arange(8)) < 7
    assert inside.sum() == 28
    assert chi_square(counts[inside], np.full(28, 2_000.0)) < 56.9  # 28 degrees, p = 0.001


def test_points_lie_on_their_faces() -> None:
    points, index = sample_surface(VERTICES, FACES, 500, seed=3)
    a, b, c = np.moveaxis(VERTICES.astype(np.float64)[FACES[index]], 1, 0)
    parts = [np.cross(q - p, points - p) for p, q in ((a, b), (b, c), (c, a))]
    areas = 0.5 * sum(np.linalg.norm(part, axis=1) for part in parts)
    np.testing.assert_allclose(areas, face_areas(VERTICES, FACES)[index], rtol=1e-5)
    assert points.dtype == np.float32
    assert points.shape == (500, 3)


def test_a_seed_repeats_and_another_does_not() -> None:
    first, again, other = (sample_surface(VERTICES, FACES, 50, seed)[0] for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_zero_area_is_an_error() -> None:
    with pytest.raises(UserError, match="zero surface area"):
        sample_surface(VERTICES, FACES[1:2], 10, seed=0)


@pytest.mark.parametrize("shape", [(20, 3), (4, 20, 3)])
@pytest.mark.parametrize(("scale", "shift"), [(1, 0), (1e-30, 0), (1e30, 0), (1e-2, 1e3)])
def test_normalize_centres_and_scales(shape: tuple[int, ...], scale: float, shift: float) -> None:
    points = (np.random.default_rng(0).normal(size=shape) * scale + shift).astype(np.float32)
    before = points.copy()
    result = normalize(points)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.mean(axis=-2), 0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(result, axis=-1).max(axis=-1), 1, rtol=1e-6)
    np.testing.assert_array_equal(points, before)


def test_normalize_treats_each_cloud_alone() -> None:
    points = np.random.default_rng(0).normal(size=(3, 20, 3)).astype(np.float32)
    points *= np.array([1, 10, 100], np.float32)[:, None, None]
    np.testing.assert_array_equal(normalize(points)[1], normalize(points[1]))


@pytest.mark.parametrize("shape", [(11, 3), (2, 11, 3)])
def test_normalize_refuses_identical_points(shape: tuple[int, ...]) -> None:
    points = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    points[..., -11:, :] = np.float32(0.1)
    if len(shape) == 3:
        points[0] = np.arange(33).reshape(11, 3)
    with pytest.raises(UserError, match="identical"):
        normalize(points)
