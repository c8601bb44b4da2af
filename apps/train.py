"""Trains a classifier, resumes when started again, and writes it as a preset with its model card.

  python apps/train.py --flagfile=apps/flags/pointnet_shapes.cfg --output_dir=runs/shapes
  python apps/train.py --flagfile=apps/flags/pointnet_modelnet40.cfg --data_dir=.../modelnet40_ply_hdf5_2048

Stages train on random subsets of each cloud's points first and on more of them later: the time of a step
is proportional to the number of points. Stop it at any moment; the same command goes on after the last
finished epoch.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import flags

from tfxai3d import __version__, cli, data, evaluate, files, models
from tfxai3d.errors import UserError

if TYPE_CHECKING:  # main imports them once the flags are known to be right
    import keras
    import tensorflow as tf

FLAGS = flags.FLAGS
flags.DEFINE_enum("dataset", "shapes", ["shapes", "modelnet40"], "What to train on.")
flags.DEFINE_string("data_dir", None, "Folder of the ModelNet40 HDF5 files.")
flags.DEFINE_integer("num_train", 8000, "Shapes only: number of training clouds.", lower_bound=1)
flags.DEFINE_integer("num_test", 1000, "Shapes only: number of test clouds.", lower_bound=1)
flags.DEFINE_enum("variant", "full", ["full", "basic"], "PointNet with or without its transforms.")
flags.DEFINE_string("initial", None, "Preset or folder whose weights to start from; random ones without it.")
flags.DEFINE_list("stages", ["512x12", "1024x4"], "Points x epochs of each stage, in order.")
flags.DEFINE_integer("batch_size", 32, "Clouds a step.", lower_bound=1)
flags.DEFINE_float("learning_rate", 1e-3, "Peak of the learning rate.", lower_bound=0)
flags.DEFINE_float("weight_decay", 0.01, "Decoupled weight decay of the matrices.", lower_bound=0)
flags.DEFINE_float("label_smoothing", 0.2, "Share of the label spread over all classes.", 0, 1)
flags.DEFINE_float("dropout", 0.3, "Dropout rate of the head.", 0, 1)
flags.DEFINE_list("augment", ["scale_axes", "shift_far"], "Augmentations, in order.")
flags.DEFINE_float(
    "validation_fraction", 0.0, "Part of train held back to choose the best epoch; 0: the last epoch.", 0, 0.9
)
flags.DEFINE_integer("seed", 0, "Seed of the weights, the batches and the dropout.", 0, 2**30)
flags.DEFINE_enum(
    "precision", "float32", ["float32", "mixed_float16", "mixed_bfloat16"], "Keras dtype policy."
)
flags.DEFINE_enum("strategy", "none", ["none", "mirrored"], "tf.distribute strategy.")
flags.DEFINE_bool("tensorboard", False, "Also log scalars for TensorBoard (needs the extra tensorboard).")
flags.DEFINE_string("output_dir", "runs/train", "Where checkpoints, the log and the preset go.")

# What decides the result: a training goes on only with the same.
_DECISIVE = (
    "dataset", "num_train", "variant", "initial", "stages", "batch_size", "learning_rate", "weight_decay",
    "label_smoothing", "dropout", "augment", "validation_fraction", "seed", "precision",
)  # fmt: skip


def main(argv: list[str]) -> None:
    """Trains, evaluates on the test split, writes the preset."""
    stages = _parse_stages(FLAGS.stages)
    output_dir = Path(FLAGS.output_dir)
    if FLAGS.dataset == "modelnet40" and not FLAGS.data_dir:
        raise UserError("--dataset=modelnet40 needs --data_dir, the folder of the HDF5 files")
    cli.check_output_dir(output_dir)
    cli.load_tensorflow()
    import keras

    augment = data.augmentation(FLAGS.augment)
    keras.utils.set_random_seed(FLAGS.seed)
    keras.config.set_dtype_policy(FLAGS.precision)
    train, test, class_names = _load(max(points for points, _ in stages))
    train, validation = _hold_back(train, FLAGS.validation_fraction, FLAGS.seed)
    epochs = sum(count for _, count in stages)
    steps = len(train[0]) // FLAGS.batch_size
    if not steps:
        raise UserError(f"--batch_size={FLAGS.batch_size} is larger than the {len(train[0])} training clouds")
    _write_settings(output_dir)

    with _strategy().scope():
        model = models.PointNet(
            len(class_names), FLAGS.variant, dropout=FLAGS.dropout, class_names=class_names, name="pointnet"
        )
        if FLAGS.initial:
            _initialise(model)
        models.compile_classifier(
            model,
            steps=steps * epochs,
            warmup_steps=steps,
            learning_rate=FLAGS.learning_rate,
            weight_decay=FLAGS.weight_decay,
            label_smoothing=FLAGS.label_smoothing,
        )
    points_of_epoch = [points for points, count in stages for _ in range(count)]

    def epoch_batches(epoch: int) -> tf.data.Dataset:
        return data.training_batches(
            *train,
            num_classes=len(class_names),
            batch_size=FLAGS.batch_size,
            num_points=points_of_epoch[epoch],
            augment=augment,
            seed=(FLAGS.seed, epoch),
        )

    chooser = _BestEpoch(model, validation, output_dir) if validation is not None else None
    history = models.fit_resumable(
        model, epoch_batches, epochs, output_dir, validate=chooser, tensorboard=FLAGS.tensorboard
    )
    if chooser is not None:
        model = models.from_preset(output_dir / "best")
    _write_preset(model, test, class_names, history, output_dir)


class _BestEpoch:
    """Measures the accuracy on held-back data and keeps the best model so far in `best`."""

    def __init__(self, model: keras.Model, held_back: tuple[np.ndarray, np.ndarray], output_dir: Path):
        self.model, self.held_back, self.folder = model, held_back, output_dir / "best"

    def __call__(self, history: models.History) -> float:
        accuracy = evaluate.classify(self.model, *self.held_back).overall_accuracy
        if all(accuracy > record["validation_accuracy"] for record in history):
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


def _load(
    num_points: int,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray], tuple[str, ...]]:
    if FLAGS.dataset == "modelnet40":
        train = data.load_modelnet40(FLAGS.data_dir, "train", num_points)
        return train, data.load_modelnet40(FLAGS.data_dir, "test", num_points), data.MODELNET40_CLASSES
    # The seeds of train and test differ, so no shape is in both.
    made = data.shapes.make_dataset(FLAGS.num_train, num_points, seed=2 * FLAGS.seed)
    unseen = data.shapes.make_dataset(FLAGS.num_test, num_points, seed=2 * FLAGS.seed + 1)
    return (made.points, made.labels), (unseen.points, unseen.labels), data.shapes.SHAPE_CLASSES


def _hold_back(
    train: tuple[np.ndarray, np.ndarray], fraction: float, seed: int
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray] | None]:
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

    return tf.distribute.MirroredStrategy() if FLAGS.strategy == "mirrored" else tf.distribute.get_strategy()


def _write_settings(output_dir: Path) -> None:
    """Notes the settings; a folder of a training with others is refused, for its schedule would be wrong."""
    settings = {name: FLAGS[name].value for name in _DECISIVE}
    path = output_dir / "settings.json"
    if path.exists() and (old := json.loads(path.read_text(encoding="utf-8")))["settings"] != settings:
        name = next(name for name in settings if settings[name] != old["settings"].get(name))
        raise UserError(
            f"--{name}={settings[name]}: {output_dir} holds a training with {old['settings'].get(name)}; "
            "give the same flags to go on, or another --output_dir"
        )
    files.write_json(path, {"settings": settings, "versions": cli.versions()})


def _initialise(model: keras.Model) -> None:
    """Copies the weights of the preset --initial."""
    weights = models.from_preset(FLAGS.initial).get_weights()
    if [value.shape for value in weights] != [tuple(variable.shape) for variable in model.weights]:
        raise UserError(f"--initial={FLAGS.initial}: is of another network or number of classes")
    model.set_weights(weights)


def _write_preset(
    model: keras.Model,
    test: tuple[np.ndarray, np.ndarray],
    class_names: tuple[str, ...],
    history: models.History,
    output_dir: Path,
) -> None:
    """Saves the model, loads it back, and reports the accuracy of what was loaded."""
    held_back = bool(FLAGS.validation_fraction)
    chosen = max(history, key=lambda record: record["validation_accuracy" if held_back else "epoch"])
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
    }
    folder = output_dir / "preset"
    models.save_preset(model, folder, card)
    result = evaluate.classify(models.from_preset(folder), *test, verbose=sys.stdout.isatty())
    card["test"] = {"points": test[0].shape[1], **result.summary(class_names)}
    models.save_preset(model, folder, card)
    print(json.dumps(card["test"], indent=2))
    print(f"preset written to {folder}")


if __name__ == "__main__":
    cli.run(main)
