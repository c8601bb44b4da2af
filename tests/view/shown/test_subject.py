import dataclasses

import numpy as np

from tfxai3d.data import z_up_to_y_up
from tfxai3d.results import Explanation
from tfxai3d.view.shown.subject import subject


def test_subject_counts_what_is_in_empty_space(voxels):
    shown = subject(voxels, 0, "magma_r")
    empty = voxels.inputs[0, ..., 0] == 0
    share = voxels.importance[0][empty].sum() / voxels.importance[0].sum()
    assert f"{share:.0%} of the importance in empty space" in shown.subtitle
    assert "460 voxels" in shown.subtitle
    masked = dataclasses.replace(voxels, importance=voxels.importance * voxels.inputs[..., 0])
    assert "empty space" not in subject(masked, 0, "magma_r").subtitle


def test_clouds_with_z_up_are_drawn_upright(explanation, tmp_path):
    lying = dataclasses.replace(explanation, inputs=z_up_to_y_up(explanation.inputs), up="z")
    lying.save(tmp_path / "lying.npz")
    both = explanation, Explanation.load(tmp_path / "lying.npz")
    marks = [subject(one, 0, "magma_r").marks for one in both]
    np.testing.assert_array_equal(marks[0].centres, marks[1].centres)


def test_a_contrast_names_both_classes(voxels):
    contrast = dataclasses.replace(voxels, against=np.array([0]))
    assert subject(contrast, 0, "magma_r").title == "table (score 9.25) rather than stool (0.50)"
