"""Labels that count the classes as a model does."""

import numpy as np
import pytest

from tfxai3d import data
from tfxai3d.errors import UserError

KNOWN = ("cup", "box", "sphere", "chair")


def test_relabel_counts_as_the_other_list_does():
    labels = data.relabel(np.array([1, 0, 1]), ("chair", "box"), KNOWN)
    np.testing.assert_array_equal(labels, [1, 3, 1])


@pytest.mark.parametrize("known", [("box",), (), None])
def test_a_class_that_the_model_lacks_is_named(known):
    with pytest.raises(UserError, match="the model was not trained on chair"):
        data.relabel(np.array([0]), ("chair",), known)


def test_procedural_clouds_are_of_the_classes_that_the_model_knows():
    points, labels = data.unseen_clouds(KNOWN, None, 32, 9, seed=4)
    expected = data.shapes.make_dataset(9, 32, 9, tuple(n for n in data.shapes.SHAPE_CLASSES if n in KNOWN))
    np.testing.assert_array_equal(points, expected.points)
    assert [KNOWN[label] for label in labels] == [expected.classes[label] for label in expected.labels]
    with pytest.raises(UserError, match="none of the procedural classes"):
        data.unseen_clouds(("tree",), None, 32, 9, seed=4)
