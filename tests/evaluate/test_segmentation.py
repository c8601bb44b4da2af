"""The overlap of parts, against loops over examples and parts as the published protocol says it."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfxai3d.errors import UserError
from tfxai3d.evaluate import Segmentation, overlap_table, part_table, segment, segmentation_report

NAMES = ("chair/leg", "chair/seat", "table/leg", "table/top", "cup/body")
PARTS = {"chair": (0, 1), "table": (2, 3), "cup": (4,)}


def slow_iou(labels, predicted, parts):
    """Returns the mean over the parts of one example's category, one by one."""
    found = []
    for part in parts:
        true, seen = set(np.flatnonzero(labels == part)), set(np.flatnonzero(predicted == part))
        found.append(len(true & seen) / len(true | seen) if true | seen else 1.0)
    return sum(found) / len(found)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(1, 12))
def test_equals_the_protocol_part_by_part(seed, examples, points):
    rng = np.random.default_rng(seed)
    kinds = rng.choice(list(PARTS), examples)
    labels = np.stack([rng.choice(PARTS[kind], points) for kind in kinds])
    wrong = rng.random(labels.shape) < rng.random()
    predicted = np.where(wrong, rng.integers(0, 5, labels.shape), labels)
    result = Segmentation(predicted, labels, NAMES)
    expected = [slow_iou(*row, PARTS[kind]) for *row, kind in zip(labels, predicted, kinds, strict=True)]
    assert result.mean_iou == pytest.approx(np.mean(expected))
    means = {kind: np.mean([e for e, k in zip(expected, kinds, strict=True) if k == kind]) for kind in kinds}
    assert result.iou_by_category() == pytest.approx(means)
    assert list(result.iou_by_category().values()) == sorted(result.iou_by_category().values())
    assert result.mean_category_iou == pytest.approx(np.mean(list(means.values())))
    assert result.overall_accuracy == pytest.approx(np.mean(predicted == labels))
    pairs = list(zip(labels.ravel(), predicted.ravel(), strict=True))
    assert result.confusion.tolist() == [[pairs.count((i, j)) for j in range(5)] for i in range(5)]


@pytest.fixture
def answers():
    """A chair without legs of which one is seen, a table half right, and a cup taken for a chair's seat."""
    labels = np.array([[1, 1, 1, 1], [2, 2, 3, 3], [4, 4, 4, 4]])
    return Segmentation(np.array([[1, 1, 1, 0], [2, 3, 3, 3], [1, 1, 1, 1]]), labels, NAMES)


def test_values_by_hand(answers):
    expected = [[(0 + 3 / 4) / 2, np.nan, np.nan], [np.nan, (1 / 2 + 2 / 3) / 2, np.nan], [np.nan, np.nan, 0]]
    np.testing.assert_allclose(answers.category_iou, expected)
    assert answers.categories == ("chair", "table", "cup")
    absent = Segmentation(np.ones((1, 4), int), np.ones((1, 4), int), NAMES)
    assert absent.mean_iou == 1  # a chair without legs, of which none is seen


def test_what_is_reported(answers):
    report = segmentation_report(answers, "points")
    assert report["overall_accuracy"] == round(6 / 12, 4)
    assert report["category_iou"] == {"cup": 0.0, "chair": 0.375, "table": 0.5833}
    assert report["confused"][0] == {"true": "cup/body", "predicted": "chair/seat", "points": 4}
    assert answers.summary(NAMES)["worst_categories"] == report["category_iou"]
    table = {row["class"]: row for row in part_table(answers, "points")}
    assert set(table) == set(NAMES[1:])
    seat = {"class": "chair/seat", "points": 4, "accuracy": 0.75, "iou": round((3 / 4 + 0) / 2, 4)}
    assert table["chair/seat"] == seat
    where = [{"index": number} for number in range(3)]
    assert overlap_table(answers, where)[1] == {
        "index": 1, "category": "table", "accuracy": 0.75, "mean_iou": 0.5833,
    }  # fmt: skip


def test_classes_without_a_slash_are_of_one_category():
    labels, predicted = np.array([[0, 1, 1]]), np.array([[0, 1, 0]])
    result = Segmentation(predicted, labels, ("organ", "lesion"))
    assert result.iou_by_category() == {"all": pytest.approx((1 / 2 + 1 / 2) / 2)}


@pytest.mark.parametrize("kind", ["points", "voxels"])
def test_segment_runs_every_example(kind):
    rng = np.random.default_rng(0)
    shape = (7, 5, 3) if kind == "points" else (7, 2, 3, 4, 3)
    model = keras.Sequential([keras.Input(shape[1:]), keras.layers.Dense(3)])
    model.data_kind, model.class_names = kind, ("a", "b", "c")
    inputs = rng.normal(size=shape).astype("float32")
    labels = rng.integers(0, 3, shape[:-1])
    result = segment(model, inputs, labels, batch_size=3)
    np.testing.assert_array_equal(result.predicted, np.asarray(model(inputs)).argmax(axis=-1))
    assert result.class_names == ("a", "b", "c")
    with pytest.raises(UserError, match="and the labels are of"):
        segment(model, inputs, labels[:, 0])
