import itertools

import numpy as np
import pytest

from tests.reference.volumes import AFFINE, LESION, SHAPE, body, explained, inside
from tfxai3d.errors import UserError
from tfxai3d.view import point_colors
from tfxai3d.view.shown.slices import PLANES, has_slices, sliced


def test_real_values_have_slices_and_occupancy_cubes(voxels, explanation):
    assert has_slices(explained())
    assert not has_slices(voxels)
    assert not has_slices(explanation)


def test_occupancy_with_most_of_its_heat_inside_has_slices():
    """No cube inside of a solid can be seen."""
    solid = np.zeros((9, 9, 9, 1), np.float32)
    solid[1:8, 1:8, 1:8] = 1
    inner, outer = np.zeros((2, 9, 9, 9))
    inner[4, 4, 4], outer[1, 4, 4] = 1, 1
    assert has_slices(explained(inner, solid))
    assert not has_slices(explained(outer, solid))
    assert not has_slices(explained(inner + 1.1 * outer, solid))
    shown = sliced(explained(inner, solid), 0, None)
    assert shown.windows.tolist() == [[0, 1]]
    assert shown.slice(0)[4, 4].tolist() != shown.slice(0)[4, 5].tolist()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, -1)])
def test_axes_run_to_right_front_and_head_whatever_those_of_the_file(order, signs):
    """A place in millimetres is found at the same place of the picture, whichever way the file is stored."""
    affine = np.eye(4)
    for own, (axis, sign) in enumerate(zip(order, signs, strict=True)):
        affine[:3, own] = 0.02  # a little oblique
        affine[axis, own] = sign * (own + 1)
    importance = np.zeros((4, 5, 6))
    importance[0, 4, 1] = 1
    shown = sliced(explained(importance, np.random.default_rng(0).normal(size=(4, 5, 6, 1)), affine), 0, None)
    for axis, (own, turned) in enumerate(shown.axes):
        assert order[own] == axis
        assert turned == (signs[own] < 0)
        assert shown.spacing[axis] == pytest.approx(own + 1, abs=1e-3)
        assert shown.number(axis) == f"{'ijk'[own]} = {(0, 4, 1)[own]}"
        there = (0, 4, 1)[own]
        assert shown.place[axis] == (importance.shape[own] - 1 - there if turned else there)
    assert shown.planes == ("axial", "coronal", "sagittal")
    assert [shown.ends(axis) for axis in range(3)] == [("L", "R"), ("P", "A"), ("I", "S")]


def test_without_an_affine_the_axes_are_x_y_and_z():
    shown = sliced(explained(affine=None), 0, None)
    assert (shown.planes, shown.place, shown.mirrored) == (("xy", "xz", "yz"), LESION, False)
    assert shown.ends(2) == ("", "z")
    np.testing.assert_array_equal(shown.spacing, 1)


def test_every_slice_and_projection_is_hottest_in_the_lesion():
    """In empty space, inside of a body, on air: a voxel that is hot has its colour."""
    noise = np.random.default_rng(1).gamma(1, 0.01, SHAPE)
    shown = sliced(explained(inside() + noise), 0, None)
    there = np.flip(inside(), 0)  # the file's voxels run to the left
    assert there[shown.place]
    top = point_colors(np.ones(1), "inferno", (0, 1))
    for plane, (_, _, cut) in enumerate(PLANES):
        for colors, lesion in (
            (shown.slice(plane), there.take(shown.place[cut], axis=cut)),
            (shown.projection(plane), there.any(axis=cut)),
        ):
            apart = np.abs(colors - top).sum(axis=-1)
            assert lesion[np.unravel_index(apart.argmin(), apart.shape)]
            assert apart[lesion].max() < apart[~lesion].min()


def test_a_lesion_outshines_the_noise_of_a_large_volume():
    """A share of all voxels, as in other pictures, would be more of noise than a lesion has."""
    noise = np.random.default_rng(0).gamma(1, 0.02, (96, 96, 96))
    noise[20:24, 30:34, 40:44] = 1
    shown = sliced(explained(noise, noise[..., None], None), 0, None)
    assert shown.limits[1] > 0.99
    assert (noise >= shown.limits[1]).sum() == 64


def test_where_there_is_no_importance_the_values_are_grey():
    shown = sliced(explained(), 0, None, window=(-200, 300))
    colors = shown.slice(0)
    outside = ~np.flip(inside(), 0)[..., shown.place[2]]
    grey = np.clip((np.flip(body(), 0)[..., shown.place[2]] + 200) / 500, 0, 1)
    np.testing.assert_allclose(colors[outside], np.repeat(grey[outside][:, None], 3, -1), atol=1e-6)


def test_signed_maps_diverge_and_the_share_is_said():
    importance = inside() * 1.0 - 2 * inside(lesion=(8, 20, 16))
    shown = sliced(explained(importance), 0, None)
    assert shown.colormap == "coolwarm"
    assert shown.limits[0] == -shown.limits[1]
    i, j, k = (SHAPE[0] - 1 - shown.place[0], *shown.place[1:])
    assert importance[i, j, k] == -2
    held = np.zeros(SHAPE, bool)
    held[i], held[:, j], held[:, :, k] = True, True, True
    share = np.abs(importance)[held].sum() / np.abs(importance).sum()
    assert shown.held() == f"the slices hold {share:.0%} of the importance"
    blue, red = (
        sliced(explained(sign * inside() * 1.0), 0, "coolwarm").slice(0)[SHAPE[0] - 1 - LESION[0], LESION[1]]
        for sign in (-1, 1)
    )
    assert blue[2] > blue[0]
    assert red[0] > red[2]
    assert sliced(explained(np.zeros(SHAPE)), 0, None).held() == "no importance anywhere"


def test_the_channel_with_most_of_the_importance_is_shown():
    values = np.stack([body(), np.random.default_rng(0).normal(size=SHAPE)], axis=-1).astype(np.float32)
    attributions = np.stack([inside() * 1.0, inside() * 3.0], axis=-1)[None]
    shown = sliced(explained(values=values, attributions=attributions), 0, None)
    assert shown.channel == 1
    assert shown.details == "40×32×24 voxels of 0.9×0.9×2.5 mm, 2 channels"  # noqa: RUF001
    low, high = shown.windows[1]
    assert -3 < low < -2 < 2 < high < 3
    assert shown.windows[0][0] < -1000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": np.full((*SHAPE, 1), np.nan, np.float32)}, "NaN or infinite"),
        ({"importance": np.full(SHAPE, np.nan)}, "NaN or infinite"),
        ({"importance": np.zeros((3, 3, 3))}, "no voxels of importance"),
    ],
)
def test_refuses_what_cannot_be_drawn(change, message):
    with pytest.raises(UserError, match=message):
        sliced(explained(**change), 0, None)
    with pytest.raises(UserError, match="examples 0 to 0"):
        sliced(explained(), 1, None)
    with pytest.raises(UserError, match="window"):
        sliced(explained(), 0, None, window=(3, 3))


def test_an_affine_is_that_of_the_explanation():
    np.testing.assert_array_equal(sliced(explained(), 0, None).affine, AFFINE)
