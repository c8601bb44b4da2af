import numpy as np
import pytest

from tfxai3d.view import (
    render_panel,
)
from tfxai3d.view.picture import process


def test_the_picture_has_every_cell(tmp_path, rows, monkeypatch, capfd):
    imread = pytest.importorskip("matplotlib.image").imread
    monkeypatch.setattr(process, "find_spec", lambda name: None)  # the others draw with Open3D
    render_panel(tmp_path / "panel.png", rows, ["$x", "b"])
    assert "drawing with matplotlib instead" in capfd.readouterr().err
    image = imread(tmp_path / "panel.png")[..., :3]
    for part in np.array_split(image[160:], 2):  # below the titles and colour bars
        itself, *methods = np.array_split(part, 3, axis=1)
        assert ((itself < 0.95).all(axis=-1)).mean() > 0.03
        assert (np.ptp(itself, axis=-1) > 0.2).mean() < 1e-3
        for cell in methods:
            assert (np.ptp(cell, axis=-1) > 0.2).mean() > 0.03
