import numpy as np
import pytest

from tests.reference.pages import EVIL
from tfxai3d.errors import UserError
from tfxai3d.view import (
    feature_gallery,
    filter_gallery,
    open_gallery,
    render_gallery,
    write_gallery,
)
from tfxai3d.view.shown import filters


def _cubes(cell):
    """Centres, sizes and signs of the weights' cubes, without the corners of the blocks."""
    weights = cell.marks.importance != 0
    signs = np.where((cell.colors == filters.POSITIVE).all(axis=1), 1, -1)
    return cell.marks.centres[weights], cell.marks.sizes[weights], signs[weights]


def test_a_cube_for_each_weight_that_is_left(kernels):
    original, pruned = filter_gallery(kernels, "conv0").cells
    for cell, kernel in ((original, kernels["original"]), (pruned, kernels[EVIL])):
        _, sizes, signs = _cubes(cell)
        weights = np.moveaxis(kernel[..., 0, :], -1, 0)
        tops = np.abs(kernels["original"]).max(axis=(0, 1, 2, 3))
        shares = weights / tops[:, None, None, None]
        shares = shares[shares != 0]
        np.testing.assert_allclose(sizes, sizes.max() * np.abs(shares))  # in the order of the blocks
        np.testing.assert_array_equal(signs, np.sign(shares))
    assert 0.4 < sizes.max() < 0.5  # neighbours do not touch
    assert original.caption == "108 of 108 weights left (100.0%)"
    left = np.count_nonzero(kernels[EVIL])
    assert pruned.caption == f"{left} of 108 weights left ({left / 108:.1%})"


def test_a_filter_stands_at_the_same_place_in_every_column(kernels):
    original, pruned = (_cubes(cell)[0] for cell in filter_gallery(kernels, "conv0").cells)
    places = {tuple(centre) for centre in original.round(6)}
    assert len(places) == 108
    assert {tuple(centre) for centre in pruned.round(6)} < places


def test_the_axes_are_those_of_the_voxels():
    kernel = np.zeros((3, 3, 3, 1, 1))
    kernel[0, 0, 0], kernel[2, 0, 0], kernel[0, 2, 0], kernel[0, 0, 2] = 1, 2, 3, 4
    (cell,) = filter_gallery({"a": kernel}, "c").cells
    middle, x, y, z = cell.marks.centres[[np.argmax(cell.marks.importance == i) for i in (1, 2, 3, 4)]]
    np.testing.assert_allclose([x - middle, y - middle, z - middle], [[-2, 0, 0], [0, 0, 2], [0, 2, 0]])


def test_input_channels_and_limits():
    kernel = np.random.default_rng(1).normal(size=(1, 2, 3, 2, 5))
    gallery = filter_gallery({"a": kernel}, "deep", max_filters=3, channels=[4, 0])
    _, _, signs = _cubes(gallery.cells[0])
    chosen = [kernel[..., 0, 4], kernel[..., 1, 4], kernel[..., 0, 0]]
    np.testing.assert_array_equal(signs, np.sign(np.concatenate([block.ravel() for block in chosen])))
    assert gallery.note.startswith("3 of 4 1×2×3 blocks")  # noqa: RUF001


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernels": {}}, "no kernels"),
        ({"kernels": {"a": np.ones((3, 4))}}, r"a: layer 'conv0' has a kernel \(3, 4\), not a 3D one"),
        ({"kernels": {"a": np.ones((1, 1, 1, 1, 2)), "b": np.ones((1, 1, 1, 1, 3))}}, "the first model's is"),
        ({"kernels": {"a": np.full((1, 1, 1, 1, 2), np.nan)}}, "a: .* NaN"),
        ({"kernels": {"a": np.zeros((1, 1, 1, 1, 2))}}, "all weights that would be shown are 0"),
        ({"channels": [4]}, "filters 0 to 3"),
        ({"channels": []}, "filters 0 to 3"),
        ({"max_filters": 0}, "max_filters"),
    ],
)
def test_refuses_what_is_no_kernel(kernels, change, message):
    with pytest.raises(UserError, match=message):
        filter_gallery(**{"kernels": kernels, "layer": "conv0"} | change)


def test_nothing_to_draw_is_an_error(tmp_path, visualization):
    empty = feature_gallery(visualization("mean_surface", "voxels", importance=np.zeros((3, 4, 4, 4))))
    for draw in (render_gallery, write_gallery):
        with pytest.raises(UserError, match="is empty"):
            draw(tmp_path / "any", empty)
    with pytest.raises(UserError, match="is empty"):
        open_gallery(empty)
    assert not list(tmp_path.iterdir())
