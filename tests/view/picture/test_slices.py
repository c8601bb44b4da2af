import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from tests.reference.pages import EVIL
from tests.reference.volumes import SHAPE, explained, inside
from tfxai3d.errors import UserError
from tfxai3d.view import render_panel, render_png, write_ply
from tfxai3d.view.picture import process

imread = pytest.importorskip("matplotlib.image").imread


@pytest.fixture(autouse=True)
def _no_open3d(monkeypatch):
    """Volumes are drawn by matplotlib alone."""
    monkeypatch.setattr(process, "render", lambda *arguments: pytest.fail("no marks are drawn"))


def hot(image):
    """Where an image has the colour of the top of inferno, bright yellow."""
    red, green, blue = np.moveaxis(image[..., :3], -1, 0)
    return (red > 0.8) & (green > 0.8) & (blue < 0.65) & (blue > 0.4)


def test_the_lesion_is_where_the_eye_goes(tmp_path):
    noise = np.random.default_rng(1).gamma(1, 0.01, SHAPE)
    render_png(tmp_path / "ct.png", explained(inside() + noise))
    image = imread(tmp_path / "ct.png")[..., :3]
    blobs, _ = ndimage.label(hot(image[:-130]))  # without the colour bar
    assert (np.bincount(blobs.ravel())[1:] > 100).sum() == 6  # three slices, and below them three projections


def test_no_hot_voxel_is_lost_between_pixels(tmp_path):
    """A volume of more voxels than pixels at the usual resolution."""
    values = np.random.default_rng(0).normal(size=(700, 700, 2)).astype(np.float32)
    importance = np.zeros(values.shape)
    importance[5::70, 5::70, 1] = 1  # a hundred
    render_png(tmp_path / "wide.png", explained(importance, values[..., None], None))
    assert ndimage.label(hot(imread(tmp_path / "wide.png")))[1] >= 180  # twice, but for those below the cross


def test_a_panel_has_a_bar_of_its_kind_for_each_method(tmp_path):
    signed = inside() * 1.0 - inside(lesion=(8, 20, 16))
    first, second = explained(), explained(signed, method="integrated_gradients")
    render_panel(tmp_path / "panel.png", [[first, second], [first, second]], ["$x", EVIL])
    image = imread(tmp_path / "panel.png")[..., :3]
    left, right = np.array_split(image, 2, axis=1)
    assert hot(left).sum() > 1000
    assert not hot(right).any()
    red, _, blue = np.moveaxis(right, -1, 0)
    assert (blue > red + 0.3).sum() > 500
    assert (red > blue + 0.4).sum() > 500


def test_no_importance_anywhere_and_flat_volumes_are_drawn(tmp_path):
    render_png(tmp_path / "a.png", explained(np.zeros(SHAPE)))
    shape = (30, 2, 1)
    thin = explained(np.ones(shape), np.random.default_rng(0).normal(size=(*shape, 3)), None)
    render_png(tmp_path / "b.png", thin)
    assert imread(tmp_path / "b.png").shape[0] < 3000


def test_points_have_no_panel_with_volumes(tmp_path, explanation, methods):
    points = methods(explanation, "vanilla_gradient")
    with pytest.raises(UserError, match="points and volumes have no panel in common"):
        render_panel(tmp_path / "panel.png", [points, [explained()]])
    assert not list(tmp_path.iterdir())


def test_what_is_hot_in_a_volume_is_in_its_ply_file(tmp_path):
    """No voxel of real values hides another one."""
    trimesh = pytest.importorskip("trimesh")
    write_ply(tmp_path / "ct.ply", dataclasses.replace(explained(), affine=None))
    vertices = trimesh.load(tmp_path / "ct.ply", process=False).vertices
    assert len(vertices) == 24 * inside().sum()
