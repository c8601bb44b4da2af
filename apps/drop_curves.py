"""Drops points by several kinds of importance and shows what it costs (after Zheng et al., ICCV 2019).

Procedural shapes and a small network, no data needed:

  python apps/drop_curves.py

The published experiment: the test split of ModelNet40, 1,024 points, 5 points a step, 40 steps:

  python apps/drop_curves.py --flagfile=apps/flags/drop_modelnet40.cfg --data_dir=.../modelnet40_ply_hdf5_1024

A condition is a method of tfxai3d.explain, or `random`; its points of the highest importance go first, with
`:lowest` after the name those of the lowest. --steps=1000 goes on to the last 10 points: then the area under
a curve is the deletion area, and for `:lowest` the insertion area, since dropping the least important points
first is inserting the most important ones first, read backwards. Each batch is kept in --output_dir when it
is done: started again, the same command goes on where it stopped. With --num_workers=2 two processes do a
condition each at a time, with the same results to the bit.

  curves.csv            accuracy, loss, confidence and seconds by condition, step and class
  table.md              accuracy beside the published one, and areas; also printed
  accuracy.png, .svg    the curves; also of the loss and of the confidence, and insertion of the accuracy
                        where a `:lowest` run went on to the last points
  <condition>.h5        every step of every cloud, and when each point went
  sequence_<condition>.html   one cloud losing its points, to scrub through
  tensorboard           with --tensorboard: the curves, one run a condition, and their plots
  run.json              settings and versions
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from absl import flags

from tfxai3d import cli, data, evaluate, explain, results, storage, tensorboard, view

FLAGS = flags.FLAGS
cli.define_flags(
    cli.MODEL, data_kind="points", data_dir=None, num_points=1024, num_examples=None, num_drop=5,
    num_steps=40, power=1.0, batch_size=32, num_workers=1, seed=0, pictures=True, tensorboard=False,
    output_dir="out/drop_curves",
)  # fmt: skip
flags.DEFINE_list(
    "condition", ["point_saliency", "critical_points", "random", "point_saliency:lowest"],
    "Methods of tfxai3d.explain or random; `:lowest` drops the least important points first.",
)  # fmt: skip
flags.DEFINE_bool("recompute", True, "Compute the importance anew in each step, not once.")
flags.DEFINE_enum(
    "centre", "median", ["median", "mean", "ball"],
    "Where point_saliency moves a point: to the middle of the cloud, or of PointNet++'s balls.",
)  # fmt: skip


def main(argv: list[str]) -> None:
    """Runs what is not done yet and reports."""
    output_dir = cli.check_outputs()
    preset = FLAGS.model or ("pointnet_modelnet40" if FLAGS.data_dir else "pointnet_shapes")
    cli.load_tensorflow()
    for text in FLAGS.condition:
        evaluate.Condition.parse(text)
    cli.spread(__file__, "condition", FLAGS.condition)
    net = cli.load_network(preset)
    count = FLAGS.num_examples or (None if FLAGS.data_dir else 100)
    split = cli.open_labelled(net, count)
    tables = evaluate.drop_curves(
        net,
        split.inputs,
        split.labels,
        FLAGS.condition,
        num_drop=FLAGS.num_drop,
        num_steps=FLAGS.num_steps,
        recompute=FLAGS.recompute,
        options={"power": FLAGS.power, "centre": FLAGS.centre},
        batch_size=FLAGS.batch_size,
        seed=FLAGS.seed,
        folder=output_dir,
        settings={
            "model": preset,
            "data": Path(FLAGS.data_dir).name if FLAGS.data_dir else "procedural",
            "num_points": FLAGS.num_points,
        },
        shared=not FLAGS.num_workers,
    )
    if not FLAGS.num_workers:
        return
    by_class = {name: table.by_step_and_class(split.class_names) for name, table in tables.items()}
    rows = [{"condition": name} | row for name, table in by_class.items() for row in table]
    storage.write_csv(output_dir / "curves.csv", rows)
    published = evaluate.ZHENG.get(type(net.model).__name__) if FLAGS.data_dir else None
    text = evaluate.drop_summary(tables, published)
    storage.write_text(output_dir / "table.md", text)
    print(text, end="")
    if FLAGS.tensorboard:
        tensorboard.write_drop_curves(output_dir / "tensorboard", tables)
    if FLAGS.pictures:
        _draw(tables, net, split[:1], output_dir)
    print(f"results in {output_dir}")


def _draw(
    tables: Mapping[str, results.DropTable], net: explain.Network, first: data.Split, output_dir: Path
) -> None:
    """Draws the curves, and for each condition the `first` cloud losing its points."""
    curves, inserted = {}, evaluate.insertion_curves(tables)
    names, label = first.class_names, int(first.labels[0])
    for name, table in tables.items():
        curves[name] = table.by_step()
        path, rows = output_dir / f"sequence_{storage.file_name(name)}.html", table.rows
        shown = cli.upright(first.inputs[0], net), table.dropped_at[0], rows[rows["cloud"] == 0]
        view.write_drop_page(path, *shown, label, f"{names[label]}: {name}", names)
    for suffix in ("png", "svg"):
        for column in ("accuracy", "loss", "confidence"):
            view.render_curves(output_dir / f"{column}.{suffix}", curves, column)
        if inserted:
            path = output_dir / f"insertion.{suffix}"
            view.render_curves(path, inserted, "accuracy", "points_inserted", "highest first")


if __name__ == "__main__":
    cli.run(main)
