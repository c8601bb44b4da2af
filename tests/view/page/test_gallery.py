import numpy as np
import pytest

from tests.reference.pages import EVIL, cells_of
from tfxai3d.view import (
    feature_gallery,
    filter_gallery,
    render_gallery,
    write_gallery,
)
from tfxai3d.view.picture import process


def test_the_page_holds_the_cubes_and_fetches_nothing(tmp_path, kernels):
    gallery = filter_gallery(kernels, EVIL)
    write_gallery(tmp_path / "filters.html", gallery)
    page = (tmp_path / "filters.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in page
    assert EVIL not in page
    assert "<img" not in page
    assert page.count("<script") == 2
    cells = cells_of(page)
    assert page.count("<canvas data-cell") == len(cells) == 2
    for cell, shown in zip(cells, gallery.cells, strict=True):
        assert len(cell["centres"]) == len(shown.marks.centres)
        assert np.linalg.norm(cell["centres"] - cell["middle"], axis=1).max() < 1.001 * cell["reach"]
        for place, weight in zip(cell["places"], cell["values"], strict=True):
            assert place[0] < 0 or weight == np.float32(kernels[shown.title][tuple(place)])


def test_picture_and_page_of_several_rows(tmp_path, visualization, monkeypatch):
    imread = pytest.importorskip("matplotlib.image").imread
    monkeypatch.setattr(process, "find_spec", lambda name: None)
    gallery = feature_gallery(visualization("activation_maximization", "voxels", units=5), "viridis")
    render_gallery(tmp_path / "f.png", gallery)
    write_gallery(tmp_path / "f.html", gallery)
    pixels = imread(tmp_path / "f.png")[110:, :, :3]
    drawn = [
        (np.ptp(cell, axis=-1) > 0.2).mean()
        for row in np.array_split(pixels, 2)
        for cell in np.array_split(row, 4, axis=1)
    ]
    assert min(drawn[:5]) > 0.02
    assert max(drawn[5:]) == 0
    assert (tmp_path / "f.html").read_text(encoding="utf-8").count("<canvas data-cell") == 5
