import keras
import numpy as np
import pytest

from tfxai3d.evaluate import Classification, classify


@pytest.fixture
def answers():
    """Classes 0, 0, 0, 1, 2 answered 0, 0, 2, 1, 1; class 3 does not occur."""
    return Classification(np.eye(4, dtype="float32")[[0, 0, 2, 1, 1]], np.array([0, 0, 0, 1, 2]))


def test_accuracies(answers):
    assert answers.predicted.tolist() == [0, 0, 2, 1, 1]
    assert answers.overall_accuracy == pytest.approx(3 / 5)
    np.testing.assert_allclose(answers.class_accuracy, [2 / 3, 1, 0, np.nan])
    assert answers.mean_class_accuracy == pytest.approx(5 / 9)


def test_confusion_has_the_true_classes_as_rows(answers):
    expected = [[2, 0, 1, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    assert answers.confusion.tolist() == expected


def test_confused_pairs_are_the_most_frequent_mistakes():
    labels, predicted = np.array([0, 1, 1, 1, 2, 2, 0, 2]), np.array([0, 2, 0, 2, 0, 1, 1, 2])
    answers = Classification(np.eye(3)[predicted], labels)
    assert answers.confused_pairs(2) == [(1, 2, 2), (0, 1, 1)]
    assert answers.confused_pairs(99) == [(1, 2, 2), (0, 1, 1), (1, 0, 1), (2, 0, 1), (2, 1, 1)]
    assert Classification(np.eye(3), np.arange(3)).confused_pairs(5) == []


def test_summary_lists_the_worst_classes_that_occur(answers):
    summary = answers.summary(("a", "b", "c", "d"))
    assert summary == {
        "examples": 5,
        "overall_accuracy": 0.6,
        "mean_class_accuracy": 0.5556,
        "worst_classes": {"c": 0.0, "a": 0.6667, "b": 1.0},
    }
    assert list(summary["worst_classes"]) == ["c", "a", "b"]


def test_summary_has_at_most_five_classes():
    logits = np.eye(9)[np.zeros(9, int)]
    assert len(Classification(logits, np.arange(9)).summary("abcdefghi")["worst_classes"]) == 5


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_classify_runs_every_example(batch_size):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, kernel_initializer="identity")])
    inputs = np.eye(3, dtype="float32")[[0, 1, 2, 2, 1, 0, 0]]
    result = classify(model, inputs, np.array([0, 1, 2, 2, 1, 0, 1]), batch_size=batch_size)
    np.testing.assert_array_equal(result.logits, inputs)
    assert result.overall_accuracy == pytest.approx(6 / 7)
