import dataclasses
import importlib.util
import os
import re
import sys

import numpy as np
import pytest

from tfxai3d.errors import UserError
from tfxai3d.view import open_window, render_png
from tfxai3d.view.picture import process, scenes
from tfxai3d.view.shown import camera, marks

pytest.importorskip("matplotlib")
needs_open3d = pytest.mark.skipif(importlib.util.find_spec("open3d") is None, reason="needs Open3D")


def _pixels(path):
    from matplotlib.image import imread

    return np.round(imread(path)[..., :3] * 255).astype(int)


def _assert_shows_a_heat_cloud(pixels):
    cloud = pixels[:, : int(0.88 * pixels.shape[1])]  # without the colour bar
    white = (cloud == 255).all(axis=-1)
    saturated = np.ptp(cloud, axis=-1) > 60
    assert 0.3 < white.mean() < 0.99
    assert saturated.mean() > 0.01
    assert len(np.unique(cloud[saturated], axis=0)) > 30
    left, right = np.array_split(saturated, 2, axis=1)
    assert min(left.sum(), right.sum()) > 500


def _no_open3d(*arguments):
    raise process.DrawingError("Open3D crashed (signal 11)")


@needs_open3d
def test_open3d_picture(tmp_path, explanation, capfd):
    render_png(tmp_path / "heat.png", explanation)
    _assert_shows_a_heat_cloud(_pixels(tmp_path / "heat.png"))
    if "matplotlib instead" in capfd.readouterr().err:
        pytest.skip("Open3D cannot draw on this machine")


@pytest.mark.parametrize("colormap", ["magma_r", "viridis", "green_red"])
def test_matplotlib_picture(tmp_path, explanation, monkeypatch, capfd, colormap):
    monkeypatch.setattr(process, "render", _no_open3d)
    render_png(tmp_path / "heat.png", explanation, 1, colormap)
    _assert_shows_a_heat_cloud(_pixels(tmp_path / "heat.png"))
    assert capfd.readouterr().err == (
        "tfxai3d: Open3D crashed (signal 11); drawing with matplotlib instead\n"
    )


@needs_open3d
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import os; os.abort()", "crashed|failed with exit code"),
        ("import sys; sys.exit('no EGL here')", "exit code 1 .no EGL here"),
        ("pass", "left no picture"),
        ("import time; time.sleep(60)", "did not answer"),
    ],
)
def test_a_dying_child_is_one_line_and_a_picture(tmp_path, explanation, monkeypatch, capfd, code, message):
    run = process.subprocess.run

    def die(command, **options):
        return run([sys.executable, "-c", code], **options)

    monkeypatch.setattr(process.subprocess, "run", die)
    monkeypatch.setattr(process, "_TIMEOUT", 1.5)
    render_png(tmp_path / "heat.png", explanation)
    error = capfd.readouterr().err
    assert len(error.splitlines()) == 1
    assert re.search(message, error)
    _assert_shows_a_heat_cloud(_pixels(tmp_path / "heat.png"))


def test_without_open3d_the_line_names_the_extra(tmp_path, explanation, monkeypatch, capfd):
    monkeypatch.setattr(process, "find_spec", lambda name: None)
    render_png(tmp_path / "heat.png", explanation)
    assert "pip install 'tfxai3d[view]'" in capfd.readouterr().err
    with pytest.raises(UserError, match="tfxai3d\\[view\\]"):
        open_window(explanation)


@needs_open3d
@pytest.mark.skipif(sys.platform != "linux", reason="other systems have a display")
def test_window_without_display(explanation, monkeypatch):
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    for display in ("", ":987"):
        monkeypatch.setitem(os.environ, "DISPLAY", display)
        with pytest.raises(UserError, match="no display"):
            open_window(explanation)


def test_titles_are_no_formulas(tmp_path, explanation, monkeypatch):
    monkeypatch.setattr(process, "render", _no_open3d)
    odd = dataclasses.replace(explanation, class_names=("$\\frac$", "$x_{$\n<b>"), method="$_{$")
    render_png(tmp_path / "heat.png", odd)
    assert (tmp_path / "heat.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "voxels"},  # of points
        {"inputs": np.full((2, 256, 3), np.nan, np.float32)},
        {"importance": np.full((2, 256), np.nan, np.float32)},
        {"inputs": np.zeros((2, 0, 3), np.float32)},
    ],
)
def test_refuses_what_cannot_be_drawn(tmp_path, explanation, change):
    with pytest.raises(UserError):
        render_png(tmp_path / "heat.png", dataclasses.replace(explanation, **change))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("index", [-1, 2])
def test_index_out_of_range(tmp_path, explanation, index):
    with pytest.raises(UserError, match="examples 0 to 1"):
        render_png(tmp_path / "heat.png", explanation, index)


def _all_around(points):
    found = marks.point_marks(points, np.zeros(len(points)))
    return scenes.scenes([found], [np.zeros_like(points)], camera.AZIMUTHS)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("count", [1, 2, 500])
def test_the_camera_sees_every_ball(scale, count):
    rng = np.random.default_rng(0)
    slope = np.tan(np.radians(camera.FIELD_OF_VIEW / 2))
    for scene in _all_around(scale * (rng.normal(size=(count, 3)) * [3, 1, 0.2] + 10)):
        centres, radius = scene.centres, scene.sizes[:, None]
        assert (np.abs(centres[:, :2]) + radius < -slope * centres[:, 2:]).all()


def test_y_is_up_and_z_comes_nearer_in_the_first_view():
    cross = np.array([[0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1.0], [1, 0, 0], [-1, 0, 0]])
    front, back = (scene.centres for scene in _all_around(cross))
    for view in (front, back):
        assert view[0, 1] > view[1, 1]
        assert view[0, 0] == pytest.approx(view[1, 0])
    assert front[2, 2] > front[3, 2]
    assert back[2, 2] < back[3, 2]
    assert front[4, 0] > front[5, 0]


def _drawn(path):
    image = pytest.importorskip("matplotlib.image").imread(path)[..., :3]
    body = image[120:, : int(0.88 * image.shape[1])]  # without the title and the colour bar
    return body, np.ptp(body, axis=-1) > 0.2


@pytest.mark.parametrize("open3d", [True, False])
def test_picture_of_voxels(tmp_path, voxels, monkeypatch, capfd, open3d):
    if not open3d:
        monkeypatch.setattr(process, "find_spec", lambda name: None)
    render_png(tmp_path / "heat.png", voxels)
    body, coloured = _drawn(tmp_path / "heat.png")
    assert 0.3 < (body > 0.99).all(axis=-1).mean() < 0.95
    assert coloured.mean() > 0.05
    assert len(np.unique(np.round(body[coloured] * 64), axis=0)) > 50
    assert ("matplotlib instead" in capfd.readouterr().err) or open3d


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": np.zeros((1, 16, 16, 16, 1), np.float32)},
        {"inputs": np.full((1, 16, 16, 16, 1), np.nan, np.float32)},
        {"importance": np.full((1, 16, 16, 16), np.nan, np.float32)},
        {"importance": np.zeros((1, 16, 16, 8), np.float32)},
        {"kind": "points"},
    ],
)
def test_refuses_voxels_that_cannot_be_drawn(tmp_path, voxels, change):
    with pytest.raises(UserError):
        render_png(tmp_path / "heat.png", dataclasses.replace(voxels, **change))
    assert not list(tmp_path.iterdir())
