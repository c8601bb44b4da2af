"""HDF5 is read by another process, which may hang or die."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.reference.files import CLOUD, CLOUDS, Put, h5, read_cloud
from tfxai3d.data import load_grid
from tfxai3d.data.readers.reading import read
from tfxai3d.errors import UserError
from tfxai3d.storage import isolated

HOSTILE = Path(__file__).parents[2] / "files" / "hostile"


def test_a_file_that_takes_the_process_down_is_one_line() -> None:
    with pytest.raises(UserError, match=r"segfault\.h5: ends the process that reads it") as error:
        read(HOSTILE / "segfault.h5")
    assert "\n" not in str(error.value)


def test_a_file_that_hangs_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "SECONDS", 2)
    with pytest.raises(UserError, match=r"hangs\.h5: takes more than 2 s to read"):
        read(HOSTILE / "hangs.h5")


@pytest.mark.parametrize("suffix", [".las", ".laz", ".e57", ".nrrd", ".mha", ".dcm"])
def test_what_libraries_in_c_read_has_a_process_of_its_own(
    put: Put, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """Without any time there is no answer, whatever the file holds."""
    monkeypatch.setattr(isolated, "SECONDS", 0)
    with pytest.raises(UserError, match="takes more than 0 s to read"):
        read(put(f"a{suffix}", bytes(400)))


def test_the_other_process_loads_little() -> None:
    code = "import sys, tfxai3d.data.readers.h5, h5py; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"tensorflow", "keras", "scipy", "trimesh", "matplotlib"} & set(loaded.split())


def test_the_only_array_that_fits_is_taken_and_any_can_be_named(put: Put) -> None:
    path = put("a.h5", h5(**{"scans/point_cloud": CLOUD, "label": np.zeros(3)}))
    np.testing.assert_array_equal(read_cloud(path), CLOUD)
    path = put("b.h5", h5(one=CLOUDS, two=CLOUD))
    np.testing.assert_array_equal(read(path, 1, array="one").points, CLOUDS[1])  # type: ignore[union-attr]
    with pytest.raises(UserError, match=r"has no array 'three'; it holds one \(3, 12, 3\), two \(12, 3\)"):
        read(path, array="three")


def test_what_the_network_takes_tells_a_volume(put: Put) -> None:
    volume = np.random.default_rng(0).normal(size=(5, 9, 8, 7)).astype(np.float32)
    path = put("a.h5", h5(scan=volume, label=np.zeros(5)))
    np.testing.assert_array_equal(load_grid(path, 3)[..., 0], volume[3])
