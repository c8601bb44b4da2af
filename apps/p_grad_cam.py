"""Shows which points made a network decide, and how many can go before it changes its mind (p-grad-CAM).

The main job explains a procedural chair with a shipped network and needs no data:

  python apps/p_grad_cam.py --flagfile=apps/flags/p_grad_cam.cfg

Objects of your own, in any format the readers take (meshes are sampled), or ModelNet by class:

  python apps/p_grad_cam.py --input=bunny.ply,plane.off --label=airplane --up=z
  python apps/p_grad_cam.py --data_dir=.../modelnet40_ply_hdf5_2048 --label=chair --index=0,1,2

Each iteration computes the heat of every point, classifies --rotations turned copies, and drops points by
--mode, until the network no longer sees the object. The heat of a point is its share in the network's
decision: pale points had none. For every object a folder in --output_dir holds:

  iterations.csv    the table that is also printed
  run.json          settings, versions, how the run ended, and when each point was dropped
  explanation.npz   the heat of the whole object (tfxai3d.explain.Explanation.load reads it)
  heat.png, heat.html, heat.ply    pictures of it; the page turns in any browser, without a network
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import flags

from tfxai3d import cli, data, evaluate, explain, models, results, storage, view
from tfxai3d.cli import objects
from tfxai3d.cli.objects import Object

if TYPE_CHECKING:
    import keras

FLAGS = flags.FLAGS
flags.DEFINE_string("model", "pointnet_modelnet40", "Shipped preset or a folder written by apps/train.py.")
objects.define_flags(["chair"])
flags.DEFINE_enum("mode", "+average", evaluate.MODES, "Which points go in each iteration.")
flags.DEFINE_enum("pooling", "max", ["max", "mean"], "Pooling of the gradient over the channels.")
flags.DEFINE_integer("rotations", 500, "Rotated copies classified in each iteration.", lower_bound=1)
flags.DEFINE_enum("axes", "xyz", ["y", "xyz"], "Axes of the random rotations; y is up.")
flags.DEFINE_bool("composed", True, "Each rotation continues from the one before it, as published.")
flags.DEFINE_integer("seed", 0, "Seed of the sampling, the rotations and the random modes.", lower_bound=0)
flags.DEFINE_bool("pictures", True, "Draw the heat as PNG, HTML and PLY.")
flags.DEFINE_enum("colormap", "magma_r", view.COLORMAPS, "Colours of the heat; green_red as published.")
flags.DEFINE_bool("view", False, "Open a window on each object when it is done.")
flags.DEFINE_string("output_dir", "out/p_grad_cam", "Folder of the results.")


def main(argv: list[str]) -> None:
    """Explains each object and drops its points."""
    cli.check_output_dir(FLAGS.output_dir)
    if FLAGS.pictures:
        cli.check_package("matplotlib", "view")
    if FLAGS.view:
        cli.check_package("open3d", "view", "--noview")
    found = objects.find_objects()
    cli.load_tensorflow()
    model = models.from_preset(FLAGS.model)
    targets = [objects.class_number(item.label, model.class_names) for item in found]
    explainer = explain.PGradCAM(model, FLAGS.pooling)
    rotation_test = evaluate.RotationTest(
        model,
        evaluate.random_rotations(FLAGS.rotations, FLAGS.axes, composed=FLAGS.composed, seed=FLAGS.seed),
    )
    for number, (item, target) in enumerate(zip(found, targets, strict=True)):
        explanation = explainer(item.inputs[None], target)
        _announce(item, explanation, number, len(found))
        if FLAGS.input is not None:
            _hint_at_up_axis(item, explanation, model)
        run = _drop(explainer, rotation_test, item.inputs, explanation)
        folder = Path(FLAGS.output_dir) / item.name
        _write_results(folder, item, explanation, run)
        for name in ("heat.png", "heat.html", "heat.ply"):  # of an earlier run into this folder
            (folder / name).unlink(missing_ok=True)
        if FLAGS.pictures:
            view.render_png(folder / "heat.png", explanation, colormap=FLAGS.colormap)
            view.write_html(folder / "heat.html", explanation, colormap=FLAGS.colormap)
            view.write_ply(folder / "heat.ply", explanation, colormap=FLAGS.colormap)
        _conclude(item, explanation, run)
        print(f"results in {folder}", flush=True)
        if FLAGS.view:
            view.open_window(explanation, colormap=FLAGS.colormap)


def _announce(item: Object, explanation: explain.Explanation, number: int, total: int) -> None:
    target, predicted = int(explanation.target[0]), int(explanation.predicted[0])
    print(f"[{number + 1}/{total}] {item.name}, {len(item.inputs)} points: why", end=" ")
    print(f"{explanation.class_name(target)!r}?", end="\n" if target == predicted else " ")
    if target != predicted:
        print(f"(the network sees {explanation.class_name(predicted)!r})")


def _hint_at_up_axis(item: Object, explanation: explain.Explanation, model: keras.Model) -> None:
    """Says so where the network is surer of the same file with the other axis up, the usual mistake."""
    other = "y" if FLAGS.up == "z" else "z"
    turned = data.z_up_to_y_up(item.inputs)  # its own inverse
    both = np.concatenate([explanation.scores, np.asarray(model(turned[None], training=False))])
    upright, lying = evaluate.Classification(both, np.zeros(2, int)).probabilities
    if lying.max() > upright.max():
        name = explanation.class_name(int(lying.argmax()))
        print(f"hint: with --up={other} the network sees {name!r}", end=" ")
        print(f"({lying.max():.0%}, against {upright.max():.0%})")


def _conclude(item: Object, explanation: explain.Explanation, run: results.DropRun) -> None:
    name = explanation.class_name(int(explanation.target[0]))
    endings = {
        "decision": f"the network no longer sees {name!r}",
        "wrong from the start": f"the network does not see {name!r} in the whole object either",
        "nothing left to drop": f"mode {FLAGS.mode!r} finds nothing more to drop",
        "minimum of points": "the fewest points that count as an object are left",
    }
    seconds = sum(step.seconds for step in run.steps)
    print(
        f"{run.points_removed} of {len(item.inputs)} points removed in {len(run.steps)} iteration(s),",
        end=" ",
    )
    print(f"{seconds:.1f} s: {endings[run.stopped_by]}")


def _drop(
    explainer: explain.Explainer,
    rotation_test: evaluate.RotationTest,
    points: np.ndarray,
    explanation: explain.Explanation,
) -> results.DropRun:
    """Runs the loop and prints a row an iteration; a random mode first runs the mode it mirrors."""
    label, counts = int(explanation.target[0]), []
    if mirrored := evaluate.MIRRORED.get(FLAGS.mode):
        print(f"running {mirrored!r} first, for the number of points to drop", flush=True)
        for run in evaluate.drop_points(explainer, rotation_test, points, label, mirrored):
            counts = run.counts or [0]
    cli.print_row(results.DropStep.COLUMNS)
    for run in evaluate.drop_points(
        explainer, rotation_test, points, label, FLAGS.mode, counts=counts, seed=FLAGS.seed
    ):
        cli.print_row(run.steps[-1].record(explanation.class_name).values())
    return run


def _write_results(
    folder: Path, item: Object, explanation: explain.Explanation, run: results.DropRun
) -> None:
    explanation.save(folder / "explanation.npz")
    storage.write_csv(folder / "iterations.csv", [step.record(explanation.class_name) for step in run.steps])
    report = {
        "object": item.name,
        "target": explanation.class_name(int(explanation.target[0])),
        "predicted": explanation.class_name(int(explanation.predicted[0])),
        "points": len(item.inputs),
        "points_removed": run.points_removed,
        "iterations": len(run.steps),
        "stopped_by": run.stopped_by,
        "dropped_at": run.dropped_at.tolist(),
    }
    cli.write_report(__name__, folder, report)


if __name__ == "__main__":
    cli.run(main)
