"""What answers and explanations come to: a summary, tables of confusion, parts, mistakes, and facts."""

import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.evaluate.answers import Answers
from tfxai3d.evaluate.calibration import reliability
from tfxai3d.evaluate.classification import Classification
from tfxai3d.evaluate.geometry import importance_fraction
from tfxai3d.evaluate.segmentation import Segmentation
from tfxai3d.results.explanation import Explanation
from tfxai3d.storage import AnyPath

Record = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Mistake:
    """A misclassified example."""

    index: int  # its number in its split
    true: str  # its class
    predicted: str  # the class that the network took it for


def classification_report(result: Classification, class_names: Sequence[str]) -> Record:
    """Returns accuracies, calibration, the worst classes and the most confused pairs, JSON-compatible."""
    return {
        **result.summary(class_names),
        "calibration_error": round(reliability(result).expected_error, 4),
        "mean_confidence": round(float(result.probabilities.max(axis=-1).mean()), 4),
        "confused": _confused(result, class_names, "examples"),
    }


def segmentation_report(result: Segmentation, kind: str) -> Record:
    """Returns accuracies, the overlap, and the most confused pairs, JSON-compatible.

    Args:
        result: The answers.
        kind: What is counted, "points" or "voxels".
    """
    overlap = {name: round(value, 4) for name, value in result.iou_by_category().items()}
    summary = result.summary(result.class_names)
    del summary["worst_categories"]  # all of them follow
    return {
        **summary,
        "category_iou": overlap,
        "confused": _confused(result, result.class_names, kind),
    }


def _confused(result: Answers, class_names: Sequence[str], counted: str) -> list[Record]:
    return [
        {"true": class_names[true], "predicted": class_names[predicted], counted: count}
        for true, predicted, count in result.confused_pairs(10)
    ]


def part_table(result: Segmentation, kind: str) -> list[Record]:
    """Returns one record a class that occurs: its places, their accuracy, and its mean overlap by example.

    Args:
        result: The answers.
        kind: What is counted, "points" or "voxels".
    """
    counts, accuracy, iou = result.confusion.sum(axis=1), result.class_accuracy, result.iou
    return [
        {
            "class": result.class_names[number],
            kind: int(counts[number]),
            "accuracy": _rounded(accuracy[number]),
            "iou": _rounded(np.nanmean(iou[:, number])),
        }
        for number in np.flatnonzero(counts).tolist()
    ]


def overlap_table(result: Segmentation, where: Sequence[Record]) -> list[Record]:
    """Returns one record an example: where it is from, its accuracy, and its overlap by category."""
    right = (result.predicted == result.labels).reshape(len(where), -1).mean(axis=1)
    rows = zip(where, right, result.category_iou, strict=True)
    return [
        place | {"category": name, "accuracy": _rounded(accuracy), "mean_iou": _rounded(value)}
        for place, accuracy, values in rows
        for name, value in zip(result.categories, values, strict=True)
        if not np.isnan(value)
    ]


def confusion_table(result: Answers, class_names: Sequence[str]) -> list[Record]:
    """Returns one record a true class, with the count of each predicted class."""
    rows = zip(class_names, result.confusion.tolist(), strict=True)
    return [{"true": name} | dict(zip(class_names, row, strict=True)) for name, row in rows]


def calibration_table(result: Classification) -> list[Record]:
    """Returns one record a bin of confidence: limits, examples, mean confidence and accuracy."""
    found = reliability(result)
    columns = zip(found.edges, found.edges[1:], found.counts, found.confidence, found.accuracy, strict=False)
    names = ("above", "up_to", "examples", "confidence", "accuracy")
    return [dict(zip(names, map(_rounded, row), strict=True)) for row in columns]


def mistakes(result: Classification, where: Sequence[Record], class_names: Sequence[str]) -> list[Record]:
    """Returns one record a misclassified example; a single one without values if there is none.

    Args:
        result: The answers to M examples.
        where: For each example where it is from: its `index`, and `file`, or `dataset` and `split`.
        class_names: Names of the classes.

    Returns:
        Records with where the example is from, its true and its predicted class, the probability of that, and
        the probability of each class by its name.
    """
    wrong = np.flatnonzero(result.predicted != result.labels)
    columns = ("index", "file", "dataset", "split", "true", "predicted", "probability", *class_names)
    return [
        dict.fromkeys(columns, "")
        | where[i]
        | {"true": class_names[result.labels[i]], "predicted": class_names[result.predicted[i]]}
        | {"probability": _rounded(result.probabilities[i].max())}
        | dict(zip(class_names, map(_rounded, result.probabilities[i]), strict=True))
        for i in wrong.tolist()
    ] or [dict.fromkeys(columns, "")]


def read_mistakes(path: AnyPath) -> list[Mistake]:
    """Reads a CSV file with the columns index, true and predicted; further ones are passed over.

    Raises:
        UserError: If there is no such file or it holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; give the mistakes.csv of an evaluation")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            table = csv.DictReader(file)
            rows = list(table)
        lines = [line for line in rows if line["index"]]
        whole = {"index", "true", "predicted"} <= {*(table.fieldnames or ())}
        whole = whole and not any(None in row for row in rows)
        if whole and all(line["index"].isdigit() and line["true"] and line["predicted"] for line in lines):
            return [Mistake(int(line["index"]), line["true"], line["predicted"]) for line in lines]
    except (KeyError, ValueError, csv.Error):
        pass
    raise UserError(f"{path}: not a list with index, true and predicted of each mistake")


def decision_facts(explanation: Explanation) -> Record:
    """Returns what an explanation of one example is about, JSON-compatible.

    That is `target`, `predicted`, `scores` by class, and for a contrast `against`.
    """
    name = explanation.class_name
    facts: Record = {
        "target": name(int(explanation.target[0])),
        "predicted": name(int(explanation.predicted[0])),
        "scores": {name(i): round(float(score), 4) for i, score in enumerate(explanation.scores[0])},
    }
    if explanation.against is not None:
        facts["against"] = name(int(explanation.against[0]))
    return facts


def explanation_facts(explanation: Explanation) -> Record:
    """Returns a method's options and checks on its answer for one example, JSON-compatible.

    That is `options`; of a path method `convergence_delta` and `sum_of_attributions`; of occupancy
    `importance_in_empty_space`, the fraction of the importance there, if there is any importance.
    """
    facts: Record = {"options": explanation.options}
    if explanation.convergence_delta is not None:
        facts["convergence_delta"] = float(explanation.convergence_delta[0])
        facts["sum_of_attributions"] = float(explanation.attributions.sum(dtype=np.float64))
    shares = explanation.channel_shares[0]
    if len(shares) > (3 if explanation.kind == "points" else 1):
        facts["channel_shares"] = [round(float(share), 4) for share in shares]
    if explanation.is_occupancy:
        (fraction,) = importance_fraction(explanation.importance, np.all(explanation.channels <= 0, axis=-1))
        if not np.isnan(fraction):
            facts["importance_in_empty_space"] = round(float(fraction), 4)
    return facts


def _rounded(value: Any) -> Any:
    """Returns a number for a table; an empty cell for NaN."""
    return "" if np.isnan(value) else round(value.item(), 4)
