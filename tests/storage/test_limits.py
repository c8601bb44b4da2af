"""What HDF5 files declare is held against what they hold."""

import h5py
import numpy as np
import pytest

from tests.reference.harmful_npz import ABSURD
from tfxai3d.errors import UserError
from tfxai3d.storage import limits


def test_h5(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["plain"] = np.arange(10)
        file["empty"] = np.zeros((0, 3))
        file.create_dataset("zipped", data=np.zeros(10**5), compression="gzip", compression_opts=9)
        file.create_dataset("nothing", (ABSURD, 3), "f4", chunks=(100, 3))
        file.create_dataset("hollow", (10**6, 3), "f4", chunks=(100, 3))
        for name in ("plain", "empty", "zipped"):
            limits.check_h5(file[name])
        with pytest.raises(UserError, match="more than the limit"):
            limits.check_h5(file["nothing"])
        with pytest.raises(UserError, match="but holds 0"):
            limits.check_h5(file["hollow"])
