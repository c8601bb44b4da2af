"""A trained classifier pruned by a callback around `fit`, tuned, and measured at every step."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import keras

from tfxai3d import data, models, pruning
from tfxai3d.errors import UserError, reason_of
from tfxai3d.pruning.callback import PruningCallback
from tfxai3d.pruning.plan import Importance, Scope
from tfxai3d.pruning.structure import StructureName, left_of, structure_of
from tfxai3d.results.explanation import DataKind
from tfxai3d.results.heads import Head
from tfxai3d.storage import AnyPath, run_folder, write_csv
from tfxai3d.storage.settings import write_facts
from tfxai3d.storage.writing import atomic_path
from tfxai3d.training.distillation import soften_labels
from tfxai3d.training.fit import History, fit_resumable
from tfxai3d.training.pruning_report import Row, Table, layers_left, write_small
from tfxai3d.training.recipe import Classify, Recipe, sized, test_facts, without_empty, write_preset


@dataclasses.dataclass(frozen=True, kw_only=True)
class PruningRecipe(Recipe):
    """How a trained classifier is pruned.

    The density is reached step by step, or at once with 0 `epochs`, as Guo et al. (2016) do; `tune_epochs`
    follow, in whose first half weights that were cut by mistake can still come back in exchange for others.

    Raises:
        UserError: If they do not go together.
    """

    label_smoothing: float = 0.1
    density: float = 0.05  # fraction of the kernels' weights, or of the channels, that is left
    # Whether each "weight" is cut or kept by itself, or each "channel", which leaves a smaller dense model.
    structure: StructureName = "weight"
    scope: Scope = "global"  # whether "global", of all layers together, or of each "layer"
    importance: Importance = "magnitude"  # what decides which weights stay, see `DynamicNetworkSurgery`
    exclude: Sequence[str] | None = None  # layers to leave alone; None is what the model declares
    epochs: int = 2  # epochs until the density is reached
    tune_epochs: int = 1  # epochs of training at the density
    # The first so many of them in which weights can come back; None is half of them.
    recover_epochs: int | None = None
    # With 0 `epochs`, and in place of `recover_epochs`: the first so many of `tune_epochs` that end with
    # `PruneAndRegrow`.
    regrow_epochs: int = 0
    from_scratch: bool = False  # forget the weights, and prune the architecture while it is trained anew
    train_points: int | None = None  # points that are drawn of each cloud; None is all of them
    # Preset or folder of a network whose probabilities are learnt beside the labels, see `soften_labels`.
    teacher: str | None = None

    def __post_init__(self) -> None:
        if not self.density:
            raise UserError("density=0: at least some weights must be left")
        for name in ("recover_epochs", "regrow_epochs"):
            if (number := getattr(self, name) or 0) > self.tune_epochs:
                raise UserError(f"{name}={number} is more than tune_epochs={self.tune_epochs}")
        if self.regrow_epochs and (self.epochs or self.recover_epochs):
            wrong = f"regrow_epochs={self.regrow_epochs} is not for surgery"
            raise UserError(f"{wrong}: give epochs=0 too, and leave recover_epochs away")
        if self.from_scratch and not self.epochs:
            raise UserError("from_scratch with epochs=0 would prune random weights; give it epochs to train")
        if not self.epochs + self.tune_epochs:
            raise UserError("epochs=0 and tune_epochs=0: nothing would be trained; give one of them")

    def cut(self, model: keras.Model) -> None:
        """Cuts a model down to the density at once."""
        # There is no gradient yet.
        by: Literal["lamp", "magnitude"] = "lamp" if self.importance == "lamp" else "magnitude"
        options: dict[str, Any] = {"exclude": self.exclude, "structure": self.structure}
        pruning.prune_magnitude(model, self.density, self.scope, by, **options)

    def surgery(self, model: keras.Model, steps: int) -> PruningCallback:
        """Returns the callback that prunes a model in epochs of so many steps."""
        if self.regrow_epochs:
            self.cut(model)
            return pruning.PruneAndRegrow(self.regrow_epochs, exclude=self.exclude, structure=self.structure)
        ramp = max(0, steps * self.epochs - 1)
        recovery = self.tune_epochs / 2 if self.recover_epochs is None else self.recover_epochs
        stop = ramp + 1 + int(steps * recovery)
        frequency = min(25, 1 + (ramp or stop) // 20)  # ranking millions of weights takes longer than a step
        start = max(self.density, self.left(model))  # a pruned model goes on from where it is
        target = pruning.GradualTarget(self.density, ramp, stop, frequency, start)
        names = ("scope", "importance", "exclude", "structure")
        options: dict[str, Any] = {name: getattr(self, name) for name in names}
        return pruning.DynamicNetworkSurgery(target=target, **options)

    def left(self, model: keras.Model) -> float:
        """Returns the fraction of a model's weights, or channels, that is left."""
        left = left_of(structure_of(self.structure, model, exclude=self.exclude))
        return float(sum(mask.sum() for mask in left) / sum(mask.size for mask in left))

    def dense(self, model: keras.Model) -> keras.Model:
        """Returns a model without the channels that were cut, if it is channels that are cut."""
        return pruning.remove_dead_channels(model) if self.structure == "channel" else model


def prune(
    recipe: PruningRecipe,
    model: keras.Model,
    train: data.Split,
    test: data.Split,
    output_dir: AnyPath,
    *,
    classify: Classify,
    logger: Callable[[PruningCallback], keras.callbacks.Callback] | None = None,
    facts: Mapping[str, Any] | None = None,
    data_kind: DataKind | None = None,
    from_logits: bool = True,
    head: Head = "logits",
) -> list[Row]:
    """Prunes a classifier and tunes it, or goes on after the last finished epoch, and writes it.

    Writes what `fit_resumable` does; `table.csv`, what is returned; `layers.csv`, the weights left in each
    layer; `preset`, the pruned model in compact form, or `pruned.keras` of a model that presets are not of;
    and `small.keras`, without its dead channels, if any. Where channels were cut, the first two are without
    them already.

    Args:
        recipe: How.
        model: The trained model; it stays as it is.
        train: Examples to train on, labelled as the model counts its classes.
        test: Examples that tell how good it is.
        output_dir: Folder of the run.
        classify: `evaluate.classify`.
        logger: Makes a further callback of the one that prunes, such as `tensorboard.PruningLogger` does.
        facts: More that the preset's card shall say.
        data_kind: "points" or "voxels"; by default what the model says.
        from_logits: Whether the model returns logits, not probabilities.
        head: What it returns, see `compile_classifier`.

    Returns:
        Of the model as it was, cut at once, pruned, and tuned: its name, the number of its weights, those
        left, their density, and the test accuracy.

    Raises:
        UserError: If model, data and recipe do not fit, or the folder holds a run with other settings.
    """
    output_dir, kind = Path(output_dir), data_kind or model.data_kind
    size = train.inputs.shape[1] if kind == "points" else model.input_shape[1]
    if recipe.train_points is not None:
        if kind == "voxels":
            raise UserError(f"train_points={recipe.train_points}: the model takes voxels, not points")
        if recipe.train_points > size:
            raise UserError(f"train_points={recipe.train_points} is more than the {size} points of a cloud")
        size = recipe.train_points
    settings = recipe.settings(train, test)
    keras.utils.set_random_seed(recipe.seed)
    network = _copy(model)
    if recipe.dropout is not None:
        network = _copy(network, dropout=recipe.dropout)
    examples, _ = without_empty(train, kind)
    teacher = _load_teacher(recipe, model)
    steps = recipe.steps_per_epoch(examples)
    batches = recipe.batches(examples, kind, size)
    with run_folder(output_dir, settings, "checkpoints/epoch-*.npz"):
        table = Table(output_dir, test, classify, recipe.exclude, recipe.dense)
        table.add("original", network)
        once = _copy(model)
        recipe.cut(once)
        table.add("pruned at once, no tuning", once)
        if recipe.from_scratch:
            network = _built_anew(network)

        epochs = recipe.epochs + recipe.tune_epochs
        recipe.compile(network, steps * epochs, steps * epochs // 20, from_logits=from_logits, head=head)
        surgery = recipe.surgery(network, steps)
        callbacks = [surgery, *([logger(surgery)] if logger is not None else [])]

        def make(epoch: int) -> Any:
            return soften_labels(batches(epoch), teacher) if teacher else batches(epoch)

        history: History = []
        if recipe.epochs:
            history = fit_resumable(network, make, recipe.epochs, output_dir, callbacks=callbacks)
            table.add(f"pruned in {recipe.epochs} epochs", network)
        if recipe.tune_epochs:
            history = fit_resumable(network, make, epochs, output_dir, callbacks=callbacks)
        surgery.finalize()
        if head == "binary":  # as others train it, whose files know no loss of ours
            loss = keras.losses.BinaryCrossentropy(from_logits=from_logits)
            network.compile(network.optimizer, loss, metrics=["accuracy"])
        network = recipe.dense(network)

        def measure(loaded: keras.Model) -> dict[str, Any]:
            tuned = f"tuned for {recipe.tune_epochs} epochs" if recipe.tune_epochs else "compact file"
            answers, row = table.measure(tuned, loaded)  # of what was loaded: float16's smallest are zeros
            kernels = {"total": row["parameters"], "left": row["left"]}
            return {"kernels": kernels, "test": test_facts(loaded, test, answers)}

        card = {
            "data": settings["data"],
            "split": "pruned and tuned on train",
            "epoch_choice": f"{len(history)}, the last",
            "epochs": len(history),
            "stages": [f"{size}x{len(history)}"],
            "seed": recipe.seed,
            **(facts or {}),
        }
        written = network
        if isinstance(network, models.Classifier):
            write_preset(network, output_dir / "preset", card, measure)
            written = models.from_preset(output_dir / "preset")
        else:
            write_facts(output_dir, card=card | measure(network))
            with atomic_path(output_dir / "pruned.keras") as temporary:
                network.save(temporary)
        rows = layers_left(model, recipe.dense(once), network, recipe.exclude)
        write_csv(output_dir / "layers.csv", rows)
        write_small(written, sized(test.inputs[: recipe.batch_size], model), output_dir)
        return table.rows


def _copy(model: keras.Model, **changes: Any) -> keras.Model:
    """Returns a model with the same weights, built anew with some options changed."""
    copy = _built_anew(model, **changes)
    copy.set_weights(model.get_weights())
    return copy


def _built_anew(model: keras.Model, **changes: Any) -> keras.Model:
    """Returns a model with new weights and some options changed."""
    config = model.get_config() if isinstance(model, models.Classifier) else {}
    for name in changes.keys() - config.keys():
        raise UserError(f"{name}={changes[name]}: the model has no {name} to set")
    if config:
        return type(model).from_config(config | changes)
    try:
        return keras.models.clone_model(model)
    except (ValueError, TypeError, NotImplementedError) as error:
        reason = reason_of(error, 160)
        raise UserError(f"model {model.name!r} cannot be copied ({reason}); give it get_config") from error


def _load_teacher(recipe: PruningRecipe, model: keras.Model) -> keras.Model | None:
    """Loads the teacher, if there is to be one, and checks that it knows the model's inputs and classes."""
    if recipe.teacher is None:
        return None
    teacher = models.from_preset(recipe.teacher)
    if teacher.input_shape != model.input_shape or teacher.class_names != getattr(model, "class_names", None):
        wrong = f"teacher={recipe.teacher} has other inputs or classes than the model"
        raise UserError(f"{wrong}: take the network that was pruned")
    return teacher
