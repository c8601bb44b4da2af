"""The tables of a classifier's answers, by hand."""

import numpy as np
import pytest

from tfxai3d import evaluate

NAMES = ("cup", "box")
# Three sure and right, one unsure and wrong.
ANSWERS = evaluate.Classification(
    np.log([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.6, 0.4]]), np.array([0, 0, 1, 1])
)


def test_report():
    report = evaluate.classification_report(ANSWERS, NAMES)
    assert (report["examples"], report["overall_accuracy"]) == (4, 0.75)
    assert report["mean_confidence"] == 0.825
    assert report["calibration_error"] == pytest.approx((3 * 0.1 + 0.6) / 4, abs=1e-4)
    assert report["confused"] == [{"true": "box", "predicted": "cup", "examples": 1}]


def test_tables():
    assert evaluate.confusion_table(ANSWERS, NAMES) == [
        {"true": "cup", "cup": 2, "box": 0},
        {"true": "box", "cup": 1, "box": 1},
    ]
    bins = evaluate.calibration_table(ANSWERS)
    assert [(row["examples"], row["confidence"], row["accuracy"]) for row in bins if row["examples"]] == [
        (1, 0.6, 0),
        (3, 0.9, 1),
    ]
    assert {row["accuracy"] for row in bins if not row["examples"]} == {""}


def test_mistakes():
    where = [{"index": i, "file": f"{i}.off"} for i in range(4)]
    assert evaluate.mistakes(ANSWERS, where, NAMES) == [
        {
            "index": 3, "file": "3.off", "dataset": "", "split": "", "true": "box", "predicted": "cup",
            "probability": 0.6, "cup": 0.6, "box": 0.4,
        }
    ]  # fmt: skip
    right = evaluate.Classification(ANSWERS.logits[:3], ANSWERS.labels[:3])
    (empty,) = evaluate.mistakes(right, where, NAMES)
    assert set(empty.values()) == {""}
