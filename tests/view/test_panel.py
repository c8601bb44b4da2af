import dataclasses
import re

import numpy as np
import pytest

from tests.reference.pages import cells_of
from tfxai3d.errors import UserError
from tfxai3d.view import render_panel, write_panel
from tfxai3d.view.picture import process
from tfxai3d.view.shown.panel import panel

EVIL = "</script><script>document.title='HACKED'</script><img src=x>$_{"


def _methods(explanation, *names):
    """The first example, explained by several methods of very different units."""
    arrays = ("inputs", "attributions", "importance", "target", "scores")
    one = dataclasses.replace(explanation, **{name: getattr(explanation, name)[:1] for name in arrays})
    return [
        dataclasses.replace(one, method=name, importance=one.importance * np.float32(1000.0**i))
        for i, name in enumerate(names)
    ]


@pytest.fixture
def rows(explanation, voxels):
    names = ("vanilla_gradient", "integrated_gradients")
    return [_methods(explanation, *names), _methods(voxels, *names)]


def test_rows_columns_and_one_scale_a_row(rows):
    shown = panel(rows, ["chair_0", "table_0"], "magma_r")
    assert shown.columns == ["points", "vanilla gradient", "integrated gradients"]
    assert [row.name for row in shown.rows] == ["chair_0", "table_0"]
    assert shown.rows[1].caption == "table (score 9.25)"
    for row in shown.rows:
        assert row.limits == (0.0, 1.0)
        assert row.beyond == (False, True)
        assert [len(marks.centres) for marks in row.marks] == [len(colors) for colors in row.colors]
        np.testing.assert_allclose(row.colors[1], row.colors[2])  # units do not matter
        assert len(np.unique(row.colors[0], axis=0)) == 1
    itself, vanilla, _ = shown.rows[1].marks
    assert len(itself.centres) < len(vanilla.centres)  # empty space is no part of the object
    assert np.ptp(itself.sizes) == 0


def test_negative_importance_widens_the_scale(explanation):
    row = _methods(explanation, "point_saliency", "vanilla_gradient")
    row[0] = dataclasses.replace(row[0], importance=row[0].importance - 0.1)
    (shown,) = panel([row], None, "magma_r").rows
    assert shown.limits[0] < 0 < shown.limits[1] == 1.0


def test_the_picture_has_every_cell(tmp_path, rows, monkeypatch, capfd):
    imread = pytest.importorskip("matplotlib.image").imread
    monkeypatch.setattr(process, "find_spec", lambda name: None)  # the others draw with Open3D
    render_panel(tmp_path / "panel.png", rows, ["$x", "b"])
    assert "drawing with matplotlib instead" in capfd.readouterr().err
    image = imread(tmp_path / "panel.png")[..., :3]
    cells = image[60:, : round(image.shape[1] * (3 * 2.75 + 0.15) / (3 * 2.75 + 1.15))]
    for part in np.array_split(cells, 2):
        itself, *methods = np.array_split(part, 3, axis=1)
        assert ((itself < 0.95).all(axis=-1)).mean() > 0.03
        assert (np.ptp(itself, axis=-1) > 0.2).mean() < 1e-3
        for cell in methods:
            assert (np.ptp(cell, axis=-1) > 0.2).mean() > 0.03


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


def test_refuses_what_is_no_table(tmp_path, rows, explanation):
    chair, table = rows
    other = dataclasses.replace(chair[1], inputs=chair[1].inputs + 1)
    wrong = {
        "no rows": [],
        "no columns": [[]],
        "methods": [chair, table[:1]],
        "this order": [chair, table[::-1]],
        "different objects": [[chair[0], other]],
        "one example": [[explanation]],
    }
    for message, bad in wrong.items():
        for write in (render_panel, write_panel):
            with pytest.raises(UserError, match=message):
                write(tmp_path / "panel.any", bad)
    with pytest.raises(UserError, match="1 names for 2 rows"):
        write_panel(tmp_path / "panel.html", rows, ["a"])
    assert not list(tmp_path.iterdir())
