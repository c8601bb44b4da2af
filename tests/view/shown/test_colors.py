import numpy as np
import pytest

from tfxai3d.errors import UserError
from tfxai3d.view import COLORMAPS, color_range, point_colors
from tfxai3d.view.shown.colors import colormap_for


def test_green_red_is_the_published_formula():
    importance = np.array([0.0, 1.0, 2.0, 4.0, 100.0, 0.0])
    colors = point_colors(importance, "green_red")
    cut = np.minimum(importance, 3.0)  # the median of 1, 2, 4, 100
    expected = np.stack([cut / 3.0, 1 - cut / 3.0, np.zeros(6)], axis=1)
    expected[[0, 5]] = 0.0
    np.testing.assert_array_equal(colors, expected)
    assert color_range(importance, "green_red") == (0.0, 3.0)


def test_default_is_a_uniform_map_up_to_the_98_percent_quantile():
    matplotlib = pytest.importorskip("matplotlib")
    importance = np.concatenate([np.zeros(100), np.linspace(0.01, 1, 100), [50.0]])
    vmin, vmax = color_range(importance)
    assert vmin == 0.0
    assert vmax == np.quantile(importance[importance > 0], 0.98) < 1.0
    share = np.clip(importance / vmax, 0, 1)
    expected = matplotlib.colormaps["magma_r"](0.04 + 0.86 * share)[:, :3]
    np.testing.assert_allclose(point_colors(importance), expected, atol=1 / 128)


def test_no_colour_of_the_default_vanishes_on_white():
    pytest.importorskip("matplotlib")
    colors = point_colors(np.linspace(0, 1, 100))
    assert colors.min(axis=1).max() < 0.75


def test_default_darkens_steadily():
    pytest.importorskip("matplotlib")
    luminance = point_colors(np.linspace(0, 1, 100)) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) <= 1e-9).all()


@pytest.mark.parametrize("colormap", COLORMAPS)
@pytest.mark.parametrize("values", [[0, 0, 0], [2, 2, 2], [-1, -1, -1], [5], [-1, 0, 3], [1e-30, 0, 1e-30]])
def test_edge_cases_have_colours_and_a_range(colormap, values):
    pytest.importorskip("matplotlib")
    colors = point_colors(np.array(values), colormap)
    vmin, vmax = color_range(np.array(values), colormap)
    assert colors.shape == (len(values), 3)
    assert ((colors >= 0) & (colors <= 1)).all()
    assert vmin < vmax
    assert vmin <= 0 <= vmax


def test_equal_values_have_equal_colours_and_order_does_not_matter():
    pytest.importorskip("matplotlib")
    rng = np.random.default_rng(0)
    importance = rng.gamma(1.0, 1.0, 50)
    order = rng.permutation(50)
    np.testing.assert_array_equal(point_colors(importance)[order], point_colors(importance[order]))


@pytest.mark.parametrize("bad", [[1.0, np.nan], [np.inf, 1.0], [], [[1.0]], 1.0])
def test_refuses_what_is_no_importance(bad):
    with pytest.raises(UserError):
        point_colors(np.array(bad))


def test_refuses_an_unknown_map():
    with pytest.raises(UserError, match="green_red"):
        point_colors(np.ones(3), "jet")


def test_coolwarm_has_zero_in_its_middle():
    values = np.array([-1.0, 0.0, 3.0])
    assert color_range(values, "coolwarm")[0] == -color_range(values, "coolwarm")[1]
    blue, grey, red = point_colors(values, "coolwarm")
    assert np.ptp(grey) < 0.02
    assert blue[2] > blue[0]
    assert red[0] > red[2]


def test_the_default_follows_the_sign():
    without, signed = np.array([0.0, 1.0]), np.array([-0.1, 1.0])
    assert colormap_for(None, without, without) == "magma_r"
    assert colormap_for(None, without, signed) == "coolwarm"
    assert colormap_for("viridis", signed) == "viridis"
    vmin, vmax = color_range(signed, "coolwarm")
    assert vmin == -vmax
    grey = point_colors(np.zeros(1), "coolwarm", (vmin, vmax))[0]
    assert np.ptp(grey) < 0.02
