"""A classifier trained from the beginning: stages of growing examples, the best epoch, and a preset."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np

from tfxai3d import data, models
from tfxai3d.errors import UserError
from tfxai3d.storage import AnyPath, run_folder
from tfxai3d.training import recipe as common
from tfxai3d.training.distribution import Replicas
from tfxai3d.training.fit import History, fit_resumable
from tfxai3d.training.net2net import widened
from tfxai3d.training.recipe import Classify, Recipe, Stage, sized, test_facts

if TYPE_CHECKING:
    import tensorflow as tf


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingRecipe(Recipe):
    """How a network is trained.

    An early stage sees less of each example, which teaches nearly as much in a fraction of the time: random
    subsets of a cloud's points (PointNet++ then has proportionally fewer centroids and neighbours), or
    coarser voxels. Each continues from the checkpoint of the one before.

    Raises:
        UserError: If they do not go together.
    """

    model: str = "pointnet"  # the network, see `models.architectures`
    variant: str | None = None  # its published form; None is the first of its `variants`
    width: float = 1.0  # scales the numbers of channels, of VRN and ResNet3D only
    # Says of ResNet3D that the examples are distance fields, opened with this `truncation`.
    truncation: float | None = None
    # Preset or folder whose weights to start from, those of a narrower network too; None for random ones.
    initial: str | None = None
    # Points (or voxels along an axis) x epochs of each stage, in order, such as "512x12".
    stages: Sequence[str] = ("512x12", "1024x4")
    # Part of the examples held back, to choose the best epoch of the last stage; with 0 it is the last.
    validation_fraction: float = 0.0
    choose_by: Literal["accuracy", "auc"] = "accuracy"  # what the best epoch has most of
    precision: str = "float32"  # Keras dtype policy

    def __post_init__(self) -> None:
        stages, network = self.parsed_stages, models.get(self.model)
        for stage in stages:
            try:
                network.stage_options(stage.size)
            except UserError as error:
                raise UserError(f"stages={','.join(self.stages)}: {error}") from error
        if self.variant and self.variant not in network.variants:
            known = ", ".join(network.variants) or "none"
            raise UserError(f"variant={self.variant} is not one of {self.model}: {known}")
        if network.segments and self.choose_by == "auc":
            raise UserError(
                f"choose_by=auc: the network {self.model} classifies points, which have no AUC here"
            )
        for name in self._chosen().keys() - set(network.options()):
            raise UserError(f"{name}={getattr(self, name)}: the network {self.model} has no {name}")

    @property
    def parsed_stages(self) -> list[Stage]:
        """The stages as numbers."""
        return common.parse_stages(self.stages)

    @property
    def kind(self) -> Any:
        """What the network takes, "points" or "voxels"."""
        return models.get(self.model).data_kind

    def build(
        self, size: int, class_names: tuple[str, ...], options: Mapping[str, Any] | None = None
    ) -> models.Classifier:
        """Builds the network for examples of a size; those of all sizes have the same weights.

        Args:
            size: Points of an example, or voxels along an axis.
            class_names: Names of the classes.
            options: Further options of the network, such as its `data_options`.
        """
        network = models.get(self.model)
        options = self._chosen() | network.stage_options(size) | dict(options or {})
        model = network(len(class_names), class_names=class_names, name=self.model, **options)
        if self.initial is not None:
            narrow = models.from_preset(self.initial)
            try:
                shapes = [tuple(variable.shape) for variable in model.weights]
                model.set_weights(widened(narrow, shapes, self.seed))
            except UserError as error:
                raise UserError(f"initial={self.initial}: {error}") from error
        return model

    def _chosen(self) -> dict[str, Any]:
        """Returns the network's options that are not its own defaults."""
        usual = {"variant": None, "dropout": None, "width": 1.0, "truncation": None}
        return {name: getattr(self, name) for name, value in usual.items() if getattr(self, name) != value}


def train(
    recipe: TrainingRecipe,
    train: data.Split,
    test: data.Split,
    output_dir: AnyPath,
    *,
    classify: Classify,
    validation: data.Split | None = None,
    strategy: "tf.distribute.Strategy | None" = None,
    tensorboard: bool = False,
    facts: Mapping[str, Any] | None = None,
) -> dict[str, Any] | None:
    """Trains a classifier, or goes on after the last finished epoch, and writes it as a preset.

    Writes what `fit_resumable` does, `best` with `validation_fraction`, and `preset` with its card.

    Args:
        recipe: How.
        train: Examples to train on.
        test: Examples that tell how good the preset is.
        output_dir: Folder of the run.
        classify: `evaluate.classify`.
        validation: Examples to choose the best epoch of the last stage on, in place of a part of `train`.
        strategy: Distributes each batch among several devices, see `Replicas`.
        tensorboard: Also write scalars for TensorBoard.
        facts: More that the card shall say.

    Returns:
        The preset's card; None on a worker that is not the first one.

    Raises:
        UserError: If the data do not fit the recipe, or the folder holds a run with other settings.
    """
    output_dir = Path(output_dir)
    settings = recipe.settings(train, test)
    examples, skipped = common.without_empty(train, recipe.kind)
    if validation is None:
        examples, held_back = _hold_back(examples, recipe.validation_fraction, recipe.seed)
    elif recipe.validation_fraction:
        raise UserError(f"validation_fraction={recipe.validation_fraction}: there is a split to validate on")
    else:
        held_back, settings = validation, settings | {"num_val": len(validation)}
    if recipe.truncation is not None and examples.inputs.dtype == np.uint8:
        raise UserError(f"truncation={recipe.truncation}: these examples are occupancy, not distances")
    options = models.get(recipe.model).data_options(examples.inputs)
    options |= {"features": examples.features} if examples.features else {}
    if strategy is not None and recipe.batch_size % strategy.num_replicas_in_sync:
        devices = strategy.num_replicas_in_sync
        raise UserError(f"batch_size={recipe.batch_size} cannot be divided among {devices} devices")
    steps, epochs = recipe.steps_per_epoch(examples), sum(stage.epochs for stage in recipe.parsed_stages)
    stages = [(s, recipe.batches(examples, recipe.kind, s.size)) for s in recipe.parsed_stages]
    run = run_folder(output_dir, settings, "checkpoints/epoch-*.npz", shared=strategy is not None)

    def measure(loaded: keras.Model) -> dict[str, Any]:
        return {"test": test_facts(loaded, test, classify(loaded, sized(test.inputs, loaded), test.labels))}

    keras.utils.set_random_seed(recipe.seed)
    with run:
        begin = end = 0
        for stage, batches in stages:
            begin, end = end, end + stage.epochs
            with _precision(recipe.precision):
                with strategy.scope() if strategy is not None else contextlib.nullcontext():
                    model = recipe.build(stage.size, train.class_names, options)
                    recipe.compile(model, steps * epochs, warmup_steps=steps)
                chooser = None
                if held_back is not None:
                    chooser = _BestEpoch(model, held_back, begin, output_dir, classify, recipe.choose_by)
                history = fit_resumable(
                    model, batches, end, output_dir, validate=chooser, tensorboard=tensorboard
                )
        if not Replicas(model).chief:
            return None
        if held_back is not None:
            model = models.from_preset(output_dir / "best")
        part = None if held_back is None else "a part held back" if validation is None else "val"
        card = {"data": settings["data"], **_choice(recipe, history, begin, part), **(facts or {})}
        if recipe.kind == "voxels":
            empty = np.flatnonzero(data.find_empty(test.inputs)).tolist()
            card |= {"skipped_empty_grids_of_train": skipped, "empty_grids_kept_in_test": empty}
        # In the precision that it will be loaded in, not that of the training.
        return common.write_preset(model, output_dir / "preset", card, measure)


@contextlib.contextmanager
def _precision(policy: str) -> Iterator[None]:
    """Makes what is built in the block follow a Keras dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


class _BestEpoch:
    """Measures the model on held-back data and keeps the best one of this stage in `best`."""

    def __init__(
        self, model: Any, held_back: data.Split, first: int, output_dir: Path, classify: Classify, by: str
    ):
        self.model, self.first, self.folder, self.classify = model, first, output_dir / "best", classify
        self.inputs, self.labels, self.by = sized(held_back.inputs, model), held_back.labels, by
        if by == "auc" and len(np.unique(self.labels)) < 2:
            raise UserError("choose_by=auc: all examples to choose the epoch on are of one class")

    def __call__(self, history: History) -> dict[str, float]:
        answers = self.classify(self.model, self.inputs, self.labels)
        measured = {"accuracy": answers.overall_accuracy, "auc": answers.auc}
        measured = {name: value for name, value in measured.items() if not np.isnan(value)}
        if all(measured[self.by] > record[f"validation_{self.by}"] for record in history[self.first :]):
            card = {f"validation_{name}": value for name, value in measured.items()}
            models.save_preset(self.model, self.folder, card)
        return measured


def _hold_back(train: data.Split, fraction: float, seed: int) -> tuple[data.Split, data.Split | None]:
    if not fraction:
        return train, None
    order = np.random.default_rng(seed).permutation(len(train))
    held, kept = np.split(order, [max(1, round(fraction * len(order)))])
    return train[kept], train[held]


def _choice(recipe: TrainingRecipe, history: History, first: int, part: str | None) -> dict[str, Any]:
    """Returns what the card says of the epochs, and of the one chosen from those after the first so many.

    `part` names the examples that it was chosen on, if any.
    """
    split, choice = "trained on train", f"{history[-1]['epoch']}, the last"
    if part is not None:
        best = max(history[first:], key=lambda record: record[f"validation_{recipe.choose_by}"])
        split += f", epoch chosen by {recipe.choose_by} on {part}"
        choice = f"{best['epoch']}, the best on {part}"
    return {
        "split": split,
        "epoch_choice": choice,
        "epochs": len(history),
        "stages": list(recipe.stages),
        "seed": recipe.seed,
    }
