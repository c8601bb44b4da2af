import dataclasses

import numpy as np
import pytest

from tfxai3d.errors import UserError
from tfxai3d.view import render_png
from tfxai3d.view.picture import process
from tfxai3d.view.shown import marks
from tfxai3d.view.shown.subject import subject


def test_the_cube_is_closed_and_looks_outwards():
    vertices, normals, triangles = marks.cube()
    a, b, c = vertices[triangles].transpose(1, 0, 2)
    turned = np.cross(b - a, c - a)
    np.testing.assert_allclose(turned / 4, normals[triangles[:, 0]])
    assert (np.einsum("tc,tc->t", turned, a) > 0).all()
    assert np.einsum("tc,tc->", turned, a) / 6 == pytest.approx(8.0)  # the volume


def test_only_visible_voxels_and_important_empty_ones_are_marked():
    occupied = np.zeros((7, 7, 7), bool)
    occupied[1:6, 1:6, 1:6] = True
    importance = np.zeros((7, 7, 7))
    importance[0, 0, 0], importance[6, 6, 6], importance[3, 3, 3] = 1.0, 0.4, 5.0
    found = marks.voxel_marks(occupied, importance, top=1.0)
    shell = 5**3 - 3**3
    assert len(found.places) == shell + 1
    assert [0, 0, 0] in found.places.tolist()
    assert [3, 3, 3] not in found.places.tolist()
    small = found.sizes < found.sizes.max()
    assert found.places[small].tolist() == [[0, 0, 0]]


def test_voxels_at_the_border_of_the_grid_are_seen():
    found = marks.voxel_marks(np.ones((3, 3, 3), bool), np.zeros((3, 3, 3)), top=1.0)
    assert len(found.places) == 26


def test_z_of_voxels_points_up_as_y_of_points():
    occupied = np.zeros((4, 4, 4), bool)
    occupied[1, 2, 0] = occupied[1, 2, 3] = occupied[3, 2, 0] = True
    found = marks.voxel_marks(occupied, np.zeros((4, 4, 4)), top=1.0)
    low, high, aside = found.centres
    np.testing.assert_array_equal(high - low, [0, 3, 0])
    np.testing.assert_array_equal(aside - low, [-2, 0, 0])


def test_marks_that_belong_together_keep_their_places():
    one = marks.point_marks(np.array([[0, 0, 0], [4, 0, 0.0]]), np.zeros(2))
    two = marks.point_marks(np.array([[2, 2, 0], [2, -2, 0.0]]), np.zeros(2))
    both = np.concatenate([some.centres for some in marks.in_unit_ball([one, two])])
    np.testing.assert_allclose(both, [[-1, 0, 0], [1, 0, 0], [0, 1, 0], [0, -1, 0]])


def test_subject_counts_what_is_in_empty_space(voxels):
    shown = subject(voxels, 0, "magma_r")
    empty = voxels.inputs[0, ..., 0] == 0
    share = voxels.importance[0][empty].sum() / voxels.importance[0].sum()
    assert f"{share:.0%} of the importance in empty space" in shown.subtitle
    assert "460 voxels" in shown.subtitle
    masked = dataclasses.replace(voxels, importance=voxels.importance * voxels.inputs[..., 0])
    assert "empty space" not in subject(masked, 0, "magma_r").subtitle


def test_a_contrast_names_both_classes(voxels):
    contrast = dataclasses.replace(voxels, against=np.array([0]))
    assert subject(contrast, 0, "magma_r").title == "table (score 9.25) rather than stool (0.50)"


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
def test_refuses_what_cannot_be_drawn(tmp_path, voxels, change):
    with pytest.raises(UserError):
        render_png(tmp_path / "heat.png", dataclasses.replace(voxels, **change))
    assert not list(tmp_path.iterdir())
