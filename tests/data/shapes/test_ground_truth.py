"""Clouds whose reason is known: the two classes differ in it and in nothing else."""

import numpy as np
import pytest

from tfxai3d import data
from tfxai3d.data import shapes
from tfxai3d.errors import UserError


@pytest.mark.parametrize("name", shapes.GROUND_TRUTHS)
def test_class_one_alone_has_the_reason(name):
    made = shapes.make_ground_truth(name, 10, 200, 3)
    assert made.points.shape == (10, 200, 3)
    assert np.bincount(made.labels).tolist() == [5, 5]
    inside = made.reason.sum(axis=1)
    assert (inside[made.labels == 1] > 0).all()
    assert (inside[made.labels == 0] == 0).all()
    assert (inside < 200).all()
    assert np.isfinite(made.points).all()
    assert np.abs(made.points).max() < 1.5
    again = shapes.make_ground_truth(name, 10, 200, 3)
    np.testing.assert_array_equal(made.points, again.points)
    assert not np.array_equal(made.points, shapes.make_ground_truth(name, 10, 200, 4).points)


def test_the_cube_is_a_cube_in_a_corner():
    made = shapes.make_ground_truth("shortcut", 6, 400, 0)
    for cloud, reason in zip(made.points[made.labels == 1], made.reason[made.labels == 1], strict=True):
        cube = cloud[reason]
        assert len(cube) == 20
        np.testing.assert_allclose(np.abs(cube - np.sign(cube) * 0.6).max(axis=1), 0.06, atol=1e-6)


def test_the_handle_lies_outside_of_the_body():
    made = shapes.make_ground_truth("handle", 12, 800, 0)
    for cloud, reason in zip(made.points[made.labels == 1], made.reason[made.labels == 1], strict=True):
        assert cloud[reason][:, [0, 2]].std(axis=0).max() < cloud[~reason][:, [0, 2]].std(axis=0).max()


def test_the_chair_is_one_of_the_two_objects():
    made = shapes.make_ground_truth("two_objects", 8, 300, 0)
    for cloud, reason in zip(made.points[made.labels == 1], made.reason[made.labels == 1], strict=True):
        assert reason.sum() == 150
        sides = np.sign(cloud[reason][:, 0].mean()), np.sign(cloud[~reason][:, 0].mean())
        assert sides[0] == -sides[1]


def test_an_unknown_ground_truth_is_one_line():
    with pytest.raises(UserError, match="must be one of back"):
        data.shapes.make_ground_truth("nose", 4)
