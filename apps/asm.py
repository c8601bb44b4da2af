"""Drops the most salient points of objects and shows what the network makes of the rest ("ASM", ICCV 2019).

A procedural chair and a shipped network, no data needed; the published settings, 20 steps of 5 points:

  python apps/asm.py

Objects of your own, or ModelNet by class; and one point a step until the decision changes, as in the
comparison with p-grad-CAM:

  python apps/asm.py --input=bunny.ply,plane.off --label=airplane --up=z
  python apps/asm.py --data_dir=.../modelnet40_ply_hdf5_2048 --label=chair --index=0,1,2
  python apps/asm.py --num_drop=1 --until_changed --rotations=100

For every object a folder in --output_dir holds:

  iterations.csv    the table that is also printed
  run.json          settings, versions, how the run ended, and when each point was dropped
  explanation.npz   the saliency of the whole object (tfxai3d.explain.Explanation.load reads it)
  sequence.html     the object losing its points, to scrub through in any browser
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from tfxai3d import cli, data, evaluate, explain, results, view
from tfxai3d.errors import UserError

FLAGS = flags.FLAGS
cli.define_flags(
    cli.OBJECTS, cli.ROTATIONS, cli.MODEL, data_kind="points", model="pointnet_modelnet40",
    shape=["chair"], num_drop=5, num_steps=20, power=1.0, rotations=0, output_dir="out/asm",
)  # fmt: skip
flags.DEFINE_bool("drop_neg", False, "Drop the lowest values first: the points that speak against the class.")
flags.DEFINE_list("centre", ["median"], "median, mean, three coordinates, or ball: of PointNet++'s balls.")
flags.DEFINE_bool(
    "until_changed", False, "Go on until the prediction is wrong and half of the rotated copies too."
)
flags.DEFINE_integer(
    "num_votes", 1, "Copies rotated about y by equal angles, whose vote is the decision.", lower_bound=1
)


def main(argv: list[str]) -> None:
    """Drops points of each object."""
    cli.check_outputs()
    if FLAGS.rotations and FLAGS.num_votes > 1:
        raise UserError("give --rotations, copies that are counted, or --num_votes, copies that vote")
    centre = _centre()
    cli.find_objects()  # mistakes are found before TensorFlow is loaded
    cli.load_tensorflow()
    net = cli.load_network()
    explainer = explain.PointSaliency(net, centre=centre, power=FLAGS.power)
    found = cli.find_objects(net)
    targets = cli.class_numbers(found, net)
    rotation_test = _rotation_test(net)
    order: evaluate.Order = "lowest" if FLAGS.drop_neg else "highest"
    steps = None if FLAGS.until_changed else FLAGS.num_steps
    for item, target in zip(found, targets, strict=True):
        explanation = explainer(item.inputs[None], target)
        label = int(explanation.target[0])
        print(f"{item.name}, {len(item.inputs)} points:", cli.question(explanation))
        least = evaluate.least_points(net, item.inputs)
        rule, rated = evaluate.by_count(FLAGS.num_drop, order, least), evaluate.Recomputed(explainer)
        options: dict[str, Any] = {"steps": steps, "rotation_test": rotation_test, "min_points": least}
        runs = evaluate.drop_clouds(rated, [item.inputs], [label], rule, **options)
        run = cli.print_steps((one for (one,) in runs), explanation)
        folder = Path(FLAGS.output_dir) / item.name
        cli.write_drop_run(__name__, folder, item.name, explanation, run)
        rows = results.DropTable().extended([run], [label]).rows
        shown = (
            cli.upright(item.inputs, net),
            run.dropped_at,
            rows,
            label,
            f"{item.name}: point saliency, {order} first",
        )
        view.write_drop_page(folder / "sequence.html", *shown, explanation.class_names)
        print(f"{run.points_removed} points removed: {run.stopped_by}; results in {folder}", flush=True)


def _rotation_test(net: explain.Network) -> evaluate.RotationTest | None:
    if FLAGS.num_votes > 1:
        return evaluate.RotationTest(net, data.even_rotations(FLAGS.num_votes, net.up), vote=True)
    return cli.rotation_test(net)


def _centre() -> str | list[float]:
    if FLAGS.centre in (["median"], ["mean"], ["ball"]):
        return str(FLAGS.centre[0])
    try:
        centre = [float(text) for text in FLAGS.centre]
    except ValueError:
        centre = []
    if len(centre) != 3 or not np.isfinite(centre).all():
        given = ",".join(FLAGS.centre)
        raise UserError(f"--centre={given}: give median, mean, ball, or three numbers as 0,0.5,0")
    return centre


if __name__ == "__main__":
    cli.run(main)
