"""Predicted beside true classes: accuracies and confusions, whether of whole examples or of their points."""

import abc
from collections.abc import Sequence
from typing import Any

import numpy as np


class Answers(abc.ABC):
    """A model's answers to labelled examples: one class each, or one for each point or voxel.

    Attributes:
        labels: True classes, int (M,) or (M,...).
    """

    labels: np.ndarray

    @property
    @abc.abstractmethod
    def classes(self) -> int:
        """Number of classes."""

    @property
    @abc.abstractmethod
    def predicted(self) -> np.ndarray:
        """The class with the highest score, int, as the labels."""

    @property
    def overall_accuracy(self) -> float:
        """Fraction of all answers that are right."""
        return float(np.mean(self.predicted == self.labels))

    @property
    def class_accuracy(self) -> np.ndarray:
        """Fraction of what is of each class that is answered right (C,); NaN for a class without any."""
        matrix = self.confusion
        with np.errstate(invalid="ignore"):
            return np.diag(matrix) / matrix.sum(axis=1)

    @property
    def mean_class_accuracy(self) -> float:
        """Mean of the accuracies of the classes that occur."""
        return float(np.nanmean(self.class_accuracy))

    @property
    def confusion(self) -> np.ndarray:
        """Counts of true class (rows) against predicted class (columns), int (C,C)."""
        pairs = (self.labels.astype(np.int64) * self.classes + self.predicted).ravel()
        return np.bincount(pairs, minlength=self.classes**2).reshape(self.classes, self.classes)

    def confused_pairs(self, limit: int) -> list[tuple[int, int, int]]:
        """Returns the most frequent mistakes as (true class, predicted class, how many)."""
        wrong = self.confusion * (1 - np.eye(self.classes, dtype=int))
        order = np.argsort(-wrong, axis=None, kind="stable")[:limit]
        pairs = zip(*np.unravel_index(order, wrong.shape), strict=True)
        return [(int(i), int(j), int(wrong[i, j])) for i, j in pairs if wrong[i, j]]

    def summary(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Returns the accuracies and the five worst classes, JSON-compatible."""
        accuracy = self.class_accuracy
        worst = np.argsort(accuracy)[: min(5, int(np.isfinite(accuracy).sum()))]
        return {
            "examples": len(self.labels),
            "overall_accuracy": round(self.overall_accuracy, 4),
            "mean_class_accuracy": round(self.mean_class_accuracy, 4),
            "worst_classes": {class_names[i]: round(float(accuracy[i]), 4) for i in worst},
        }
