"""Surface variation and fractions of importance against what geometry says."""

import numpy as np
import pytest

from tfxai3d.errors import UserError
from tfxai3d.evaluate import importance_fraction, surface_variation


def test_a_plane_has_none_an_edge_some_and_a_corner_more():
    line = np.linspace(0, 1, 21)
    across, along = np.meshgrid(line, line)
    flat = np.zeros_like(across)
    faces = [(across, along, flat), (across, flat, along), (flat, across, along)]
    cube = np.concatenate([np.stack(face, axis=-1).reshape(-1, 3) for face in faces])
    variation = surface_variation(cube, 12)

    def at(*place):
        return variation[np.argmin(np.linalg.norm(cube - place, axis=1))]

    assert at(0.5, 0.5, 0) == pytest.approx(0, abs=1e-12)
    assert at(0.5, 0, 0) > 0.03
    assert at(0, 0, 0) > at(0.5, 0, 0)


def test_it_is_the_smallest_eigenvalue_of_the_neighbours_covariance():
    points = np.random.default_rng(0).normal(size=(40, 3))
    found = surface_variation(points, 7)
    for i, point in enumerate(points):
        near = points[np.argsort(np.linalg.norm(points - point, axis=1))[:7]]
        values = np.linalg.eigvalsh(np.cov(near.T))
        assert found[i] == pytest.approx(values[0] / values.sum())
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    np.testing.assert_allclose(surface_variation(5 * points @ turn + 2, 7), found, rtol=1e-6)
    assert found.min() >= 0
    assert found.max() <= 1 / 3


def test_points_in_one_place_have_none_and_too_few_are_named():
    assert not surface_variation(np.ones((9, 3)), 4).any()
    with pytest.raises(UserError, match="3 to the number of points, 9"):
        surface_variation(np.ones((9, 3)), 10)


def test_fractions():
    importance = np.array([[1.0, -3.0, 0.0, 4.0], [0, 0, 0, 0]])
    fraction = importance_fraction(importance, np.array([[True, True, False, False]] * 2))
    assert fraction[0] == pytest.approx(0.5)
    assert np.isnan(fraction[1])
    grid = np.ones((1, 2, 2, 2), np.float32)
    assert importance_fraction(grid, np.arange(8).reshape(1, 2, 2, 2) < 2) == pytest.approx(0.25)
