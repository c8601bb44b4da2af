import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfxai3d.evaluate import Classification, classify
from tfxai3d.results.heads import log_probabilities

HEADS = ("logits", "sigmoids")


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
        "auc": 0.6944,
        "worst_classes": {"c": 0.0, "a": 0.6667, "b": 1.0},
    }
    assert list(summary["worst_classes"]) == ["c", "a", "b"]


def test_summary_has_at_most_five_classes():
    logits = np.eye(9)[np.zeros(9, int)]
    assert len(Classification(logits, np.arange(9)).summary("abcdefghi")["worst_classes"]) == 5


@given(st.integers(0, 2**32 - 1), st.integers(2, 4), st.integers(1, 30), st.sampled_from(HEADS))
def test_auc_is_the_fraction_of_pairs_in_order(seed, classes, count, head):
    rng = np.random.default_rng(seed)
    logits = rng.integers(-2, 3, (count, classes)).astype("float32")  # with ties
    answers = Classification(logits, rng.integers(0, classes, count), head)
    scores = log_probabilities(logits.astype(float), head)
    for label, area in enumerate(answers.class_auc):
        own, others = scores[answers.labels == label, label], scores[answers.labels != label, label]
        wins = [np.sign(a - b) / 2 + 0.5 for a in own for b in others]
        assert area == pytest.approx(np.mean(wins) if wins else np.nan, nan_ok=True)
    known = answers.class_auc[~np.isnan(answers.class_auc)]
    assert answers.auc == pytest.approx(known.mean() if len(known) else np.nan, nan_ok=True)


def test_auc_of_scores_whose_probabilities_round_to_one():
    margins = np.array([0.0, 20, 30, 25, 35], "float32")
    answers = Classification(np.stack([0 * margins, margins], axis=1), np.array([0, 0, 1, 0, 1]))
    assert answers.probabilities[1:, 1].tolist() == [1, 1, 1, 1]
    assert answers.auc == 1
    assert answers.summary(("a", "b"))["auc"] == 1
    assert "auc" not in Classification(np.eye(2), np.zeros(2, int)).summary(("a", "b"))


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_classify_runs_every_example(batch_size):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, kernel_initializer="identity")])
    inputs = np.eye(3, dtype="float32")[[0, 1, 2, 2, 1, 0, 0]]
    result = classify(model, inputs, np.array([0, 1, 2, 2, 1, 0, 1]), batch_size=batch_size)
    np.testing.assert_array_equal(result.logits, inputs)
    assert result.overall_accuracy == pytest.approx(6 / 7)
