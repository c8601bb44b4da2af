"""What training and pruning share: the numbers that decide a fit, its batches, and the preset at its end."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import keras
import numpy as np

from tfxai3d import __version__, data, models
from tfxai3d.data.augment.epochs import Batches
from tfxai3d.data.orientation import normal_columns
from tfxai3d.errors import UserError
from tfxai3d.training.fit import compile_classifier

AUGMENTATIONS = {"points": ("scale_axes", "shift_far"), "voxels": ("flip", "shift")}
"""The usual augmentations of each kind of data."""


class Answers(Protocol):
    """What a classifier said of labelled examples, as `evaluate.classify` returns it."""

    @property
    def overall_accuracy(self) -> float:
        """Fraction of the examples that are classified right."""

    @property
    def auc(self) -> float:
        """Mean area under the ROC curves of the classes; NaN if only one occurs, or of points."""

    def summary(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Returns the accuracies, JSON-compatible."""


Classify = Callable[[keras.Model, np.ndarray, np.ndarray], Answers]
"""Runs a model over inputs (M,...) and their labels (M,): `evaluate.classify`, which is above this room."""


class Stage(NamedTuple):
    """A part of a training: its epochs see so many points of a cloud, or voxels along an axis."""

    size: int
    epochs: int


def parse_stages(texts: Sequence[str]) -> list[Stage]:
    """Returns the stages that texts such as "512x12" say, of which there must be one."""
    try:
        stages = [Stage(int(size), int(epochs)) for size, epochs in (text.split("x") for text in texts)]
    except ValueError:
        stages = []
    if not stages or min(min(stage) for stage in stages) < 1:
        raise UserError(f"stages={','.join(texts)}: write points x epochs, such as 512x12,1024x4")
    return stages


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a classifier is fitted, whether it is trained or pruned."""

    batch_size: int = 32  # examples a step
    learning_rate: float = 1e-3  # its peak
    weight_decay: float = 0.01  # decoupled decay of the matrices
    label_smoothing: float = 0.2  # part of the label that is spread over all classes
    dropout: float | None = None  # dropout rate of the head; None is the network's own
    # Names of augmentations, in order; None is the usual ones, see `AUGMENTATIONS`.
    augment: Sequence[str] | None = None
    seed: int = 0  # seed of the weights, the batches and the dropout

    def compile(self, model: keras.Model, steps: int, warmup_steps: int, **head: Any) -> None:
        """Compiles a model for a fit of so many steps, see `compile_classifier`, which `head` is for too."""
        own = {name: getattr(self, name) for name in ("learning_rate", "weight_decay", "label_smoothing")}
        compile_classifier(model, steps=steps, warmup_steps=warmup_steps, **own, **head)

    def steps_per_epoch(self, train: data.Split) -> int:
        """Returns the number of whole batches, of which there must be one."""
        if self.batch_size > len(train):
            raise UserError(f"batch_size={self.batch_size} is larger than the {len(train)} training examples")
        return len(train) // self.batch_size

    def batches(self, train: data.Split, kind: str, size: int | None) -> Callable[[int], Batches]:
        """Returns what makes the batches of an epoch, given its number.

        `size` points are drawn of each cloud, or grids are coarsened to so many voxels along an axis, if it
        is not None.
        """
        names = AUGMENTATIONS[kind] if self.augment is None else self.augment
        normals = normal_columns(train.inputs[:64]) if kind == "points" else None
        augment = data.voxel_augmentation(names) if kind == "voxels" else data.augmentation(names, normals)
        shared: dict[str, Any] = {"num_classes": len(train.class_names), "batch_size": self.batch_size}

        def make(epoch: int) -> Batches:
            options = shared | {"augment": augment, "seed": (self.seed, epoch)}
            if kind == "voxels":
                return data.voxel_batches(train.inputs, train.labels, size=size, **options)
            count = size or train.inputs.shape[1]
            return data.training_batches(train.inputs, train.labels, num_points=count, **options)

        return make

    def settings(self, train: data.Split, test: data.Split) -> dict[str, Any]:
        """Returns what decides the result of a run with these data, by name, JSON-compatible."""
        own = dataclasses.asdict(self)
        features = {"features": list(train.features)} if train.features else {}
        return {**own, "data": origin(train), "num_train": len(train), "num_test": len(test), **features}


def origin(split: data.Split) -> str:
    """Returns the name of the data set that a split is from: its folder's, or that they are shapes."""
    where = split.where[0]
    return Path(where["dataset"]).name if "dataset" in where else Path(where["file"]).parents[2].name


def without_empty(train: data.Split, kind: str) -> tuple[data.Split, list[int]]:
    """Returns the examples that hold anything, and the numbers of the empty voxel grids."""
    if kind == "points":
        return train, []
    empty = data.find_empty(train.inputs)
    numbers = np.flatnonzero(empty).tolist()
    if numbers:
        listed = ", ".join(map(str, numbers))
        print(f"skipped {len(numbers)} of {len(train)} training grids, empty ones: {listed}", flush=True)
    return train[~empty], numbers


def sized(inputs: np.ndarray, model: keras.Model) -> np.ndarray:
    """Returns grids (M,D,D,D,C) at the size that a model takes, if it is one, points as they are."""
    size = model.input_shape[1]
    return inputs if inputs.ndim != 5 or size is None else np.asarray(data.coarsen(inputs, size))


def write_preset(
    model: keras.Model,
    folder: Path,
    facts: Mapping[str, Any],
    measure: Callable[[keras.Model], Mapping[str, Any]],
) -> dict[str, Any]:
    """Saves a model as a preset and returns its card, which says `facts` of the making.

    What `measure` returns, of the model as it is loaded back from float16 matrices, completes the card.
    """
    card = {**facts, "parameters": model.count_params(), "tfxai3d": __version__}
    models.save_preset(model, folder, card)
    card |= measure(models.from_preset(folder))
    models.save_preset(model, folder, card)
    return card


def test_facts(model: keras.Model, test: data.Split, answers: Answers) -> dict[str, Any]:
    """Returns what a card says of a model's test: the size of the examples and the accuracies."""
    inputs = sized(test.inputs[:1], model)
    kind = "voxels" if inputs.ndim == 5 else "points"
    return {kind: inputs.shape[1], **answers.summary(test.class_names)}
