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
from typing import TYPE_CHECKING

import numpy as np
from absl import flags

from tfxai3d import cli, data, evaluate, explain, models, results, storage, view
from tfxai3d.cli import objects
from tfxai3d.errors import UserError

if TYPE_CHECKING:
    import keras

FLAGS = flags.FLAGS
flags.DEFINE_string("model", "pointnet_modelnet40", "Shipped preset or a folder written by apps/train.py.")
objects.define_flags(["chair"])
flags.DEFINE_integer("num_drop", 5, "Points dropped in a step.", lower_bound=1)
flags.DEFINE_integer("num_steps", 20, "Steps.", lower_bound=1)
flags.DEFINE_bool("drop_neg", False, "Drop the lowest values first: the points that speak against the class.")
flags.DEFINE_float("power", 1.0, "Of the distance from the centre; published 1 for PointNet, 6 for DGCNN.")
flags.DEFINE_list("centre", ["median"], "median, mean, three coordinates, or ball: of PointNet++'s balls.")
flags.DEFINE_bool(
    "until_changed", False, "Go on until the prediction is wrong and half of the turned copies too."
)
flags.DEFINE_integer(
    "rotations", 0, "Randomly turned copies classified in each step; 0: the object itself.", lower_bound=0
)
flags.DEFINE_enum("axes", "xyz", ["y", "xyz"], "Axes of the random rotations; y is up.")
flags.DEFINE_bool("composed", True, "Each random rotation continues from the one before it.")
flags.DEFINE_integer(
    "num_votes", 1, "Copies turned about y by equal angles, whose vote is the decision.", lower_bound=1
)
flags.DEFINE_integer("seed", 0, "Seed of the sampling and the rotations.", lower_bound=0)
flags.DEFINE_string("output_dir", "out/asm", "Folder of the results.")


def main(argv: list[str]) -> None:
    """Drops points of each object."""
    cli.check_output_dir(FLAGS.output_dir)
    if FLAGS.rotations and FLAGS.num_votes > 1:
        raise UserError("give --rotations, copies that are counted, or --num_votes, copies that vote")
    centre = _centre()
    found = objects.find_objects()
    cli.load_tensorflow()
    model = models.from_preset(FLAGS.model)
    targets = [objects.class_number(item.label, model.class_names) for item in found]
    explainer = explain.PointSaliency(model, centre=centre, power=FLAGS.power)
    rotation_test = _rotation_test(model)
    rule = evaluate.by_count(FLAGS.num_drop, "lowest" if FLAGS.drop_neg else "highest")
    for item, target in zip(found, targets, strict=True):
        explanation = explainer(item.inputs[None], target)
        label = int(explanation.target[0])
        print(f"{item.name}, {len(item.inputs)} points, {explanation.class_name(label)!r}")
        cli.print_row(results.DropStep.COLUMNS)
        for runs in evaluate.drop_clouds(
            evaluate.Recomputed(explainer),
            [item.inputs],
            [label],
            rule,
            steps=None if FLAGS.until_changed else FLAGS.num_steps,
            rotation_test=rotation_test,
        ):
            cli.print_row(runs[0].steps[-1].record(explanation.class_name).values())
        _write(Path(FLAGS.output_dir) / item.name, item, explanation, runs[0])


def _write(
    folder: Path, item: objects.Object, explanation: explain.Explanation, run: results.DropRun
) -> None:
    label = int(explanation.target[0])
    name = explanation.class_name(label)
    explanation.save(folder / "explanation.npz")
    storage.write_csv(folder / "iterations.csv", [step.record(explanation.class_name) for step in run.steps])
    table = results.DropTable().extended([run], [label])
    view.write_drop_page(
        folder / "sequence.html",
        item.inputs,
        run.dropped_at,
        table.rows,
        label,
        f"{item.name}: point saliency, {'lowest' if FLAGS.drop_neg else 'highest'} first",
        explanation.class_names,
    )
    report = {
        "object": item.name,
        "target": name,
        "points": len(item.inputs),
        "points_removed": run.points_removed,
        "iterations": len(run.steps),
        "stopped_by": run.stopped_by,
        "dropped_at": run.dropped_at.tolist(),
    }
    cli.write_report(__name__, folder, report)
    print(f"{run.points_removed} points removed: {run.stopped_by}; results in {folder}", flush=True)


def _rotation_test(model: keras.Model) -> evaluate.RotationTest | None:
    if FLAGS.num_votes > 1:
        return evaluate.RotationTest(model, data.even_rotations(FLAGS.num_votes), vote=True)
    if not FLAGS.rotations:
        return None
    rotations = evaluate.random_rotations(
        FLAGS.rotations, FLAGS.axes, composed=FLAGS.composed, seed=FLAGS.seed
    )
    return evaluate.RotationTest(model, rotations)


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
