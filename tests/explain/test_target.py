"""What may be explained about the logits."""

import numpy as np
import pytest
import tensorflow as tf

from tests.reference import networks
from tests.reference.networks import assert_close, foreign
from tfxai3d import explain
from tfxai3d.errors import UserError
from tfxai3d.explain import Contrast, Explanation

POINTS = networks.POINTS[:3]


@pytest.fixture(scope="module")
def vanilla():
    return explain.VanillaGradient(foreign(), data_kind="points", batch_size=2)


@pytest.fixture(scope="module")
def of_class(vanilla):
    return np.stack([vanilla(POINTS, c).attributions for c in range(4)])


def test_a_contrast_is_the_difference_of_two_gradients(vanilla, of_class):
    explained = vanilla(POINTS, Contrast(1, 2))
    assert_close(explained.attributions, of_class[1] - of_class[2])
    assert explained.target.tolist() == [1, 1, 1]
    assert explained.against.tolist() == [2, 2, 2]


def test_a_contrast_for_each_example(vanilla, of_class):
    explained = vanilla(POINTS, Contrast([0, 1, 2], [3, 3, 0]))
    expected = of_class[[0, 1, 2], range(3)] - of_class[[3, 3, 0], range(3)]
    assert_close(explained.attributions, expected)


def test_why_the_predicted_class_and_not_another(vanilla):
    explained = vanilla(POINTS, Contrast(None, 1))
    np.testing.assert_array_equal(explained.target, explained.predicted)
    assert_close(explained.attributions, vanilla(POINTS, Contrast(explained.predicted, 1)).attributions)


def test_a_function_of_the_logits(vanilla, of_class):
    def mean_of_the_first_two(scores):
        return (scores[:, 0] + scores[:, 1]) / 2

    explained = vanilla(POINTS, mean_of_the_first_two)
    assert_close(explained.attributions, (of_class[0] + of_class[1]) / 2)
    assert explained.options["target"] == "mean_of_the_first_two"
    assert explained.against is None
    probability = vanilla(POINTS, lambda scores: tf.nn.softmax(scores)[:, 0])
    assert not np.allclose(probability.attributions, of_class[0])


def test_the_class_held_against_is_saved(vanilla, tmp_path):
    vanilla(POINTS, Contrast(1, [0, 2, 3])).save(tmp_path / "e.npz")
    again = Explanation.load(tmp_path / "e.npz")
    assert again.target.tolist() == [1, 1, 1]
    assert again.against.tolist() == [0, 2, 3]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (Contrast(0, None), "a Contrast needs the class to hold against"),
        (Contrast(Contrast(0, 1), 2), "a Contrast is one of two classes"),
        (Contrast(lambda logits: logits[:, 0], 2), "a Contrast is one of two classes"),
        ([[0], [1, 2]], "one class or 3 classes"),
        (Contrast(0, 4), r"target must be in 0\.\.3, it is 4"),
        (Contrast([0, 1], 2), "one class or 3 classes"),
        (lambda scores: scores, r"must map logits \(B,C\) to \(B,\)"),
    ],
)
def test_mistakes(vanilla, target, message):
    with pytest.raises(UserError, match=message):
        vanilla(POINTS, target)


def test_the_number_of_classes_of_a_function_comes_from_its_output():
    explainer = explain.VanillaGradient(lambda x: x[:, 0], data_kind="points")
    assert explainer(POINTS, 2).target.tolist() == [2, 2, 2]
    with pytest.raises(UserError, match=r"target must be in 0\.\.2, it is 3"):
        explainer(POINTS, 3)


@pytest.mark.parametrize(
    ("text", "target"),
    [("desk", 0), ("t-v", 2), ("desk-table", Contrast(0, 1)), ("t-v-desk", Contrast(2, 0))],
)
def test_a_target_by_name(text, target):
    assert explain.named_target(text, ("desk", "table", "t-v")) == target


def test_a_part_by_name_is_where_it_is_predicted():
    names = ("chair/leg", "chair/seat", "table/leg")
    assert explain.named_target("table/leg", names, segments=True) == explain.Region(2, "predicted")
    for text in ("chair/wing", "chair"):
        with pytest.raises(UserError, match=rf"'{text}' is no class of .*knows chair/leg, chair/seat\)"):
            explain.named_target(text, names, segments=True)
    with pytest.raises(UserError, match=r"knows chair/leg, chair/seat, table/leg\)"):
        explain.named_target("lamp/leg", names, segments=True)


@pytest.mark.parametrize("text", ["chair", "desk-chair", "desk-", "-table", ""])
def test_a_target_that_the_model_does_not_know(text):
    with pytest.raises(UserError, match=rf"target: '{text}' is no class of the model \(it knows desk, table"):
        explain.named_target(text, ("desk", "table"))
