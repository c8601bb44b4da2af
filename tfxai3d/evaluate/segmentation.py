"""How good a model is that classifies each point or voxel: accuracy, and the overlap of the parts."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from tfxai3d.errors import UserError
from tfxai3d.evaluate.answers import Answers


@dataclasses.dataclass(frozen=True)
class Segmentation(Answers):
    """A model's answers to examples whose points or voxels are labelled.

    The overlap is measured as on ShapeNet's parts (Yi et al., "A scalable active framework for region
    annotation in 3D shape collections", 2016; Qi et al., CVPR 2017, section 5.1). Of each part of an
    example's category it is the intersection over the union (IoU) of where the part is and where it is
    predicted, 1 if it is neither; their mean is that of the example. The published networks are told the
    category; where a network is not, its mistakes about it count as well.
    """

    predicted_classes: np.ndarray  # int (M,...)
    labels: np.ndarray  # true classes, int (M,...)
    class_names: tuple[str, ...]  # parts of a category as "chair/leg"; without a slash all are of one

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def predicted(self) -> np.ndarray:
        """The class with the highest score, int (M,...)."""
        return self.predicted_classes

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the categories, K of them, in the order of their parts."""
        return tuple(dict.fromkeys(map(_category, self.class_names)))

    @property
    def iou(self) -> np.ndarray:
        """Intersection over union of each class by example (M,C); NaN where it neither is nor is seen."""
        true, seen = self._counts(self.labels), self._counts(self.predicted)
        right = self._counts(np.where(self.predicted == self.labels, self.labels, self.classes))
        with np.errstate(invalid="ignore"):
            return right / (true + seen - right)

    @property
    def category_iou(self) -> np.ndarray:
        """Mean over the parts of each category, in each example (M,K); NaN where it has none of them."""
        of = np.array([[_category(name) == kind for kind in self.categories] for name in self.class_names])
        mean = np.nan_to_num(self.iou, nan=1.0) @ of / of.sum(axis=0)
        return np.where(self._counts(self.labels) @ of > 0, mean, np.nan)

    @property
    def mean_iou(self) -> float:
        """Mean over the examples."""
        return float(np.nanmean(np.nanmean(self.category_iou, axis=1)))

    @property
    def mean_category_iou(self) -> float:
        """Mean over the categories that occur of the mean over their examples."""
        return float(np.mean(list(self.iou_by_category().values())))

    @property
    def auc(self) -> float:
        """NaN: of each place the class alone is kept, no probabilities."""
        return float("nan")

    def iou_by_category(self) -> dict[str, float]:
        """Returns the mean over the examples of each category that occurs, by its name, the worst first."""
        occurs = ~np.isnan(self.category_iou).all(axis=0)
        means = np.nanmean(self.category_iou[:, occurs], axis=0)
        names = np.array(self.categories)[occurs]
        return {str(names[i]): float(means[i]) for i in np.argsort(means, kind="stable")}

    def summary(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Returns the accuracies, the overlap, and the five worst classes and categories."""
        worst = list(self.iou_by_category().items())[:5]
        return {
            **super().summary(class_names),
            "mean_iou": round(self.mean_iou, 4),
            "mean_category_iou": round(self.mean_category_iou, 4),
            "worst_categories": {name: round(value, 4) for name, value in worst},
        }

    def _counts(self, classes: np.ndarray) -> np.ndarray:
        """Returns how many places of each example are of each class (M,C); those above C are left out."""
        size = self.classes + 1
        flat = classes.reshape(len(classes), -1) + np.arange(len(classes))[:, None] * size
        return np.bincount(flat.ravel(), minlength=len(classes) * size).reshape(-1, size)[:, :-1]


def segment(
    model: Any,
    inputs: np.ndarray,
    labels: np.ndarray,
    batch_size: int = 32,
    verbose: bool = False,
) -> Segmentation:
    """Runs a model over examples whose points or voxels are labelled.

    Args:
        model: Maps inputs to scores of each point or voxel (B,...,C); whatever an explainer takes.
        inputs: Examples (M,...).
        labels: True classes, int (M,N) or (M,D,H,W).
        batch_size: Examples a forward pass; no more scores are held at once.
        verbose: Show a progress bar.

    Raises:
        UserError: If the model scores whole examples, or other places than are labelled.
    """
    predict, name, names = _predictor(model)
    starts = tqdm(range(0, len(inputs), batch_size), unit="batch", disable=not verbose)
    predicted = np.concatenate([predict(inputs[i : i + batch_size]) for i in starts])
    if predicted.shape != labels.shape:
        raise UserError(
            f"{name} gives one class to each of {predicted.shape}, and the labels are of {labels.shape}"
        )
    names = names or tuple(map(str, range(int(labels.max()) + 1)))
    return Segmentation(predicted, np.asarray(labels), names)


def _predictor(model: Any) -> tuple[Callable[[np.ndarray], np.ndarray], str, tuple[str, ...] | None]:
    """Returns the function from examples to the classes of places, the model's name, and the classes'."""
    import keras

    if keras.backend.backend() != "tensorflow":  # a model of Keras, since all else is of TensorFlow
        return lambda some: np.argmax(model.predict_on_batch(some), -1), model.name, model.class_names
    import tensorflow as tf

    from tfxai3d.explain.engine.network import network

    net = network(model)
    classes = tf.function(lambda batch: tf.argmax(net(batch), axis=-1, output_type=tf.int32), autograph=False)
    names = net.class_names or (tuple(map(str, range(net.classes))) if net.classes else None)
    return lambda some: classes(tf.constant(some.astype(net.dtype, copy=False))).numpy(), net.name, names


def _category(name: str) -> str:
    return name.rpartition("/")[0] or "all"
