import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from tfxai3d.errors import UserError
from tfxai3d.view import render_bars, render_curves, write_drop_page

STEPS = np.array(
    [(40, 1, 0.9), (30, 1, 0.6), (20, 0, 0.3)], [("points", "i4"), ("predicted", "i4"), ("confidence", "f4")]
)
POINTS = np.random.default_rng(0).uniform(-1, 1, (40, 3)) * [3, 1, 1] + 5
DROPPED_AT = np.repeat([0, 1, -1, -1], 10)
CURVES = {
    "highest": {"points": np.array([40, 30, 20]), "accuracy": np.array([1, 0.7, 0.2])},
    "random & <co>": {"points": np.array([40, 20]), "accuracy": np.array([1, 0.9])},
}


def write(path, **changes):
    arguments = {
        "points": POINTS,
        "dropped_at": DROPPED_AT,
        "steps": STEPS,
        "label": 1,
        "title": "a <b>chair</b>",
        "class_names": ("</script><script>alert(1)", "chair"),
    }
    write_drop_page(path, **arguments | changes)
    return path.read_text(encoding="utf-8")


def test_the_page_holds_the_run(tmp_path):
    page = write(tmp_path / "run.html")
    run = json.loads(re.search(r"const run = (.*);\n", page).group(1))
    cloud = np.array(run["cloud"])
    assert np.linalg.norm(cloud, axis=1).max() == pytest.approx(1, abs=1e-3)
    scale = np.ptp(POINTS, axis=0) / np.ptp(cloud, axis=0)
    np.testing.assert_allclose(scale, scale[0], rtol=1e-3)
    assert run["goes"] == DROPPED_AT.tolist()
    assert run["points"] == [40, 30, 20]
    assert run["confidence"] == [0.9, 0.6, 0.3]
    assert run["label"] == run["seen"][0] == "chair"


def test_the_page_is_self_contained_and_escapes_names(tmp_path):
    page = write(tmp_path / "run.html")
    assert page.count("<script>") == page.count("</script>") == 1
    assert "a &lt;b&gt;chair" in page
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)=|https?:", page)
    assert '"seen":["1","1","0"]' in write(tmp_path / "run.html", class_names=None)


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


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
def test_chromium_shows_ghosts_and_the_chosen_step(tmp_path):
    image = pytest.importorskip("matplotlib.image")
    write(tmp_path / "run.html")
    command = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--virtual-time-budget=2000",
        f"--user-data-dir={tmp_path / 'profile'}", "--window-size=800,700",
    ]  # fmt: skip
    page, shot = (tmp_path / "run.html").as_uri() + "#1", tmp_path / "page.png"
    subprocess.run([*command, f"--screenshot={shot}", page], capture_output=True, timeout=120, check=True)
    pixels = image.imread(shot)[130:520, :, :3]
    red, _, blue = np.moveaxis(pixels, -1, 0)
    orange, navy = (red > 0.8) & (blue < 0.3), (blue > red + 0.2)
    ghosts = (np.ptp(pixels, axis=-1) < 0.02) & (red < 0.95) & (red > 0.5)
    assert min(orange.sum(), navy.sum(), ghosts.sum()) > 100
    dom = subprocess.run([*command, "--dump-dom", page], capture_output=True, timeout=120, check=True).stdout
    assert b"step 1 of 2: 30 of 40 points, seen as chair, confidence in chair 0.600" in dom


@pytest.mark.parametrize("suffix", ["png", "svg"])
@pytest.mark.parametrize("x", ["points", "points_removed"])
def test_curves(tmp_path, suffix, x):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"curves.{suffix}"
    render_curves(path, CURVES, "accuracy", x, "some $title")
    render_curves(path, {f"object {i}": CURVES["highest"] for i in range(12)}, "accuracy")
    assert path.read_bytes().startswith({"png": b"\x89PNG", "svg": b"<?xml"}[suffix])


def test_curves_are_drawn_where_they_belong(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    from tfxai3d.view.plot import curves

    drawn = []
    monkeypatch.setattr(curves, "_save", lambda figure, path: drawn.append(figure.axes[0]))
    render_curves(tmp_path / "a.png", CURVES, "accuracy")
    assert [line.get_label() for line in drawn[0].lines] == list(CURVES)
    np.testing.assert_array_equal(drawn[0].lines[0].get_xdata(), [0, 10, 20])
    render_bars(tmp_path / "b.png", ["chair", "cup"], [3.0, 5.0], "seconds")
    assert [bar.get_height() for bar in drawn[1].patches] == [3, 5]
    assert drawn[1].lines[0].get_ydata()[0] == 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda path: render_curves(path / "a.gif", CURVES, "accuracy"), r"\.png or \.svg"),
        (lambda path: render_curves(path / "a.png", {}, "accuracy"), "no curves"),
        (lambda path: render_curves(path / "a.png", CURVES, "warmth"), "'highest' has no column 'warmth'"),
        (lambda path: render_bars(path / "a.png", [], [], "seconds"), "no bars"),
    ],
)
def test_mistakes_leave_no_picture(tmp_path, call, message):
    pytest.importorskip("matplotlib")
    with pytest.raises(UserError, match=message):
        call(tmp_path)
    assert not list(tmp_path.iterdir())
