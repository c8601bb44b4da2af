"""Prunes a trained classifier by dynamic network surgery, tunes it, and shows what that costs.

  python apps/prune.py --flagfile=apps/flags/prune_shapes.cfg
  python apps/prune.py --flagfile=apps/flags/prune_modelnet40.cfg --data_dir=.../modelnet40_hdf5
  python apps/prune.py --flagfile=apps/flags/prune_vrn.cfg --data_dir=.../modelnet10_voxels

The first needs no download. The target is the share of the kernels' weights that shall be left. It is
reached step by step within --epochs of training, or at once with --epochs=0, as in the paper; --tune_epochs
of training follow, in whose first half weights that were cut by mistake can still come back in exchange for
others. With --from_scratch the network is pruned while it is trained for the first time.
Stop it at any moment; the same command goes on after the last finished epoch.

Prints a table (weights, weights left, test accuracy: original, pruned without tuning, tuned), and writes it
to --output_dir as table.csv, beside

  layers.csv        weights left in each layer, cut at once and after training
  log.csv           loss, accuracy (with --teacher: agreement with it), share left, weights cut and spliced
                    a step, or regrown, by epoch
  preset            the pruned model in compact form, for --model of this and the other programs
  small.keras       the same without the channels that pruning left dead or unread, if there are any: a
                    smaller dense model with the same outputs, for keras.saving.load_model after importing
                    PointNet, PointNet2 or VRN from tfxai3d.models
  tensorboard       with --tensorboard: masks, shares left, weights cut and spliced, by layer and epoch
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from absl import flags

from tfxai3d import __version__, cli, data, evaluate, models, pruning, storage, tensorboard, training
from tfxai3d.errors import UserError

if TYPE_CHECKING:  # main imports them once the flags are known to be right
    import keras
    import tensorflow as tf

Batches = Callable[[int], "tf.data.Dataset"]

FLAGS = flags.FLAGS
flags.DEFINE_string("model", "pointnet_shapes", "Shipped preset or a folder written by apps/train.py.")
flags.DEFINE_bool(
    "from_scratch",
    False,
    "Forget the weights of --model, and prune its architecture while it is trained anew, in --epochs.",
)
flags.DEFINE_enum(
    "dataset", "shapes", ["shapes", "modelnet40", "modelnet10_voxels"], "What the model was trained on."
)
flags.DEFINE_string(
    "data_dir", None, "Folder of the ModelNet40 HDF5 files, or of modelnet10_{train,test}.npz of voxels."
)
flags.DEFINE_integer("num_train", 2000, "Shapes only: number of training clouds.", lower_bound=1)
flags.DEFINE_integer("num_test", 512, "Shapes only: number of test clouds.", lower_bound=1)
flags.DEFINE_integer("num_points", 512, "Points of a cloud.", lower_bound=10)
flags.DEFINE_integer(
    "train_points", None, "Train on so many points of each cloud, drawn anew every step; default all.", 10
)
flags.DEFINE_float("target", 0.05, "Share of the weights to leave.", 0, 1)
flags.DEFINE_enum("scope", "global", ["global", "layer"], "Whether of all layers together or of each.")
flags.DEFINE_enum(
    "importance", "magnitude", ["magnitude", "lamp", "gradient"],
    "What decides which weights stay: |W|; lamp: |W| in proportion to the larger weights of its layer, so "
    "that no layer is lost; gradient: |W dL/dW|.",
)  # fmt: skip
flags.DEFINE_list("exclude", None, "Layers to leave alone; VRN's dense layers are by default.")
flags.DEFINE_integer("epochs", 2, "Epochs until the target is reached; 0: at once.", lower_bound=0)
flags.DEFINE_integer("tune_epochs", 1, "Epochs of training at the target.", lower_bound=0)
flags.DEFINE_integer(
    "recover_epochs", None,
    "The first so many of --tune_epochs in which weights that were cut can still come back in exchange for "
    "others; default half of them.", lower_bound=0,
)  # fmt: skip
flags.DEFINE_integer(
    "regrow_epochs", 0,
    "With --epochs=0, and in place of --recover_epochs: after each of the first so many of --tune_epochs the "
    "least useful of the weights left give their places to others, 15 % of them at first, ever fewer then. "
    "For long tuning of few weights.", lower_bound=0,
)  # fmt: skip
flags.DEFINE_integer("batch_size", 32, "Examples a step.", lower_bound=1)
flags.DEFINE_float("learning_rate", 1e-3, "Peak of the learning rate.", lower_bound=0)
flags.DEFINE_float("weight_decay", 0.01, "Decoupled weight decay of the matrices.", lower_bound=0)
flags.DEFINE_float("label_smoothing", 0.1, "Share of the label spread over all classes.", 0, 1)
flags.DEFINE_float("dropout", None, "Dropout rate of the head in training; the model's own by default.", 0, 1)
flags.DEFINE_string(
    "teacher", None,
    "Shipped preset or folder of a network whose probabilities are learnt beside the labels (distillation): "
    "the one before pruning, or a better one. They are soft already: --label_smoothing=0 suits them.",
)  # fmt: skip
flags.DEFINE_list(
    "augment", None, "Augmentations; by default scale_axes,shift_far of points, flip,shift of voxels."
)
flags.DEFINE_integer("seed", 0, "Seed of the batches, the dropout and the shapes.", 0, 2**30)
flags.DEFINE_bool("tensorboard", False, "Also write TensorBoard's files; needs the extra tensorboard.")
flags.DEFINE_string("output_dir", "out/prune", "Where everything goes.")

# What decides the result: a run goes on only with the same.
_DECISIVE = (
    "model", "from_scratch", "dataset", "num_train", "num_test", "num_points", "train_points", "target",
    "scope", "importance", "exclude", "epochs", "tune_epochs", "recover_epochs", "regrow_epochs",
    "batch_size", "learning_rate", "weight_decay", "label_smoothing", "dropout", "teacher", "augment", "seed",
)  # fmt: skip


class Data(NamedTuple):
    """Examples and labels of both splits, and the names of the classes."""

    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    class_names: tuple[str, ...]


def main(argv: list[str]) -> None:
    """Prunes, tunes, reports."""
    output_dir = Path(FLAGS.output_dir)
    _check_flags()
    cli.check_output_dir(output_dir)
    cli.load_tensorflow()
    import keras
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # it warns of compiling one model after the other
    keras.utils.set_random_seed(FLAGS.seed)
    model = _with_dropout(models.from_preset(FLAGS.model))
    loaded = _load(model)
    teacher = _load_teacher(model)
    steps = len(loaded.train[0]) // FLAGS.batch_size
    if not steps:
        raise UserError(f"--batch_size={FLAGS.batch_size} is larger than the training set")
    cli.keep_settings(output_dir, _DECISIVE, "checkpoints/epoch-*.npz")

    table = _Table(output_dir, *loaded.test)
    table.add("original", model)
    once = models.from_preset(FLAGS.model)
    _cut_at_once(once)
    table.add("pruned at once, no tuning", once)
    if FLAGS.from_scratch:
        model = type(model).from_config(model.get_config())
    history = _train(model, _batches(loaded, teacher), steps, output_dir, table)
    _write_preset(model, loaded, len(history), table, output_dir)
    _write_layers(once, model, output_dir)
    _write_small(loaded.test[0][: FLAGS.batch_size], output_dir)
    table.print()
    print(f"pruned preset in {output_dir / 'preset'}")


def _check_flags() -> None:
    if not FLAGS.target:
        raise UserError("--target=0: at least some weights must be left")
    for name, number in (("recover", FLAGS.recover_epochs), ("regrow", FLAGS.regrow_epochs)):
        if (number or 0) > FLAGS.tune_epochs:
            raise UserError(f"--{name}_epochs={number} is more than --tune_epochs={FLAGS.tune_epochs}")
    if FLAGS.regrow_epochs and (FLAGS.epochs or FLAGS.recover_epochs or FLAGS.tensorboard):
        raise UserError(
            f"--regrow_epochs={FLAGS.regrow_epochs} is not for surgery: give --epochs=0 too, and leave "
            "--recover_epochs and --tensorboard away"
        )
    if FLAGS.from_scratch and not FLAGS.epochs:
        raise UserError("--from_scratch with --epochs=0 would prune random weights; give it epochs to train")
    if not FLAGS.epochs + FLAGS.tune_epochs:
        raise UserError("--epochs=0 and --tune_epochs=0: nothing would be trained; give one of them")
    if FLAGS.dataset != "shapes" and not FLAGS.data_dir:
        raise UserError(f"--dataset={FLAGS.dataset} needs --data_dir, the folder of its files")
    if FLAGS.train_points and FLAGS.dataset == "modelnet10_voxels":
        raise UserError(f"--train_points={FLAGS.train_points}: --dataset={FLAGS.dataset} has no points")
    if (FLAGS.train_points or 0) > FLAGS.num_points:
        raise UserError(f"--train_points={FLAGS.train_points} is more than --num_points={FLAGS.num_points}")
    if FLAGS.tensorboard:
        for package in ("tensorboard", "matplotlib"):
            cli.check_package(package, "tensorboard", "--notensorboard")


def _train(
    model: keras.Model, batches: Batches, steps: int, output_dir: Path, table: _Table
) -> training.History:
    """Surgery, then tuning; leaves an ordinary model with zeros."""
    epochs = FLAGS.epochs + FLAGS.tune_epochs
    training.compile_classifier(
        model,
        steps=steps * epochs,
        warmup_steps=steps * epochs // 20,
        learning_rate=FLAGS.learning_rate,
        weight_decay=FLAGS.weight_decay,
        label_smoothing=FLAGS.label_smoothing,
    )
    surgery = _regrow(model) if FLAGS.regrow_epochs else _surgery(model, steps)
    callbacks: list[keras.callbacks.Callback] = [surgery]
    if FLAGS.tensorboard:
        callbacks.append(tensorboard.PruningLogger(surgery, output_dir / "tensorboard"))
    history: training.History = []
    if FLAGS.epochs:
        history = training.fit_resumable(model, batches, FLAGS.epochs, output_dir, callbacks=callbacks)
        table.add(f"pruned in {FLAGS.epochs} epochs", model)
    if FLAGS.tune_epochs:
        history = training.fit_resumable(model, batches, epochs, output_dir, callbacks=callbacks)
    surgery.finalize()
    return history


def _cut_at_once(model: keras.Model) -> None:
    """Cuts the model down to the target."""
    pruning.prune_magnitude(
        model,
        FLAGS.target,
        FLAGS.scope,
        "lamp" if FLAGS.importance == "lamp" else "magnitude",  # there is no gradient yet
        exclude=FLAGS.exclude,
    )


def _regrow(model: keras.Model) -> pruning.PruneAndRegrow:
    _cut_at_once(model)
    return pruning.PruneAndRegrow(FLAGS.regrow_epochs, exclude=FLAGS.exclude)


def _surgery(model: keras.Model, steps: int) -> pruning.DynamicNetworkSurgery:
    ramp = max(0, steps * FLAGS.epochs - 1)
    recovery = FLAGS.tune_epochs / 2 if FLAGS.recover_epochs is None else FLAGS.recover_epochs
    stop = ramp + 1 + int(steps * recovery)
    frequency = min(25, 1 + (ramp or stop) // 20)  # ranking millions of weights takes longer than a step
    report = pruning.kernel_sparsity(model, exclude=FLAGS.exclude)
    start = max(FLAGS.target, report["left"] / report["total"])  # a pruned model goes on from where it is
    target = pruning.GradualTarget(FLAGS.target, ramp, stop, frequency, start)
    return pruning.DynamicNetworkSurgery(
        target=target,
        scope=FLAGS.scope,
        importance=FLAGS.importance,
        exclude=FLAGS.exclude,
    )


class _Table:
    """The rows of the result; those that are known from an interrupted run are not measured again."""

    def __init__(self, output_dir: Path, inputs: np.ndarray, labels: np.ndarray):
        self.folder, self.inputs, self.labels = output_dir, inputs, labels
        self.rows: list[dict[str, Any]] = storage.read_run(output_dir).get("table", [])

    def add(self, name: str, model: keras.Model) -> None:
        """Measures a model, unless an interrupted run did."""
        if all(row["model"] != name for row in self.rows):
            self.measure(name, model)

    def measure(self, name: str, model: keras.Model) -> evaluate.Classification:
        """Measures a model."""
        result = evaluate.classify(model, self.inputs, self.labels, verbose=sys.stdout.isatty())
        report = pruning.kernel_sparsity(model, exclude=FLAGS.exclude)
        row = {
            "model": name,
            "parameters": report["total"],
            "left": report["left"],
            "share": round(report["left"] / report["total"], 6),
            "accuracy": round(result.overall_accuracy, 4),
        }
        self.rows = [*(other for other in self.rows if other["model"] != name), row]
        storage.write_facts(self.folder, table=self.rows)
        storage.write_csv(self.folder / "table.csv", self.rows)
        print("{model}: {share:.2%} of the weights, accuracy {accuracy:.2%}".format(**row), flush=True)
        return result

    def print(self) -> None:
        """Prints all rows as a table."""
        print("\n| model | # parameters | left | % left | accuracy |\n|---|---|---|---|---|")
        for row in self.rows:
            print("| {model} | {parameters:,} | {left:,} | {share:.2%} | {accuracy:.2%} |".format(**row))


def _load(model: keras.Model) -> Data:
    """Loads what the model takes, with labels that count the model's classes."""
    voxels = FLAGS.dataset == "modelnet10_voxels"
    if voxels != (model.data_kind == "voxels"):
        raise UserError(f"--model={FLAGS.model} takes {model.data_kind}: --dataset={FLAGS.dataset} has none")
    if voxels:
        folder = Path(FLAGS.data_dir)
        train = data.load_voxels(folder / "modelnet10_train.npz", dtype="uint8")
        test = data.load_voxels(folder / "modelnet10_test.npz", keep_empty=True, dtype="uint8")
        loaded = Data(train, test, data.MODELNET10_CLASSES)
    elif FLAGS.dataset == "modelnet40":
        train = data.load_modelnet40(FLAGS.data_dir, "train", FLAGS.num_points)
        test = data.load_modelnet40(FLAGS.data_dir, "test", FLAGS.num_points)
        loaded = Data(train, test, data.MODELNET40_CLASSES)
    else:  # the seeds of train and test differ, so no shape is in both
        made = data.shapes.make_dataset(FLAGS.num_train, FLAGS.num_points, seed=2 * FLAGS.seed)
        unseen = data.shapes.make_dataset(FLAGS.num_test, FLAGS.num_points, seed=2 * FLAGS.seed + 1)
        train, test = (made.points, made.labels), (unseen.points, unseen.labels)
        loaded = Data(train, test, data.shapes.SHAPE_CLASSES)
    if tuple(model.class_names or ()) != tuple(loaded.class_names):
        raise UserError(f"--model={FLAGS.model} was not trained on --dataset={FLAGS.dataset}: other classes")
    return loaded


def _with_dropout(model: keras.Model) -> keras.Model:
    """Returns the model, or its copy with another rate: few weights need less dropout than all of them."""
    if FLAGS.dropout is None:
        return model
    config = model.get_config()
    if "dropout" not in config:
        raise UserError(f"--model={FLAGS.model} has no dropout to set: leave --dropout away")
    changed = type(model).from_config(config | {"dropout": FLAGS.dropout})
    changed.set_weights(model.get_weights())
    return changed


def _load_teacher(model: keras.Model) -> keras.Model | None:
    """Loads the teacher, if there is to be one, and checks that it knows the model's inputs and classes."""
    if not FLAGS.teacher:
        return None
    teacher = models.from_preset(FLAGS.teacher)
    if teacher.input_shape != model.input_shape or teacher.class_names != model.class_names:
        raise UserError(
            f"--teacher={FLAGS.teacher} has other inputs or classes than --model={FLAGS.model}: "
            "take the network that was pruned"
        )
    return teacher


def _batches(loaded: Data, teacher: keras.Model | None) -> Batches:
    """Returns what makes the batches of an epoch."""
    voxels = FLAGS.dataset == "modelnet10_voxels"
    known: Callable[..., Any] = data.voxel_augmentation if voxels else data.augmentation
    usual = ["flip", "shift"] if voxels else ["scale_axes", "shift_far"]
    augment = known(usual if FLAGS.augment is None else FLAGS.augment)

    def make(epoch: int) -> tf.data.Dataset:
        shared: dict[str, Any] = {"num_classes": len(loaded.class_names), "batch_size": FLAGS.batch_size}
        shared |= {"augment": augment, "seed": (FLAGS.seed, epoch)}
        if voxels:
            batches = data.voxel_batches(*loaded.train, size=loaded.train[0].shape[1], **shared)
        else:
            num_points = FLAGS.train_points or FLAGS.num_points
            batches = data.training_batches(*loaded.train, num_points=num_points, **shared)
        return training.soften_labels(batches, teacher) if teacher else batches

    return make


def _write_preset(model: keras.Model, loaded: Data, epochs: int, table: _Table, output_dir: Path) -> None:
    """Saves the model compactly, loads it back, and measures what was loaded."""
    folder = output_dir / "preset"
    inputs = loaded.test[0]
    changed = [f for f in cli.changed_flags(sys.argv[0]) if not f.startswith(("--data_dir", "--output_dir"))]
    card = {
        "data": FLAGS.dataset,
        "split": "pruned and tuned on train",
        "epoch_choice": f"{epochs}, the last",
        "pruned_from": "new weights" if FLAGS.from_scratch else FLAGS.model,
        "epochs": epochs,
        "stages": [f"{FLAGS.train_points or inputs.shape[1]}x{epochs}"],
        "seed": FLAGS.seed,
        "command": "python apps/prune.py " + " ".join(changed),
        "parameters": model.count_params(),
        "tfxai3d": __version__,
    }
    models.save_preset(model, folder, card)
    again = models.from_preset(folder)
    name = f"tuned for {FLAGS.tune_epochs} epochs" if FLAGS.tune_epochs else "compact file"
    result = table.measure(name, again)
    unit = "voxels" if FLAGS.dataset == "modelnet10_voxels" else "points"
    row = table.rows[-1]  # of what was loaded: as float16 the smallest weights are zeros
    card["kernels"] = {"total": row["parameters"], "left": row["left"]}
    card["test"] = {unit: inputs.shape[1], **result.summary(loaded.class_names)}
    models.save_preset(model, folder, card)
    size = (folder / "weights.npz").stat().st_size
    print(f"{folder / 'weights.npz'}: {size:,} bytes, of {4 * model.count_params():,} as float32")


def _write_small(inputs: np.ndarray, output_dir: Path) -> None:
    """Saves the preset without its useless channels, if it has any, and says how far the outputs are off."""
    model = models.from_preset(output_dir / "preset")
    small = pruning.remove_dead_channels(model)
    before, after = model.count_params(), small.count_params()
    if after == before:
        return
    expected = model.predict(inputs, verbose=0)
    difference = np.abs(small.predict(inputs, verbose=0) - expected).max()
    path = output_dir / "small.keras"
    with storage.atomic_path(path) as temporary:
        small.save(temporary)
    print(
        f"{path}: {after:,} of {before:,} parameters; outputs differ by {difference:.1e} "
        f"of up to {np.abs(expected).max():.1f}"
    )


def _write_layers(once: keras.Model, model: keras.Model, output_dir: Path) -> None:
    """Writes the weights left in each layer."""
    before, after = (pruning.kernel_sparsity(m, exclude=FLAGS.exclude)["layers"] for m in (once, model))
    storage.write_csv(
        output_dir / "layers.csv",
        [
            {
                "layer": path,
                "weights": counts["total"],
                "left_at_once": before[path]["left"],
                "left": counts["left"],
                "share": round(counts["left"] / counts["total"], 6),
            }
            for path, counts in after.items()
        ],
    )


if __name__ == "__main__":
    cli.run(main)
