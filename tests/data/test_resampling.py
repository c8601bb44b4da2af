"""A volume at another resolution is the same volume."""

import numpy as np
import pytest

from tests.reference.files import GRIDS, Put, npy
from tfxai3d.data import load_grid, load_volume, resampled
from tfxai3d.errors import UserError


@pytest.mark.parametrize("shape", [(20, 20, 20), (5, 12, 30), (10, 10, 10)])
def test_a_ramp_stays_a_ramp_and_a_constant_constant(shape: tuple[int, int, int]) -> None:
    """Voxel i of n has its centre at (i + 1/2) / n of the box."""
    centres = (np.arange(10) + 0.5) / 10
    ramp = np.broadcast_to(centres[:, None, None], (10, 10, 10))
    found = resampled(ramp, shape)
    assert (found.shape, found.dtype) == (shape, np.float32)
    expected = (np.arange(shape[0]) + 0.5) / shape[0]
    inner = (expected > 0.25) & (expected < 0.75)  # beyond the last centre there is nothing to go between
    np.testing.assert_allclose(found[inner, 0, 0], expected[inner], atol=1e-6)
    np.testing.assert_allclose(resampled(np.full((4, 5, 6, 2), 3.0), shape), 3, rtol=1e-6)


def test_a_place_stays_where_it_is_on_the_way_there_and_back() -> None:
    scan = np.zeros((40, 24, 30))
    scan[29:33, 5:8, 20:23] = 1
    back = resampled(resampled(scan, (16, 16, 16)), scan.shape)
    place = [
        np.average(np.arange(n), weights=back.sum(axis=tuple({0, 1, 2} - {axis})))
        for axis, n in enumerate(scan.shape)
    ]
    np.testing.assert_allclose(place, [30.5, 6, 21], atol=0.5)
    assert back.sum() == pytest.approx(scan.sum(), rel=0.2)


def test_files_are_resampled_as_asked(put: Put) -> None:
    path = put("a.npy", npy(GRIDS[0, 0]))
    assert load_grid(path, shape=(3, 4, 5)).shape == (3, 4, 5, 1)
    volume = load_volume(path)
    np.testing.assert_array_equal(volume.values[..., 0], GRIDS[0, 0])
    np.testing.assert_array_equal(volume.spacing, 1)
    with pytest.raises(UserError, match="holds no volume"):
        load_volume(put("b.npy", npy(np.arange(60.0).reshape(20, 3))))
