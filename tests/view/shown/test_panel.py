import dataclasses

import numpy as np
import pytest

from tfxai3d.errors import UserError
from tfxai3d.view import (
    render_panel,
    write_panel,
)
from tfxai3d.view.shown.panel import panel


def test_rows_columns_and_one_scale_a_row(rows):
    shown = panel(rows, ["chair_0", "table_0"], "magma_r")
    assert shown.columns == ["Points", "vanilla gradient", "integrated gradients"]
    assert [row.name for row in shown.rows] == ["chair_0", "table_0"]
    assert shown.rows[1].caption == "table (score 9.25)"
    for row in shown.rows:
        assert row.limits == (0.0, 1.0)
        assert row.beyond == (False, True)
        assert [len(marks.centres) for marks in row.marks] == [len(colors) for colors in row.colors]
        np.testing.assert_allclose(row.colors[1], row.colors[2])  # units do not matter
        assert len(np.unique(row.colors[0], axis=0)) == 1
    itself, vanilla, _ = shown.rows[1].marks
    assert len(itself.centres) < len(vanilla.centres)  # empty space is no part of the object
    assert np.ptp(itself.sizes) == 0


def test_negative_importance_widens_the_scale(explanation, methods):
    row = methods(explanation, "point_saliency", "vanilla_gradient")
    row[0] = dataclasses.replace(row[0], importance=row[0].importance - 0.1)
    (shown,) = panel([row], None, "magma_r").rows
    assert shown.limits[0] < 0 < shown.limits[1] == 1.0


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
