import numpy as np
import pytest

from tfxai3d.errors import UserError
from tfxai3d.view import (
    filter_gallery,
    open_gallery,
    render_gallery,
)
from tfxai3d.view.picture import process
from tfxai3d.view.shown import filters
from tfxai3d.view.shown.gallery import side_by_side


def test_the_picture_shows_both_columns(tmp_path, kernels, monkeypatch, capfd):
    imread = pytest.importorskip("matplotlib.image").imread
    monkeypatch.setattr(process, "find_spec", lambda name: None)  # others draw with Open3D
    render_gallery(tmp_path / "filters.png", filter_gallery(kernels, "conv0"))
    assert "drawing with matplotlib instead" in capfd.readouterr().err
    pixels = imread(tmp_path / "filters.png")[130:, :, :3]  # below the legend
    shares = [
        [(np.abs(part - color).max(axis=-1) < 0.25).mean() for color in (filters.POSITIVE, filters.NEGATIVE)]
        for part in np.array_split(pixels, 2, axis=1)
    ]
    assert min(map(min, shares)) > 0.003
    assert shares[0][0] > shares[1][0]  # some are cut


def test_a_window_shows_the_columns_side_by_side(kernels, monkeypatch):
    gallery = filter_gallery(kernels, "conv0")
    marks, colors = side_by_side(gallery)
    first, second = gallery.cells
    count = len(first.marks.centres)
    assert len(marks.centres) == len(colors) == count + len(second.marks.centres)
    assert marks.centres[:count, 0].max() < marks.centres[count:, 0].min()
    np.testing.assert_array_equal(marks.centres[count:, 1:], second.marks.centres[:, 1:])
    monkeypatch.setattr(process, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="view"):
        open_gallery(gallery)
