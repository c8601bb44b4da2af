"""Plots of tables: cells whose colour follows their number, and names that do not overlap."""

import numpy as np
import pytest
from matplotlib.image import imread

from tfxai3d import view
from tfxai3d.errors import UserError
from tfxai3d.view.tables import _apart


def test_cells_become_brighter_with_their_number_and_empty_ones_stay_white(tmp_path):
    path = tmp_path / "cells.png"
    view.render_cells(path, ["low", "high"], ["one", "$x"], np.array([[0.0, np.nan], [1.0, 0.5]]))
    image = imread(path)[..., :3]
    dark = (np.abs(image - (0.267, 0.005, 0.329)).max(axis=-1) < 0.02).sum()
    bright = (np.abs(image - (0.993, 0.906, 0.144)).max(axis=-1) < 0.02).sum()
    assert dark > 1000
    assert bright > 1000


def test_names_of_equal_dots_stand_above_each_other():
    found = dict(_apart(["a", "b", "c"], [1.0, 1.0, 100.0], [0.5, 0.5, 0.5]))
    assert abs(found["a"] - found["b"]) >= 9
    assert found["c"] == min(found.values())


def test_nothing_to_draw_is_one_line(tmp_path):
    with pytest.raises(UserError, match="no cells"):
        view.render_cells(tmp_path / "a.png", [], [], np.empty((0, 0)))
    with pytest.raises(UserError, match="no dots"):
        view.render_dots(tmp_path / "a.png", [], [], [], ("x", "y"))
