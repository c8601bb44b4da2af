import numpy as np
import pytest

from tfxai3d.errors import UserError
from tfxai3d.view import feature_gallery
from tfxai3d.view.shown.features import LEAST_FRACTION


def test_voxels_grow_with_their_share_of_the_top(visualization):
    shown = visualization("mean_surface", "voxels")
    gallery = feature_gallery(shown)
    assert [cell.title for cell in gallery.cells] == ["chair", "cup", "$x"]
    for cell, importance in zip(gallery.cells, shown.importance, strict=True):
        share = importance / importance.max()
        kept = share[share >= LEAST_FRACTION]
        np.testing.assert_allclose(cell.marks.sizes, cell.marks.sizes.max() * kept, rtol=1e-6)
        assert cell.colors[kept.argmax()].sum() == min(cell.colors.sum(axis=1))  # the top is darkest
    assert gallery.cells[0].caption == "activation 1.5"
    assert [text for text, _ in gallery.legend] == ["30%", "65%", "100%"]


def test_patterns_stand_in_their_ball(visualization):
    shown = visualization("patterns", "points")
    for cell, points in zip(feature_gallery(shown).cells, shown.inputs, strict=True):
        np.testing.assert_allclose(cell.marks.centres[: len(points)], points, rtol=1e-6)
        ball = np.linalg.norm(cell.marks.centres[len(points) :], axis=1)
        np.testing.assert_allclose(ball, 0.2)
        assert cell.marks.sizes[-1] < cell.marks.sizes[0]


def test_points_without_any_gradient_are_drawn_pale(visualization):
    shown = visualization("activation_maximization", "points", importance=np.zeros((3, 20)))
    (cell, *_) = feature_gallery(shown).cells
    assert len(np.unique(cell.colors, axis=0)) == 1
    assert cell.colors.min() > 0.5


def test_refuses_what_is_not_finite(visualization):
    broken = visualization("mean_surface", "voxels", importance=np.full((3, 4, 4, 4), np.nan))
    with pytest.raises(UserError, match="NaN"):
        feature_gallery(broken)
