"""A classifier trained from the beginning: stages of growing examples, the best epoch, and a preset."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    width: float = 1.0  # scales the numbers of channels, of VRN only
    # Preset or folder whose weights to start from, those of a narrower network too; None for random ones.
    initial: str | None = None
    # Points (or voxels along an axis) x epochs of each stage, in order, such as "512x12".
    stages: Sequence[str] = ("512x12", "1024x4")
    # Part of the examples held back, to choose the best epoch of the last stage; with 0 it is the last.
    validation_fraction: float = 0.0
    precision: str = "float32"  # Keras dtype policy

    def __post_init__(self) -> None:
        stages, network = self.parsed_stages, models.get(self.model)
        if network.data_kind == "voxels" and any(size not in (16, 32) for size, _ in stages):
            raise UserError(f"stages={','.join(self.stages)}: voxels come in 16 or 32 along an axis")
        if self.variant and self.variant not in network.variants:
            known = ", ".join(network.variants) or "none"
            raise UserError(f"variant={self.variant} is not one of {self.model}: {known}")
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

    def build(self, size: int, class_names: tuple[str, ...]) -> models.Classifier:
        """Builds the network for examples of a size; those of all sizes have the same weights."""
        network = models.get(self.model)
        options = self._chosen() | network.stage_options(size)
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
        usual = {"variant": None, "dropout": None, "width": 1.0}
        return {name: getattr(self, name) for name, value in usual.items() if getattr(self, name) != value}


def train(
    recipe: TrainingRecipe,
    train: data.Split,
    test: data.Split,
    output_dir: AnyPath,
    *,
    classify: Classify,
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
    examples, held_back = _hold_back(examples, recipe.validation_fraction, recipe.seed)
    if strategy is not None and recipe.batch_size % strategy.num_replicas_in_sync:
        devices = strategy.num_replicas_in_sync
        raise UserError(f"batch_size={recipe.batch_size} cannot be divided among {devices} devices")
    steps, epochs = recipe.steps_per_epoch(examples), sum(stage.epochs for stage in recipe.parsed_stages)
    stages = [(s, recipe.batches(examples, recipe.kind, s.size)) for s in recipe.parsed_stages]
    run = run_folder(output_dir, settings, "checkpoints/epoch-*.npz", shared=strategy is not None)

    def measure(loaded: keras.Model) -> dict[str, Any]:
        return {"test": test_facts(loaded, test, classify(loaded, sized(test.inputs, loaded), test.labels))}

    keras.utils.set_random_seed(recipe.seed)
    with run, _precision(recipe.precision):
        begin = end = 0
        for stage, batches in stages:
            begin, end = end, end + stage.epochs
            with strategy.scope() if strategy is not None else contextlib.nullcontext():
                model = recipe.build(stage.size, train.class_names)
                recipe.compile(model, steps * epochs, warmup_steps=steps)
            chooser = _BestEpoch(model, held_back, begin, output_dir, classify) if held_back else None
            options: dict[str, Any] = {"validate": chooser, "tensorboard": tensorboard}
            history = fit_resumable(model, batches, end, output_dir, **options)
        if not Replicas(model).chief:
            return None
        if held_back:
            model = models.from_preset(output_dir / "best")
        card = {"data": settings["data"], **_choice(recipe, history, begin), **(facts or {})}
        if recipe.kind == "voxels":
            empty = np.flatnonzero(data.find_empty(test.inputs)).tolist()
            card |= {"skipped_empty_grids_of_train": skipped, "empty_grids_kept_in_test": empty}
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
    """Measures the accuracy on held-back data and keeps the best model of this stage in `best`."""

    def __init__(self, model: Any, held_back: data.Split, first: int, output_dir: Path, classify: Classify):
        self.model, self.first, self.folder, self.classify = model, first, output_dir / "best", classify
        self.inputs, self.labels = sized(held_back.inputs, model), held_back.labels

    def __call__(self, history: History) -> float:
        accuracy = self.classify(self.model, self.inputs, self.labels).overall_accuracy
        if all(accuracy > record["validation_accuracy"] for record in history[self.first :]):
            models.save_preset(self.model, self.folder, {"validation_accuracy": accuracy})
        return accuracy


def _hold_back(train: data.Split, fraction: float, seed: int) -> tuple[data.Split, data.Split | None]:
    if not fraction:
        return train, None
    order = np.random.default_rng(seed).permutation(len(train))
    held, kept = np.split(order, [max(1, round(fraction * len(order)))])
    return train[kept], train[held]


def _choice(recipe: TrainingRecipe, history: History, first: int) -> dict[str, Any]:
    """Returns what the card says of the epochs, and of the one chosen from those after the first so many."""
    held_back = bool(recipe.validation_fraction)
    key = "validation_accuracy" if held_back else "epoch"
    chosen = max(history[first:], key=lambda record: record[key])
    return {
        "split": "trained on train" + (", epoch chosen on a part held back" if held_back else ""),
        "epoch_choice": f"{chosen['epoch']}, the {'best on the held-back part' if held_back else 'last'}",
        "epochs": len(history),
        "stages": list(recipe.stages),
        "seed": recipe.seed,
    }
