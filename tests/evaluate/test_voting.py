import numpy as np
import pytest

from tfxai3d.data import rotated_grids, rotated_points
from tfxai3d.errors import UserError
from tfxai3d.evaluate import vote


class Lookup:
    """A model whose logits are the numbers of the first point, the first few of them."""

    data_kind = "points"

    def __init__(self, classes=3):
        self.classes = classes

    def __call__(self, inputs):
        return inputs[:, 0, : self.classes]


def clouds(logits):
    """Returns clouds (...,1,3) of which Lookup says these logits."""
    return np.pad(logits, [(0, 0)] * (logits.ndim - 1) + [(0, 3 - logits.shape[-1])])[..., None, :]


def test_the_vote_is_the_mean_of_the_probabilities():
    views = np.random.default_rng(0).normal(size=(5, 7, 3)) * 4
    exponents = np.exp(views)
    expected = (exponents / exponents.sum(-1, keepdims=True)).mean(axis=0)
    result = vote(Lookup(), clouds(views), np.arange(7) % 3)
    np.testing.assert_allclose(result.probabilities, expected, rtol=1e-5)
    assert result.labels.tolist() == [0, 1, 2, 0, 1, 2, 0]


def test_one_view_that_is_wildly_sure_does_not_outvote_the_others():
    views = np.array([[[1.0, 0.0]], [[1.0, 0.0]], [[1.0, 0.0]], [[0.0, 100.0]]])
    assert vote(Lookup(2), clouds(views), np.array([0])).predicted.tolist() == [0]
    assert views.mean(axis=0).argmax() == 1  # the mean of the logits would be


def test_one_view_changes_nothing():
    logits = np.array([[0.0, 200.0, -200.0]])  # some probabilities are 0 in float32
    result = vote(Lookup(), [clouds(logits)], np.array([1]))
    np.testing.assert_allclose(result.probabilities, [[0, 1, 0]], atol=1e-30)
    assert np.isfinite(result.logits).all()


def test_points_turn_about_y():
    points = np.random.default_rng(0).normal(size=(2, 9, 3)).astype("float32")
    turns = list(rotated_points(points, 6))
    assert len(turns) == 6
    assert all(turn.dtype == np.float32 for turn in turns)
    np.testing.assert_array_equal(turns[0], points)
    for turn in turns:
        np.testing.assert_array_equal(turn[..., 1], points[..., 1])
        np.testing.assert_allclose(np.linalg.norm(turn, axis=-1), np.linalg.norm(points, axis=-1), rtol=1e-5)
    np.testing.assert_allclose(turns[3], points * (-1, 1, -1), atol=1e-6)
    again = list(rotated_points(turns[1], 6))[1]
    np.testing.assert_allclose(again, turns[2], atol=1e-6)


def test_grids_turn_about_z():
    grids = np.random.default_rng(0).random((2, 4, 4, 4, 1))
    turns = list(rotated_grids(grids, 4))
    np.testing.assert_array_equal(turns[0], grids)
    np.testing.assert_array_equal(turns[1][:, 3 - 2, 1], grids[:, 1, 2])  # x' = -y, y' = x
    np.testing.assert_array_equal(turns[2], grids[:, ::-1, ::-1])
    np.testing.assert_array_equal(turns[3][:, ::-1, ::-1], turns[1])
    np.testing.assert_array_equal(list(rotated_grids(grids, 2)), turns[::2])


@pytest.mark.parametrize("count", [0, 3, 12])
def test_other_turns_of_a_grid_need_its_mesh(count):
    with pytest.raises(UserError, match=f"{count} views of a voxel grid.*meshes"):
        list(rotated_grids(np.zeros((1, 4, 4, 4, 1)), count))
