"""How good a classifier is, also by the vote of several views of each object."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from tfxai3d.errors import UserError
from tfxai3d.evaluate.answers import Answers
from tfxai3d.results import heads
from tfxai3d.results.heads import Head

if TYPE_CHECKING:
    import keras

    from tfxai3d.explain.engine.head import Reading
    from tfxai3d.explain.engine.network import Network


@dataclasses.dataclass(frozen=True)
class Classification(Answers):
    """A classifier's answers to labelled examples."""

    logits: np.ndarray  # scores (M,C)
    labels: np.ndarray  # true classes, int (M,)
    head: Head = "logits"  # what the scores are of; it decides what their probabilities are

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.logits.shape[-1])

    @property
    def predicted(self) -> np.ndarray:
        """The class with the highest score, int (M,)."""
        return np.argmax(self.logits, axis=-1)

    @property
    def probabilities(self) -> np.ndarray:
        """The model's own probabilities of all classes (M,C)."""
        return heads.probabilities(self.logits, self.head)

    @property
    def class_auc(self) -> np.ndarray:
        """Area under the ROC curve of each class against all others (C,); NaN for a class of none or all.

        This is the fraction of the pairs of an example of the class and another one in which the first has
        the higher probability of the class; equal ones count half.
        """
        ranks = stats.rankdata(heads.log_probabilities(self.logits.astype(np.float64), self.head), axis=0)
        own = self.labels[:, None] == np.arange(self.classes)
        inside, outside = own.sum(axis=0), (~own).sum(axis=0)
        with np.errstate(invalid="ignore"):
            wins = (ranks * own).sum(axis=0) - inside * (inside + 1) / 2
            return wins / (inside * outside)

    @property
    def auc(self) -> float:
        """Mean of the areas under the ROC curves of the classes that occur; NaN if only one does."""
        areas = self.class_auc
        return float(areas[~np.isnan(areas)].mean()) if not np.isnan(areas).all() else float("nan")

    def summary(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Returns the accuracies, the AUC if several classes occur, and the worst five, JSON-compatible."""
        summary, auc = super().summary(class_names), self.auc
        worst = summary.pop("worst_classes")
        return {**summary, **({} if np.isnan(auc) else {"auc": round(auc, 4)}), "worst_classes": worst}


def classify(
    model: Any, inputs: np.ndarray, labels: np.ndarray, batch_size: int = 64, verbose: bool = False
) -> Classification:
    """Runs a classifier over labelled examples.

    Args:
        model: Maps inputs to scores of classes; whatever an explainer takes.
        inputs: Examples (M,...).
        labels: True classes, int (M,).
        batch_size: Examples a forward pass.
        verbose: Show a progress bar.

    Raises:
        UserError: If the model returns a value, not scores of classes, or scores each point or voxel; if the
            inputs are not what it takes, or it takes several and none is held.
    """
    import keras

    from tfxai3d.explain.engine.answers import chosen, keras_head

    alone = isinstance(model, keras.Model) and len(getattr(model, "inputs", None) or [0]) == 1
    head, activated = keras_head(model) if alone else (None, None)
    predictor, net, name, output = model, None, f"model {getattr(model, 'name', '')!r}", None
    if head is None or activated is None:  # its answers tell it, by a graph of TensorFlow
        predictor, net, reading = _read(model, inputs, alone)
        name, output = reading.name, reading.output
        head, activated = reading.head or "logits", bool(reading.activated)
    heads.check_classes(head)
    if net is None:
        answers = chosen(predictor.predict(inputs, batch_size=batch_size, verbose=int(verbose)), name, output)
        answers = np.asarray(answers)
        answers = answers[:, None] if answers.ndim == 1 else answers
        scores = heads.scores_of(answers, head, activated)
    else:
        starts = range(0, len(inputs), batch_size)
        batches = (inputs[i : i + batch_size].astype(net.dtype, copy=False) for i in starts)
        scores = np.concatenate([np.asarray(net(keras.ops.convert_to_tensor(some))) for some in batches])
    if scores.ndim != 2:
        raise UserError(f"{name} scores each point or voxel {scores.shape}, not whole examples")
    return Classification(scores, np.asarray(labels), head)


def _read(
    model: Any, inputs: np.ndarray, alone: bool
) -> "tuple[keras.Model | None, Network | None, Reading]":
    """Returns the Keras model that predicts these inputs or else the network to call, and how both are read.

    `alone` says that the model is one of Keras with a single input; it may take anything.
    """
    import keras

    from tfxai3d.explain.engine.calls import reading_of
    from tfxai3d.explain.engine.network import network

    if alone:
        reading = reading_of(model)
        reading.settle(np.asarray(inputs[:2]))
        return model, None, reading
    net = network(model)
    if not net.accepts(np.shape(inputs)):
        raise UserError(f"inputs must be {net.inputs}, they are {np.shape(inputs)}")
    net.reading.settle(np.asarray(inputs[:2]))
    predicts = isinstance(net.model, keras.Model) and net.several is None
    if predicts and net.layout.fits(np.shape(inputs)[1:]):
        return net.model, None, net.reading
    return None, net, net.reading


def vote(
    model: Any,
    views: Iterable[np.ndarray],
    labels: np.ndarray,
    batch_size: int = 64,
    verbose: bool = False,
) -> Classification:
    """Classifies objects by the mean of the probabilities that a model gives to their views.

    Logits have no bound: by these, one view of which the model is wildly sure could outvote all others.

    Args:
        model: Maps inputs to scores of classes; whatever an explainer takes.
        views: Each holds one view of every object (M,...), such as `Split.views` of tfxai3d.data makes.
        labels: True classes, int (M,).
        batch_size: Examples a forward pass.
        verbose: Show a progress bar for each view.

    Returns:
        The answers; their scores are those that have the mean probabilities.
    """
    total: np.ndarray | float = 0.0
    count = 0
    for view in views:
        answers = classify(model, view, labels, batch_size, verbose)
        total, count = total + answers.probabilities.astype(np.float64), count + 1
    scores = heads.scores_of(np.asarray(total / count), answers.head, activated=True)
    return dataclasses.replace(answers, logits=scores)
