"""Trains a network for objects or parts, resumes when started again, writes it as a preset with its card.

  python apps/train.py --flagfile=apps/flags/pointnet_shapes.cfg --output_dir=runs/shapes
  python apps/train.py --flagfile=apps/flags/pointnet_modelnet40.cfg --data_dir=.../modelnet40_ply_hdf5_2048
  python apps/train.py --flagfile=apps/flags/pointnet_parts_shapes.cfg --output_dir=runs/parts
  python apps/train.py --flagfile=apps/flags/vrn_half_modelnet10.cfg --data_dir=.../modelnet10_voxels

Each shipped preset has its flagfile. Your own clouds, with columns that the network shall see beside x y z:

  python apps/train.py --data_dir=my_tree --features=nx,ny,nz,intensity --model=pointnet2

Stages train on less of each example first and on all of it later: on random subsets of a cloud's points
(PointNet++ then has proportionally fewer centroids and neighbours), or on coarser voxels. An epoch of a
third of the time teaches nearly as much. Stop it at any moment; the same command goes on after the last
finished epoch. With KERAS_BACKEND=jax in the environment it needs no TensorFlow.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from absl import flags

from tfxai3d import cli, data, evaluate, models, training
from tfxai3d.errors import UserError, reason_of

if TYPE_CHECKING:  # main imports it once the flags are known to be right
    import tensorflow as tf

FLAGS = flags.FLAGS
flags.DEFINE_enum("model", "pointnet", models.architectures(), "The network.")
cli.define_flags(
    cli.TRAINING,
    data_dir=None,
    resample=False,
    truncation=None,
    features=None,
    num_train=8000,
    num_test=1000,
    tensorboard=False,
    output_dir="out/train",
)
flags.DEFINE_string(
    "variant", None,
    "PointNet with (full, the default) or without (basic) its transforms; PointNet++ with balls of one size "
    "(ssg, the default) or three (msg).",
)  # fmt: skip
flags.DEFINE_float("width", 1.0, "Not of PointNet and PointNet++: scales the numbers of channels.", 0.125, 4)
flags.DEFINE_string(
    "initial", None,
    "Preset or folder whose weights to start from, for VRN also a narrower one; random ones without it.",
)  # fmt: skip
flags.DEFINE_list(
    "stages", ["512x12", "1024x4"], "Points (or voxels along an axis) x epochs of each stage, in order."
)
flags.DEFINE_float(
    "validation_fraction", 0.0,
    "Part of train held back, to choose the best epoch of the last stage; 0: its last.", 0, 0.9,
)  # fmt: skip
flags.DEFINE_bool(
    "validate_on_val", False, "Choose that epoch on the split val of --data_dir, not on a part of train."
)
flags.DEFINE_enum(
    "choose_by", "accuracy", ["accuracy", "auc"],
    "What the best epoch has most of; auc, the area under the ROC curve, where classes differ in size.",
)  # fmt: skip
flags.DEFINE_enum(
    "precision", "float32", ["float32", "mixed_float16", "mixed_bfloat16"], "Keras dtype policy."
)
flags.DEFINE_enum(
    "strategy", "none", ["none", "mirrored", "multi_worker"],
    "tf.distribute strategy: all GPUs of this machine, or the workers that TF_CONFIG names, which all run "
    "this command and share --output_dir. They divide --batch_size; BatchNorm sees one device's part.",
)  # fmt: skip


def main(argv: list[str]) -> None:
    """Trains, evaluates on the test split, writes the preset."""
    output_dir = cli.check_outputs()
    cli.load_keras()
    strategy = _strategy()  # first of all: collective operations are set up when TensorFlow starts
    recipe = cli.from_flags(training.TrainingRecipe)
    size, parts = max(stage.size for stage in recipe.parsed_stages), models.get(FLAGS.model).segments
    grid = data.GridForm(size, (size,) * 3 if FLAGS.resample else None, recipe.truncation)
    options: dict[str, Any] = {"grid": grid, "features": FLAGS.features or 0}
    train, test = cli.open_splits(recipe.kind, size, parts=parts, **options)
    validation = cli.open_validation(recipe.kind, size, **options) if FLAGS.validate_on_val else None
    measure = evaluate.segment if parts else evaluate.classify
    card = training.train(
        recipe,
        train,
        test,
        output_dir,
        classify=functools.partial(measure, verbose=sys.stdout.isatty()),
        validation=validation,
        strategy=strategy,
        tensorboard=FLAGS.tensorboard,
        facts={"command": " ".join(["python apps/train.py", *cli.changed_flags(__name__)])},
    )
    if card is not None:
        print(json.dumps(card["test"], indent=2))
        print(f"preset written to {output_dir / 'preset'}")


def _strategy() -> tf.distribute.Strategy | None:
    if FLAGS.strategy == "none":
        return None
    cli.load_tensorflow()
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        raise UserError(
            f"--strategy={FLAGS.strategy}: KERAS_BACKEND must be tensorflow to have several devices"
        )
    if FLAGS.strategy == "multi_worker":
        if "TF_CONFIG" not in os.environ:
            raise UserError(
                '--strategy=multi_worker: set TF_CONFIG, such as {"cluster": {"worker": ["host1:2222", '
                '"host2:2222"]}, "task": {"type": "worker", "index": 0}}, with the index of each worker'
            )
        try:
            return tf.distribute.MultiWorkerMirroredStrategy()
        except (ValueError, TypeError, KeyError, RuntimeError) as error:
            raise UserError(f"TF_CONFIG: {reason_of(error, 200)}") from error
    return tf.distribute.MirroredStrategy()


if __name__ == "__main__":
    cli.run(main)
