import dataclasses
import re

import numpy as np

from tests.reference.pages import EVIL, cells_of
from tfxai3d.view import (
    write_panel,
)
from tfxai3d.view.shown.panel import panel


def _page(path, rows, names=None):
    write_panel(path, rows, names)
    return path.read_text(encoding="utf-8")


def test_the_page_holds_the_cells_and_fetches_nothing(tmp_path, rows):
    page = _page(tmp_path / "panel.html", rows, ["a", "b"])
    assert page.startswith("<!DOCTYPE html>")
    assert "default-src 'none'" in page
    assert not re.search(r"(?:src|href)\s*=\s*[\"']", page.split("<body>")[1])
    cells = cells_of(page)
    assert page.count("<canvas data-cell") == len(cells) == 6
    shown = panel(rows, None, "magma_r")
    for cell, marks in zip(cells, [marks for row in shown.rows for marks in row.marks], strict=True):
        np.testing.assert_allclose(cell["centres"], marks.centres, atol=1e-6)
        assert np.linalg.norm(cell["centres"] - cell["middle"], axis=1).max() < 1.001 * cell["reach"]
        assert len(cell["colors"]) == cell["count"] == len(marks.sizes)
    tops = [cell.get("top") for cell in cells]
    assert tops == [None, *shown.rows[0].tops, None, *shown.rows[1].tops]


def test_the_page_escapes_every_name(tmp_path, rows):
    evil = [
        [dataclasses.replace(e, class_names=(EVIL, EVIL), method=EVIL + e.method) for e in row]
        for row in rows
    ]
    page = _page(tmp_path / "panel.html", evil, [EVIL, EVIL])
    plain = _page(tmp_path / "plain.html", rows, ["a", "b"])
    assert EVIL not in page
    assert page.count("<script") == plain.count("<script")
    assert "<img" not in page
    assert "&lt;script&gt;document" in page


def test_chromium_draws_every_cell(tmp_path, rows, browser):
    _page(tmp_path / "panel.html", rows, ["a", EVIL])
    browser.open((tmp_path / "panel.html").as_uri())
    assert browser.said == []
    assert browser.fetched == [(tmp_path / "panel.html").as_uri()]
    image = browser.picture(tmp_path / "page.png")[100:600, :770]
    for part in np.array_split(image, 2):
        itself, *methods = np.array_split(part, 3, axis=1)
        assert (np.all(itself < 0.93, axis=-1) & (np.ptp(itself, axis=-1) < 0.15)).mean() > 0.03
        for cell in methods:
            assert (np.ptp(cell, axis=-1) > 0.2).mean() > 0.02
