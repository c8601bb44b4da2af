import subprocess
import sys

import numpy as np
import pytest

from tfxai3d.errors import UserError
from tfxai3d.results.visualization import Visualization


def _some():
    rng = np.random.default_rng(0)
    return Visualization(
        inputs=rng.random((2, 5, 3), np.float32),
        importance=rng.random((2, 5), np.float32),
        activations=np.array([1.5, 2.0], np.float32),
        channels=np.array([3, 0]),
        names=("chair", "çup"),
        method="patterns",
        options={"radius": 0.2, "active": [0.5, 0.25]},
        kind="points",
    )


def test_what_is_saved_comes_back(tmp_path):
    _some().save(tmp_path / "v.npz")
    again = Visualization.load(tmp_path / "v.npz")
    for name, value in vars(_some()).items():
        np.testing.assert_array_equal(getattr(again, name), value)
    assert again.names == ("chair", "çup")
    assert len(again) == 2


def test_what_is_none_is_one_line(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        Visualization.load(tmp_path / "none.npz")
    _some().save(tmp_path / "v.npz")
    whole = (tmp_path / "v.npz").read_bytes()
    for number, content in enumerate((b"", b"PK", whole[:-40], whole[:200])):
        path = tmp_path / f"{number}.npz"
        path.write_bytes(content)
        with pytest.raises(UserError, match="not a file written by"):
            Visualization.load(path)


def test_reading_loads_no_tensorflow():
    code = "import sys; from tfxai3d.features import Visualization; print('tensorflow' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
