"""Arrays of zeros come back with every bit."""

import numpy as np
import pytest

from tfxai3d.storage.sparse_arrays import pack, unpack

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("density", [0.0, 0.05, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(3, 5, 7), (11,), (0, 4), ()])
def test_every_bit_comes_back(density, shape):
    value = np.where(RNG.random(shape) < density, RNG.normal(size=shape), 0).astype("float32")
    if value.size > 2:
        value.flat[:2] = -0.0, np.nan
    stored = pack("a", value)
    again = unpack(stored, "a", shape)
    assert (again.dtype, again.shape) == (value.dtype, value.shape)
    assert again.tobytes() == value.tobytes()
    assert sum(array.nbytes for array in stored.values()) <= value.nbytes


def test_what_does_not_fit_is_refused():
    dense, sparse = pack("a", np.ones((3, 4))), pack("a", np.eye(40))
    for stored in (dense, sparse):
        with pytest.raises(ValueError, match="shape"):
            unpack(stored, "a", (3, 5))
        with pytest.raises(KeyError):
            unpack(stored, "b", (3, 4))
    with pytest.raises(ValueError, match=r"NumPy|assign|values"):
        unpack(sparse | {"a.values": np.ones(39)}, "a", (40, 40))
