"""Distances against a search through all pairs of voxels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfxai3d.data import distance_field, truncated_distance_field
from tfxai3d.errors import UserError


def searched(grid):
    """The same by comparing each voxel with all others."""
    places = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1).reshape(-1, 3)
    inside = grid.reshape(-1) > 0.5
    distance = np.linalg.norm(places[:, None] - places[None], axis=-1)
    distance[inside[:, None] == inside[None]] = np.inf  # only the other side counts
    nearest = distance.min(axis=1)
    return np.where(inside, nearest - 0.5, 0.5 - nearest).reshape(grid.shape)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.sampled_from([1.0, 2.5, 9.0]))
def test_distances_are_those_of_a_search(seed, filled, truncation):
    grids = (np.random.default_rng(seed).random((2, 4, 5, 6, 1)) < filled).astype(np.uint8)
    fields = distance_field(grids)
    assert fields.dtype == np.float32
    expected = np.stack([searched(grid[..., 0])[..., None] for grid in grids])
    np.testing.assert_allclose(fields, expected, rtol=1e-6)
    np.testing.assert_array_equal(distance_field(grids[0, ..., 0]), fields[0, ..., 0])
    scaled = truncated_distance_field(grids, truncation)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, (np.clip(expected / truncation, -1, 1) + 1) / 2, rtol=1e-6)


def test_a_ball():
    places = np.stack(np.meshgrid(*[np.arange(21) - 10] * 3, indexing="ij"), axis=-1)
    radius = np.linalg.norm(places, axis=-1)
    field = distance_field(radius <= 6)
    assert np.abs(field - (6.5 - radius)).max() < 1
    assert field[10, 10, 10] == pytest.approx(6.5, abs=1)


def test_an_empty_grid_is_far_outside_everywhere():
    np.testing.assert_array_equal(truncated_distance_field(np.zeros((3, 3, 3))), 0)
    np.testing.assert_array_equal(truncated_distance_field(np.ones((3, 3, 3))), 1)
    assert distance_field(np.zeros((0, 3, 3, 3, 1))).shape == (0, 3, 3, 3, 1)


def test_what_has_no_distances():
    with pytest.raises(UserError, match=r"not of \(2, 3, 3, 3, 2\)"):
        distance_field(np.zeros((2, 3, 3, 3, 2)))
    with pytest.raises(UserError, match="truncation=0: must be above 0"):
        truncated_distance_field(np.zeros((3, 3, 3)), 0)
