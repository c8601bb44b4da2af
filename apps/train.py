"""Trains a classifier, resumes when started again, and writes it as a preset with its model card.

  python apps/train.py --flagfile=apps/flags/pointnet_shapes.cfg --output_dir=runs/shapes
  python apps/train.py --flagfile=apps/flags/pointnet_modelnet40.cfg --data_dir=.../modelnet40_ply_hdf5_2048
  python apps/train.py --flagfile=apps/flags/vrn_half_modelnet10.cfg --data_dir=.../modelnet10_voxels

apps/flags holds one file for each shipped preset.

Stages train on less of each example first and on all of it later: on random subsets of a cloud's points
(PointNet++ then has proportionally fewer centroids and neighbours), or on coarser voxels. An epoch of a
third of the time teaches nearly as much. Stop it at any moment; the same command goes on after the last
finished epoch.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from absl import flags

from tfxai3d import __version__, cli, data, evaluate, models, training
from tfxai3d.errors import UserError

if TYPE_CHECKING:  # main imports them once the flags are known to be right
    import keras
    import tensorflow as tf

FLAGS = flags.FLAGS
flags.DEFINE_enum("model", "pointnet", ["pointnet", "pointnet2", "vrn"], "The network.")
flags.DEFINE_enum(
    "dataset", "shapes", ["shapes", "modelnet40", "modelnet10_voxels"], "What to train on; VRN needs voxels."
)
flags.DEFINE_string(
    "data_dir", None, "Folder of the ModelNet40 HDF5 files, or of modelnet10_{train,test}.npz of voxels."
)
flags.DEFINE_integer("num_train", 8000, "Shapes only: number of training clouds.", lower_bound=1)
flags.DEFINE_integer("num_test", 1000, "Shapes only: number of test clouds.", lower_bound=1)
flags.DEFINE_enum(
    "variant", None, ["full", "basic", "ssg", "msg"],
    "PointNet with (full, the default) or without its transforms; PointNet++ with balls of one size (ssg, "
    "the default) or three.",
)  # fmt: skip
flags.DEFINE_float("width", 1.0, "VRN only: scales the numbers of channels.", 0.125, 4)
flags.DEFINE_string(
    "initial",
    None,
    "Preset or folder whose weights to start from, for VRN also a narrower one; random ones without it.",
)
flags.DEFINE_list(
    "stages", ["512x12", "1024x4"], "Points (or voxels along an axis) x epochs of each stage, in order."
)
flags.DEFINE_integer("batch_size", 32, "Examples a step.", lower_bound=1)
flags.DEFINE_float("learning_rate", 1e-3, "Peak of the learning rate.", lower_bound=0)
flags.DEFINE_float("weight_decay", 0.01, "Decoupled weight decay of the matrices.", lower_bound=0)
flags.DEFINE_float("label_smoothing", 0.2, "Share of the label spread over all classes.", 0, 1)
flags.DEFINE_float("dropout", None, "Dropout rate of the head; the network's own by default.", 0, 1)
flags.DEFINE_list(
    "augment",
    None,
    "Augmentations, in order; by default scale_axes,shift_far of points, flip,shift of voxels.",
)
flags.DEFINE_float(
    "validation_fraction",
    0.0,
    "Part of train held back, to choose the best epoch of the last stage; 0: its last.",
    0,
    0.9,
)
flags.DEFINE_integer("seed", 0, "Seed of the weights, the batches and the dropout.", 0, 2**30)
flags.DEFINE_enum(
    "precision", "float32", ["float32", "mixed_float16", "mixed_bfloat16"], "Keras dtype policy."
)
flags.DEFINE_enum(
    "strategy",
    "none",
    ["none", "mirrored", "multi_worker"],
    "tf.distribute strategy: all GPUs of this machine, or the workers that TF_CONFIG names, which all run "
    "this command and share --output_dir. They divide --batch_size; BatchNorm sees one device's part.",
)
flags.DEFINE_bool("tensorboard", False, "Also log scalars for TensorBoard (needs the extra tensorboard).")
flags.DEFINE_string("output_dir", "runs/train", "Where checkpoints, the log and the preset go.")

# What decides the result: a training goes on only with the same.
_DECISIVE = (
    "model", "dataset", "num_train", "variant", "width", "initial", "stages", "batch_size", "learning_rate",
    "weight_decay", "label_smoothing", "dropout", "augment", "validation_fraction", "seed", "precision",
)  # fmt: skip


Labelled = tuple[np.ndarray, np.ndarray]


class Data(NamedTuple):
    """Examples and labels of both splits, the names of the classes, and facts for the model card."""

    train: Labelled
    test: Labelled
    class_names: tuple[str, ...]
    facts: dict[str, Any]


def main(argv: list[str]) -> None:
    """Trains, evaluates on the test split, writes the preset."""
    stages = _parse_stages(FLAGS.stages)
    output_dir = Path(FLAGS.output_dir)
    _check_flags(stages)
    cli.check_output_dir(output_dir)
    cli.load_tensorflow()
    strategy = _strategy()  # first of all: collective operations are set up when TensorFlow starts
    import keras

    keras.utils.set_random_seed(FLAGS.seed)
    keras.config.set_dtype_policy(FLAGS.precision)
    loaded = _load(max(size for size, _ in stages))
    train, validation = _hold_back(loaded.train, FLAGS.validation_fraction, FLAGS.seed)
    batches = _batches(train, len(loaded.class_names))
    if FLAGS.batch_size > len(train[0]):
        raise UserError(
            f"--batch_size={FLAGS.batch_size} is larger than the {len(train[0])} training examples"
        )
    if FLAGS.batch_size % strategy.num_replicas_in_sync:
        raise UserError(
            f"--batch_size={FLAGS.batch_size} cannot be divided among {strategy.num_replicas_in_sync} devices"
        )
    cli.keep_settings(output_dir, _DECISIVE, "checkpoints/epoch-*.npz")

    steps = len(train[0]) // FLAGS.batch_size
    epochs = sum(count for _, count in stages)
    begin = end = 0
    for size, count in stages:  # each continues from the checkpoint of the one before
        begin, end = end, end + count
        model = _compiled_network(strategy, size, loaded.class_names, steps, epochs)
        chooser = _BestEpoch(model, validation, begin, output_dir) if validation is not None else None
        epoch_batches = functools.partial(batches, size)
        history = training.fit_resumable(
            model, epoch_batches, end, output_dir, validate=chooser, tensorboard=FLAGS.tensorboard
        )
    if not training.Replicas(model).chief:
        return
    if validation is not None:
        model = models.from_preset(output_dir / "best")
    _write_preset(model, loaded, history, begin, output_dir)


class _BestEpoch:
    """Measures the accuracy on held-back data and keeps the best model of this stage in `best`."""

    def __init__(self, model: keras.Model, held_back: Labelled, first: int, output_dir: Path):
        self.model, self.first, self.folder = model, first, output_dir / "best"
        self.inputs, self.labels = held_back

    def __call__(self, history: training.History) -> float:
        inputs = _sized(self.inputs, self.model)
        accuracy = evaluate.classify(self.model, inputs, self.labels).overall_accuracy
        if all(accuracy > record["validation_accuracy"] for record in history[self.first :]):
            models.save_preset(self.model, self.folder, {"validation_accuracy": accuracy})
        return accuracy


def _parse_stages(texts: list[str]) -> list[tuple[int, int]]:
    try:
        stages = [(int(points), int(epochs)) for points, epochs in (text.split("x") for text in texts)]
    except ValueError:
        stages = []
    if not stages or min(min(stage) for stage in stages) < 1:
        raise UserError(f"--stages={','.join(texts)}: write points x epochs, such as 512x12,1024x4")
    return stages


def _check_flags(stages: list[tuple[int, int]]) -> None:
    """Checks what absl cannot: flags that do not go together."""
    voxels = FLAGS.dataset == "modelnet10_voxels"
    if voxels != (FLAGS.model == "vrn"):
        raise UserError(
            f"--model={FLAGS.model} does not take --dataset={FLAGS.dataset}: vrn takes modelnet10_voxels, "
            "the others shapes or modelnet40"
        )
    if FLAGS.dataset != "shapes" and not FLAGS.data_dir:
        raise UserError(f"--dataset={FLAGS.dataset} needs --data_dir, the folder of its files")
    if voxels and any(size not in (16, 32) for size, _ in stages):
        raise UserError(f"--stages={','.join(FLAGS.stages)}: voxels come in 16 or 32 along an axis")
    known = {"pointnet": ("full", "basic"), "pointnet2": ("ssg", "msg"), "vrn": ()}[FLAGS.model]
    if FLAGS.variant and FLAGS.variant not in known:
        raise UserError(
            f"--variant={FLAGS.variant} is not one of {FLAGS.model}: {', '.join(known) or 'none'}"
        )


def _load(size: int) -> Data:
    folder = FLAGS.data_dir
    if FLAGS.dataset == "modelnet10_voxels":
        return _load_voxels(folder)
    if FLAGS.dataset == "modelnet40":
        train = data.load_modelnet40(folder, "train", size)
        return Data(train, data.load_modelnet40(folder, "test", size), data.MODELNET40_CLASSES, {})
    # The seeds of train and test differ, so no shape is in both.
    made = data.shapes.make_dataset(FLAGS.num_train, size, seed=2 * FLAGS.seed)
    unseen = data.shapes.make_dataset(FLAGS.num_test, size, seed=2 * FLAGS.seed + 1)
    return Data((made.points, made.labels), (unseen.points, unseen.labels), data.shapes.SHAPE_CLASSES, {})


def _load_voxels(folder: str) -> Data:
    """Trains without the empty grids; the test keeps them, as published accuracies do."""
    (grids, labels), test = data.load_modelnet10(folder, "train"), data.load_modelnet10(folder, "test")
    empty = {"train": data.find_empty(grids), "test": data.find_empty(test[0])}
    numbers = {split: np.flatnonzero(found).tolist() for split, found in empty.items()}
    if numbers["train"]:
        listed = ", ".join(map(str, numbers["train"]))
        skipped = f"skipped {len(numbers['train'])} of {len(grids)} training grids"
        print(f"{skipped}, empty ones: {listed}", flush=True)
    facts = {"skipped_empty_grids_of_train": numbers["train"], "empty_grids_kept_in_test": numbers["test"]}
    kept = ~empty["train"]
    return Data((grids[kept], labels[kept]), test, data.MODELNET10_CLASSES, facts)


def _batches(train: Labelled, num_classes: int) -> Callable[[int, int], tf.data.Dataset]:
    """Returns what makes the batches of a stage's size and an epoch."""
    voxels = FLAGS.model == "vrn"
    names = FLAGS.augment
    if names is None:
        names = ["flip", "shift"] if voxels else ["scale_axes", "shift_far"]
    augment = data.voxel_augmentation(names) if voxels else data.augmentation(names)

    def make(size: int, epoch: int) -> tf.data.Dataset:
        shared: dict[str, Any] = {"num_classes": num_classes, "batch_size": FLAGS.batch_size}
        shared |= {"augment": augment, "seed": (FLAGS.seed, epoch)}
        if voxels:
            return data.voxel_batches(*train, size=size, **shared)
        return data.training_batches(*train, num_points=size, **shared)

    return make


def _compiled_network(
    strategy: tf.distribute.Strategy, size: int, class_names: tuple[str, ...], steps: int, epochs: int
) -> keras.Model:
    with strategy.scope():
        model = _network(size, class_names)
        if FLAGS.initial:
            _initialise(model)
        training.compile_classifier(
            model,
            steps=steps * epochs,
            warmup_steps=steps,
            learning_rate=FLAGS.learning_rate,
            weight_decay=FLAGS.weight_decay,
            label_smoothing=FLAGS.label_smoothing,
        )
    return model


def _network(size: int, class_names: tuple[str, ...]) -> keras.Model:
    """Builds the network for a stage's size; those of all stages have the same weights."""
    options: dict[str, Any] = {"class_names": class_names, "name": FLAGS.model}
    if FLAGS.variant:
        options["variant"] = FLAGS.variant
    if FLAGS.dropout is not None:
        options["dropout"] = FLAGS.dropout
    if FLAGS.model == "vrn":
        return models.VRN(len(class_names), FLAGS.width, size=size, **options)
    if FLAGS.model == "pointnet2":
        return models.PointNet2(len(class_names), density=min(1.0, size / 1024), **options)
    return models.PointNet(len(class_names), **options)


def _sized(inputs: np.ndarray, model: keras.Model) -> np.ndarray:
    """Returns voxels at the size that a coarser stage's model takes; points as they are."""
    return np.asarray(data.coarsen(inputs, model.size)) if FLAGS.model == "vrn" else inputs


def _hold_back(train: Labelled, fraction: float, seed: int) -> tuple[Labelled, Labelled | None]:
    if not fraction:
        return train, None
    order = np.random.default_rng(seed).permutation(len(train[0]))
    held, kept = np.split(order, [max(1, round(fraction * len(order)))])
    return (train[0][kept], train[1][kept]), (train[0][held], train[1][held])


def _portable_flags() -> list[str]:
    """Returns the changed flags without the folders of this machine."""
    return [
        flag for flag in cli.changed_flags(sys.argv[0]) if not flag.startswith(("--data_dir", "--output_dir"))
    ]


def _strategy() -> tf.distribute.Strategy:
    import tensorflow as tf

    if FLAGS.strategy == "multi_worker":
        if "TF_CONFIG" not in os.environ:
            raise UserError(
                '--strategy=multi_worker: set TF_CONFIG, such as {"cluster": {"worker": ["host1:2222", '
                '"host2:2222"]}, "task": {"type": "worker", "index": 0}}, with the index of each worker'
            )
        try:
            return tf.distribute.MultiWorkerMirroredStrategy()
        except (ValueError, TypeError, KeyError, RuntimeError) as error:
            raise UserError(f"TF_CONFIG: {' '.join(str(error).split())[:200]}") from error
    return tf.distribute.MirroredStrategy() if FLAGS.strategy == "mirrored" else tf.distribute.get_strategy()


def _initialise(model: keras.Model) -> None:
    """Starts from the preset --initial, each channel of which several of a wider network copy."""
    initial = models.from_preset(FLAGS.initial)
    try:
        weights = training.widened(initial, [tuple(variable.shape) for variable in model.weights], FLAGS.seed)
    except UserError as error:
        raise UserError(f"--initial={FLAGS.initial}: {error}") from error
    model.set_weights(weights)


def _write_preset(
    model: keras.Model, loaded: Data, history: training.History, first: int, output_dir: Path
) -> None:
    """Saves the model, loads it back, and reports the accuracy of what was loaded."""
    held_back = bool(FLAGS.validation_fraction)
    key = "validation_accuracy" if held_back else "epoch"
    chosen = max(history[first:], key=lambda record: record[key])
    card = {
        "data": FLAGS.dataset,
        "split": "trained on train" + (", epoch chosen on a part held back" if held_back else ""),
        "epoch_choice": f"{chosen['epoch']}, the {'best on the held-back part' if held_back else 'last'}",
        "epochs": len(history),
        "stages": FLAGS.stages,
        "seed": FLAGS.seed,
        "command": "python apps/train.py " + " ".join(_portable_flags()),
        "parameters": model.count_params(),
        "tfxai3d": __version__,
        **loaded.facts,
    }
    folder = output_dir / "preset"
    models.save_preset(model, folder, card)
    inputs, labels = _sized(loaded.test[0], model), loaded.test[1]
    result = evaluate.classify(models.from_preset(folder), inputs, labels, verbose=sys.stdout.isatty())
    unit = "voxels" if FLAGS.model == "vrn" else "points"
    card["test"] = {unit: inputs.shape[1], **result.summary(loaded.class_names)}
    models.save_preset(model, folder, card)
    print(json.dumps(card["test"], indent=2))
    print(f"preset written to {folder}")


if __name__ == "__main__":
    cli.run(main)
