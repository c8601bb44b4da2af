"""Compares p-grad-CAM's drop modes and point saliency ("ASM") with random dropping, on one object a class.

  python apps/compare_modes.py --data_dir=.../modelnet40_ply_hdf5_2048

The published comparison, every mode and ASM:

  python apps/compare_modes.py --flagfile=apps/flags/compare_modelnet40.cfg --data_dir=...

Takes the first test objects of each class that the network classifies right, so a class of which it knows no
object is missing; drops points by each mode until the decision changes, and again with a random control that
drops as many points in each iteration (ASM with --asm_control only: it takes many iterations). Objects that
are done are kept in --output_dir: started again, the same command goes on where it stopped. The plots under
rotation about y are those of a second run with --axes=y.

  runs.csv       one row for each object and mode, and for its random control
  steps.csv      one row for each of their iterations
  table.md       the summary that is also printed, with --data_dir beside the published one
  plots/         seconds and points removed by object, points left, accuracy and loss by iteration
  run.json       settings and versions
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from absl import flags

from tfxai3d import cli, data, evaluate, storage, view

FLAGS = flags.FLAGS
cli.define_flags(
    cli.ROTATIONS, cli.MODEL, data_kind="points", model="pointnet_modelnet40", data_dir=None,
    num_points=1024, num_drop=1, pooling="max", seed=0, pictures=True, output_dir="out/compare_modes",
)  # fmt: skip
flags.DEFINE_integer("num_examples", 1, "Objects of each class.", lower_bound=1)
_OWN_MODES = [mode for mode in evaluate.MODES if mode not in evaluate.MIRRORED]
flags.DEFINE_multi_enum(
    "mode", _OWN_MODES, [*_OWN_MODES, "asm"],
    "Modes to compare; asm drops the --num_drop most salient points.",
)  # fmt: skip
flags.DEFINE_bool("asm_control", False, "Run a random control of asm, too.")

_DECISIVE = ("model", "num_points", "num_examples", "rotations", "axes", "composed")
# Of procedural shapes so many are made for each object that is wanted: not all are classified right.
_SHAPES_FOR_ONE = 4


def main(argv: list[str]) -> None:
    """Runs what is not done yet and prints the table."""
    output_dir = cli.check_outputs()
    cli.load_tensorflow()
    net = cli.load_network()
    num_shapes = len(data.shapes.SHAPE_CLASSES) * FLAGS.num_examples * _SHAPES_FOR_ONE
    split = cli.open_labelled(net, None if FLAGS.data_dir else num_shapes)
    objects = split[evaluate.first_right(net, split.inputs, split.labels, FLAGS.num_examples)]
    comparison = evaluate.compare_modes(
        net,
        objects.inputs,
        objects.labels,
        FLAGS.mode,
        cli.rotation_test(net),
        num_drop=FLAGS.num_drop,
        asm_control=FLAGS.asm_control,
        pooling=FLAGS.pooling,
        seed=FLAGS.seed,
        folder=output_dir,
        settings={name: FLAGS[name].value for name in _DECISIVE},
    )
    table = comparison.markdown(evaluate.STRUHS if FLAGS.data_dir else "")
    storage.write_text(output_dir / "table.md", table)
    print(table, end="")
    if FLAGS.pictures:
        _plot(comparison, output_dir / "plots")


def _plot(comparison: evaluate.ModeComparison, folder: Path) -> None:
    """Draws the published plots, as PNG and SVG."""
    means: dict[str, dict[str, np.ndarray]] = {}
    for mode in dict.fromkeys(row["mode"] for row in comparison.steps):
        curves = comparison.curves(mode)
        removed = [curve["points"][0] - curve["points"][-1] for curve in curves.values()]
        seconds = [curve["seconds"].sum() for curve in curves.values()]
        means[mode] = evaluate.mean_by_iteration(list(curves.values()))
        for suffix in ("png", "svg"):
            view.render_bars(folder / f"{mode}_seconds.{suffix}", list(curves), seconds, "seconds", mode)
            path = folder / f"{mode}_removed.{suffix}"
            view.render_bars(path, list(curves), removed, "points_removed", mode)
            view.render_curves(folder / f"{mode}_accuracy.{suffix}", curves, "accuracy", "points", mode)
            view.render_curves(folder / f"{mode}_points.{suffix}", curves, "points", "iteration", mode)
    title = f"mean over the objects that go on, {FLAGS.rotations} rotations about {FLAGS.axes}"
    for column in ("points", "accuracy", "loss"):
        for suffix in ("png", "svg"):
            view.render_curves(folder / f"{column}.{suffix}", means, column, "iteration", title)


if __name__ == "__main__":
    cli.run(main)
