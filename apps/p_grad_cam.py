"""Shows which points made a network decide, and how many can go before it changes its mind (p-grad-CAM).

The main job explains a procedural chair with a shipped network and needs no data:

  python apps/p_grad_cam.py --flagfile=apps/flags/p_grad_cam.cfg

Objects of your own, in any format the readers take (meshes are sampled), or ModelNet by class:

  python apps/p_grad_cam.py --input=bunny.ply,plane.off --label=airplane --up=z
  python apps/p_grad_cam.py --data_dir=.../modelnet40_ply_hdf5_2048 --label=chair --index=0,1,2

Each iteration computes the heat of every point, classifies --rotations rotated copies, and drops points by
--mode, until the network no longer sees the object. The heat of a point says how much the decision rests on
it: pale points have none. For every object a folder in --output_dir holds:

  iterations.csv    the table that is also printed
  run.json          settings, versions, how the run ended, and when each point was dropped
  explanation.npz   the heat of the whole object (tfxai3d.explain.Explanation.load reads it)
  heat.png, heat.html, heat.ply    pictures of it; the page can be rotated in any browser, without a network
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from tfxai3d import cli, evaluate, explain, results, view

FLAGS = flags.FLAGS
cli.define_flags(
    cli.OBJECTS, cli.ROTATIONS, cli.MODEL, data_kind="points", model="pointnet_modelnet40",
    shape=["chair"], pooling="max", rotations=500, pictures=True, colormap=None, view=False,
    output_dir="out/p_grad_cam",
)  # fmt: skip
flags.DEFINE_enum("mode", "+average", evaluate.MODES, "Which points go in each iteration.")

_ENDINGS = {
    "decision": "the network no longer sees {name!r}",
    "wrong from the start": "the network does not see {name!r} in the whole object either",
    "nothing left to drop": "mode {mode!r} finds nothing more to drop",
    "minimum of points": "the fewest points that count as an object are left",
}


def main(argv: list[str]) -> None:
    """Explains each object and drops its points."""
    cli.check_outputs()
    cli.find_objects()  # mistakes are found before TensorFlow is loaded
    cli.load_tensorflow()
    net = cli.load_network()
    explainer = explain.PGradCAM(net, FLAGS.pooling)
    found = cli.find_objects(net)
    targets = cli.class_numbers(found, net)
    rotation_test = cli.rotation_test(net)
    for number, (item, target) in enumerate(zip(found, targets, strict=True)):
        explanation = explainer(item.inputs[None], target)
        head = f"[{number + 1}/{len(found)}] {item.name}, {len(item.inputs)} points:"
        print(head, cli.question(explanation))
        if FLAGS.input is not None:
            _hint_at_up_axis(explanation, net)
        run = _drop(explainer, rotation_test, explanation)
        folder = Path(FLAGS.output_dir) / item.name
        cli.write_drop_run(__name__, folder, item.name, explanation, run)
        cli.remove_pictures(folder, "heat.png", "heat.html", "heat.ply")
        if FLAGS.pictures:
            view.render_png(folder / "heat.png", explanation, colormap=FLAGS.colormap)
            view.write_html(folder / "heat.html", explanation, colormap=FLAGS.colormap)
            view.write_ply(folder / "heat.ply", explanation, colormap=FLAGS.colormap)
        _conclude(explanation, run)
        print(f"results in {folder}", flush=True)
        if FLAGS.view:
            view.open_window(explanation, colormap=FLAGS.colormap)


def _hint_at_up_axis(explanation: explain.Explanation, net: explain.Network) -> None:
    """Says so where the network is surer of the same file with the other axis up, the usual mistake."""
    found = evaluate.surer_with_other_axis_up(net, explanation.inputs[0], explanation.scores[0])
    if found:
        other, name = "y" if FLAGS.up == "z" else "z", explanation.class_name(found.label)
        print(f"hint: with --up={other} the network sees {name!r}", end=" ")
        print(f"({found.probability:.0%}, against {found.before:.0%})")


def _drop(
    explainer: explain.Explainer, test: evaluate.RotationTest | None, explanation: explain.Explanation
) -> results.DropRun:
    """Runs the loop and prints a row an iteration."""
    if mirrored := evaluate.MIRRORED.get(FLAGS.mode):
        print(f"running {mirrored!r} first, for the number of points to drop", flush=True)
    points, label = explanation.inputs[0], int(explanation.target[0])
    runs = evaluate.drop_points(explainer, test, points, label, FLAGS.mode, seed=FLAGS.seed)
    return cli.print_steps(runs, explanation)


def _conclude(explanation: explain.Explanation, run: results.DropRun) -> None:
    name = explanation.class_name(int(explanation.target[0]))
    seconds = sum(step.seconds for step in run.steps)
    removed = f"{run.points_removed} of {len(run.dropped_at)} points removed"
    ending = _ENDINGS[run.stopped_by].format(name=name, mode=FLAGS.mode)
    print(f"{removed} in {len(run.steps)} iteration(s), {seconds:.1f} s: {ending}")


if __name__ == "__main__":
    cli.run(main)
