import re

import numpy as np
import pytest

from tests.reference.pages import cells_of, data_of
from tfxai3d.errors import UserError
from tfxai3d.view import write_drop_page

STEPS = np.array(
    [(40, 1, 0.9), (30, 1, 0.6), (20, 0, 0.3)], [("points", "i4"), ("predicted", "i4"), ("confidence", "f4")]
)
EVIL = "</script><script>alert(1)"
POINTS = np.random.default_rng(0).uniform(-1, 1, (40, 3)) * [3, 1, 1] + 5
DROPPED_AT = np.repeat([0, 1, -1, -1], 10)


def write(path, **changes):
    arguments = {
        "points": POINTS,
        "dropped_at": DROPPED_AT,
        "steps": STEPS,
        "label": 1,
        "title": "a <b>chair</b>",
        "class_names": (EVIL, "chair"),
    }
    write_drop_page(path, **arguments | changes)
    return path.read_text(encoding="utf-8")


def test_the_page_holds_the_run(tmp_path):
    page = write(tmp_path / "run.html")
    data, (cell,) = data_of(page), cells_of(page)
    np.testing.assert_allclose(cell["centres"], POINTS, rtol=1e-6)
    assert np.linalg.norm(cell["centres"] - cell["middle"], axis=1).max() < cell["reach"]
    assert cell["goes"].tolist() == DROPPED_AT.tolist()
    assert [step["said"] for step in data["steps"]] == [
        "step 0 of 2: 40 of 40 points, seen as chair, confidence in chair 0.900",
        "step 1 of 2: 30 of 40 points, seen as chair, confidence in chair 0.600",
        f"step 2 of 2: 20 of 40 points, seen as {EVIL}, confidence in chair 0.300",
    ]
    assert [(step["x"], step["y"]) for step in data["steps"]] == [
        ("0.00%", "10.00%"), ("50.00%", "40.00%"), ("100.00%", "70.00%"),
    ]  # fmt: skip


def test_the_page_is_self_contained_and_escapes_names(tmp_path):
    page = write(tmp_path / "run.html")
    assert page.count("<script") == page.count("</script>") == 2
    assert EVIL not in page
    assert "a &lt;b&gt;chair" in page
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)=|https?:", page)
    assert "seen as 0, confidence in 1" in write(tmp_path / "run.html", class_names=None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dropped_at": DROPPED_AT[:-1]}, "40 points, 39 iterations"),
        ({"steps": STEPS[:0]}, "0 steps"),
        ({"points": POINTS * np.nan}, "NaN"),
    ],
)
def test_bad_runs_leave_no_page(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        write(tmp_path / "run.html", **changes)
    assert not list(tmp_path.iterdir())


def _counts(browser, path):
    """Returns how many pixels of the canvas show points that go next, that stay, and ghosts."""
    box = browser.run("document.querySelector('canvas').getBoundingClientRect().toJSON()")
    pixels = browser.picture(path)[int(box["top"]) + 2 : int(box["bottom"]) - 2]
    red, _, blue = np.moveaxis(pixels, -1, 0)
    grey = (np.ptp(pixels, axis=-1) < 0.02) & (red < 0.95) & (red > 0.5)
    return np.array([((red > 0.6) & (blue < 0.4)).sum(), (blue > red + 0.2).sum(), grey.sum()])


def test_chromium_shows_ghosts_and_the_chosen_step(tmp_path, browser):
    pytest.importorskip("matplotlib")
    write(tmp_path / "run.html")
    browser.open((tmp_path / "run.html").as_uri() + "#1")
    said = "document.getElementById('said').textContent"
    assert browser.run(said) == "step 1 of 2: 30 of 40 points, seen as chair, confidence in chair 0.600"
    second = _counts(browser, tmp_path / "page.png")
    assert second.min() > 100
    browser.run("document.getElementById('step').focus()")
    browser.key("ArrowLeft")
    browser.settle()
    assert browser.run(said).startswith("step 0 of 2: 40 of 40 points")
    assert browser.run("document.getElementById('now').getAttribute('cy')") == "10.00%"
    first = _counts(browser, tmp_path / "page.png")
    assert first[2] < 0.2 * second[2]  # only rims between the colours, no ghosts yet
    assert first[1] > 1.2 * second[1]
    browser.settle()
    assert browser.run(said).startswith("step 0")  # nothing plays by itself
    browser.run("document.getElementById('play').click()")
    browser.run("new Promise(done => setTimeout(done, 1200))")
    assert browser.run(said).startswith("step 2 of 2")
    assert browser.said == []
    assert len(browser.fetched) == 1
