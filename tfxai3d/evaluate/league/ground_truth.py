"""Networks and examples whose reasons are known by construction."""

from pathlib import Path

import keras
import numpy as np

from tfxai3d import data, models, training
from tfxai3d.errors import UserError
from tfxai3d.evaluate.classification import classify
from tfxai3d.evaluate.faithfulness.subject import Subject
from tfxai3d.storage import AnyPath

_TRAIN, _EPOCHS, _BATCH = 1000, 8, 32
_ENOUGH = 0.9
_WEIGHTS = "network.weights.h5"


def known_reason(
    name: str, num_examples: int, num_points: int = 512, folder: AnyPath | None = None, seed: int = 0
) -> tuple[Subject, float]:
    """Trains a basic PointNet to tell two classes apart, and returns examples it is right of.

    Args:
        name: One of `data.shapes.GROUND_TRUTHS`.
        num_examples: Examples of the class that has the reason.
        num_points: Points of each.
        folder: Keeps the weights: called again, nothing is trained.
        seed: Of the training set and the training; the examples have another.

    Returns:
        The examples with the truth, and the network's accuracy on unseen examples of both classes.

    Raises:
        UserError: If the name is unknown, or the network has not learnt the difference, so that nothing could
            be said of its reasons.
    """
    seen = data.shapes.make_ground_truth(name, _TRAIN, num_points, seed)
    with_weights = Path(folder) / _WEIGHTS if folder is not None else None
    model = models.PointNet(2, "basic", dropout=0.0, class_names=seen.class_names)
    if with_weights is not None and with_weights.exists():
        model.load_weights(with_weights)
    else:
        _fit(model, seen, seed)
        if with_weights is not None:
            with_weights.parent.mkdir(parents=True, exist_ok=True)
            model.save_weights(with_weights)
    unseen = data.shapes.make_ground_truth(name, 4 * num_examples, num_points, seed + 1)
    right = classify(model, unseen.points, unseen.labels).predicted == unseen.labels
    accuracy = float(right.mean())
    chosen = np.flatnonzero(right & (unseen.labels == 1))[:num_examples]
    if accuracy < _ENOUGH or not len(chosen):
        raise UserError(f"{name}: the network is right of {accuracy:.0%} alone; give more num_points")
    truth = unseen.reason[chosen]
    return Subject(model, unseen.points[chosen], unseen.labels[chosen], truth, seed=seed), accuracy


def _fit(model: models.PointNet, seen: data.shapes.GroundTruth, seed: int) -> None:
    keras.utils.set_random_seed(seed)
    steps = _EPOCHS * (_TRAIN // _BATCH)
    training.compile_classifier(model, steps=steps, warmup_steps=steps // 10)
    labels = keras.utils.to_categorical(seen.labels, 2)
    model.fit(seen.points, labels, batch_size=_BATCH, epochs=_EPOCHS, verbose=0)
