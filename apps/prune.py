"""Prunes a trained classifier by dynamic network surgery, tunes it, and shows what that costs.

  python apps/prune.py --flagfile=apps/flags/prune_shapes.cfg
  python apps/prune.py --flagfile=apps/flags/prune_modelnet40.cfg --data_dir=.../modelnet40_hdf5
  python apps/prune.py --flagfile=apps/flags/prune_vrn.cfg --data_dir=.../modelnet10_voxels

The first needs no download. The density is the fraction of the kernels' weights that is left. It is
reached step by step within --epochs of training, or at once with --epochs=0, as in the paper; --tune_epochs
of training follow, in whose first half weights that were cut by mistake can still come back in exchange for
others. --structure=channel cuts whole channels instead, which leaves a smaller and faster network. With
--from_scratch the network is pruned while it is trained for the first time.
Stop it at any moment; the same command goes on after the last finished epoch.

Prints a table (weights, weights left, test accuracy: original, pruned without tuning, tuned), and writes it
to --output_dir as table.csv, beside

  layers.csv        weights left in each layer, cut at once and after training
  log.csv           loss, accuracy (with --teacher: agreement with it), density left, weights cut and spliced
                    a step, or regrown, by epoch
  preset            the pruned model in compact form, for --model of this and the other programs; with
                    --structure=channel the smaller dense model that is left
  small.keras       the same without the channels that pruning left dead or unread, if there are any: a
                    smaller dense model with the same outputs, for keras.saving.load_model after importing
                    PointNet, PointNet2 or VRN from tfxai3d.models
  tensorboard       with --tensorboard: masks, densities, weights cut and spliced, by layer and epoch
"""

from __future__ import annotations

import functools
import sys
from typing import Any

from absl import flags

from tfxai3d import cli, evaluate, explain, models, storage, tensorboard, training
from tfxai3d.errors import UserError

FLAGS = flags.FLAGS
cli.define_flags(
    cli.TRAINING, cli.GRIDS, {name: default for name, default in cli.MODEL.items() if name != "layer"},
    model="pointnet_shapes", data_dir=None, num_train=2000, num_test=512, num_points=512,
    density=0.05, label_smoothing=0.1, tensorboard=False, output_dir="out/prune",
)  # fmt: skip
flags.DEFINE_bool(
    "from_scratch", False,
    "Forget the weights of --model, and prune its architecture while it is trained anew, in --epochs.",
)  # fmt: skip
flags.DEFINE_integer(
    "train_points", None, "Train on so many points of each cloud, drawn anew every step; default all.", 10
)
flags.DEFINE_enum("scope", "global", ["global", "layer"], "Whether of all layers together or of each.")
flags.DEFINE_enum(
    "structure", "weight", ["weight", "channel"],
    "What is cut: weights one by one, or whole channels, which leaves a smaller and faster dense network. "
    "--density is then the fraction of the channels; the classes stay, and channels that layers of unknown "
    "kinds read.",
)  # fmt: skip
flags.DEFINE_enum(
    "importance", "magnitude", ["magnitude", "lamp", "gradient"],
    "What decides which weights stay: |W|; lamp: |W| in proportion to the larger weights of its layer, so "
    "that no layer is lost; gradient: |W dL/dW|.",
)  # fmt: skip
flags.DEFINE_list("exclude", None, "Layers to leave alone; VRN's dense layers are by default.")
flags.DEFINE_integer("epochs", 2, "Epochs until the density is reached; 0: at once.", lower_bound=0)
flags.DEFINE_integer("tune_epochs", 1, "Epochs of training at the density.", lower_bound=0)
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
flags.DEFINE_string(
    "teacher", None,
    "Shipped preset or folder of a network whose probabilities are learnt beside the labels (distillation): "
    "the one before pruning, or a better one. They are soft already: --label_smoothing=0 suits them.",
)  # fmt: skip


def main(argv: list[str]) -> None:
    """Prunes, tunes, reports."""
    output_dir = cli.check_outputs()
    cli.load_tensorflow()
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # it warns of compiling one model after the other
    recipe = cli.from_flags(training.PruningRecipe)
    net = cli.load_network()
    model = net.model
    net.settle()
    if isinstance(model, models.SavedModel) or net.head == "regression" or net.several or net.segments:
        raise UserError(
            f"--model={FLAGS.model}: pruning trains Keras classifiers of one input and whole examples"
        )
    options: dict[str, Any] = {"grid": cli.grid_form(net), "features": cli.features(net)}
    options["normalize"] = FLAGS.normalize != "none"
    splits = cli.open_splits(net.kind, cli.num_points(net), net.class_names, **options)
    train, test = (cli.turned(split, net) for split in splits)
    cli.check_labels(net, train)
    logger = functools.partial(tensorboard.PruningLogger, log_dir=output_dir / "tensorboard")
    rows = training.prune(
        recipe,
        model,
        train,
        test,
        output_dir,
        classify=functools.partial(_classify, head=FLAGS.head, kind=net.kind),
        logger=logger if FLAGS.tensorboard else None,
        facts={
            "pruned_from": "new weights" if FLAGS.from_scratch else FLAGS.model,
            "command": " ".join(["python apps/prune.py", *cli.changed_flags(__name__)]),
        },
        data_kind=net.kind,
        from_logits=not net.reading.activated,
        head=net.head,
    )
    preset = output_dir / "preset"
    written = preset / "weights.npz" if preset.exists() else output_dir / "pruned.keras"
    print(f"{written}: {written.stat().st_size:,} bytes, of {4 * model.count_params():,} as float32")
    head = ("model", "# parameters", "left", "% left", "accuracy")
    formats = ("{model}", "{parameters:,}", "{left:,}", "{density:.2%}", "{accuracy:.2%}")
    print("\n" + storage.markdown_table(head, [[cell.format(**row) for cell in formats] for row in rows]))
    print(f"pruned {'preset' if preset.exists() else 'model'} in {preset if preset.exists() else written}")


def _classify(model: Any, inputs: Any, labels: Any, head: Any, kind: Any) -> evaluate.Classification:
    """Classifies as --head says."""
    net = explain.network(model, kind, head=head)
    return evaluate.classify(net, inputs, labels, verbose=sys.stdout.isatty())


if __name__ == "__main__":
    cli.run(main)
