import dataclasses

import numpy as np
import pytest

from tfxai3d.errors import UserError
from tfxai3d.view import color_range, point_colors, render_panel, write_panel
from tfxai3d.view.shown.panel import PLAIN, REGION, panel


def test_rows_columns_and_a_scale_for_each_method(rows):
    shown = panel(rows, ["chair_0", "table_0"], "magma_r")
    assert shown.columns == ["Points", "vanilla gradient", "integrated gradients"]
    assert [row.name for row in shown.rows] == ["chair_0", "table_0"]
    assert shown.rows[0].caption == "chair (score 9.25)"
    drawn = shown.rows[1].marks[1].importance.sum() / rows[1][0].importance.sum()
    assert shown.rows[1].caption == f"table (score 9.25); {drawn:.0%}, {drawn:.0%} of the importance drawn"
    assert [(one.limits, one.beyond) for one in shown.scales] == [((0.0, 1.0), (False, True))] * 2
    for row in shown.rows:
        assert [len(marks.centres) for marks in row.marks] == [len(colors) for colors in row.colors]
        np.testing.assert_allclose(row.colors[1], row.colors[2])  # units do not matter
        assert len(np.unique(row.colors[0], axis=0)) == 1
    itself, vanilla, _ = shown.rows[1].marks
    assert len(itself.centres) < len(vanilla.centres)  # empty space is no part of the object
    assert np.ptp(itself.sizes) == 0


def test_each_method_has_the_colours_of_its_kind(explanation, methods):
    """A signed method beside a magnitude: each with its own map, the same in all rows."""
    signed, magnitude = methods(explanation, "point_saliency", "vanilla_gradient")
    lowered = dataclasses.replace(signed, importance=signed.importance - 0.1)
    shown = panel([[signed, magnitude], [lowered, magnitude]], None, None)
    assert [one.colormap for one in shown.scales] == ["coolwarm", "magma_r"]
    assert [one.limits for one in shown.scales] == [(-1.0, 1.0), (0.0, 1.0)]
    for row, example in zip(shown.rows, (signed, lowered), strict=True):
        for colors, one, scale in zip(row.colors[1:], (example, magnitude), shown.scales, strict=True):
            top = max(map(abs, color_range(one.importance[0], scale.colormap)))
            expected = point_colors(one.importance[0] / top, scale.colormap, scale.limits)
            np.testing.assert_allclose(colors, expected)
    (scale, _) = panel([[lowered, magnitude]], None, "magma_r").scales
    assert scale.limits[0] < 0 < scale.limits[1] == 1.0


def test_what_is_asked_about_is_dark(rows):
    """The chair is a cloud and the table a grid, whose region is flat as the engine has it."""
    for row, kind in zip(rows, ("points", "voxels"), strict=True):
        places = panel([row], None, None).rows[0].marks[0].places
        region = np.zeros(row[0].importance.shape, bool)
        region[0][tuple(places[::2].T)] = True
        asked = [dataclasses.replace(one, region=region.reshape(1, -1)) for one in row]
        (shown,) = panel([asked], None, None).rows
        dark = (shown.colors[0] == REGION).all(axis=1)
        np.testing.assert_array_equal(dark, np.arange(len(dark)) % 2 == 0)
        np.testing.assert_array_equal((shown.colors[0] == PLAIN).all(axis=1), ~dark)
        assert f"; asked about the dark {kind}" in shown.caption


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
