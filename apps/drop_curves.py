"""Drops points by several kinds of importance and shows what it costs (after Zheng et al., ICCV 2019).

Procedural shapes and a small network, no data needed:

  python apps/drop_curves.py

The published experiment: the test split of ModelNet40, 1,024 points, 5 points a step, 40 steps:

  python apps/drop_curves.py --flagfile=apps/flags/drop_modelnet40.cfg --data_dir=.../modelnet40_ply_hdf5_1024

A condition is a method of tfxai3d.explain, or `random`; its points of the highest importance go first, with
`:lowest` after the name those of the lowest. --steps=1000 goes on to the last 10 points: then the area under
a curve is the deletion area, and for `:lowest` the insertion area, since dropping the least important points
first is inserting the most important ones first, read backwards. Each batch is kept in --output_dir when it
is done: started again, the same command goes on where it stopped. Processes that run different conditions
into one folder may run side by side; the command with all of them then reports what they have done.

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

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from absl import flags
from tqdm import tqdm

from tfxai3d import cli, data, evaluate, explain, models, results, storage, tensorboard, view
from tfxai3d.data.geometry import MIN_POINTS
from tfxai3d.errors import UserError

if TYPE_CHECKING:
    import keras

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "model", None, "Preset or folder; pointnet_modelnet40 with --data_dir, else pointnet_shapes."
)
flags.DEFINE_string("data_dir", None, "ModelNet40 HDF5 folder; its test split. Procedural shapes without it.")
flags.DEFINE_integer("num_points", 1024, "Points of a cloud.", lower_bound=10)
flags.DEFINE_integer(
    "num_clouds", None, "So many clouds, spread over the split; default all, 100 procedural.", lower_bound=1
)
flags.DEFINE_list(
    "condition",
    ["point_saliency", "critical_points", "random", "point_saliency:lowest"],
    "Methods of tfxai3d.explain or random; `:lowest` drops the least important points first.",
)
flags.DEFINE_integer("num_drop", 5, "Points dropped in a step.", lower_bound=1)
flags.DEFINE_integer("num_steps", 40, "Steps; a cloud keeps at least 10 points.", lower_bound=1)
flags.DEFINE_bool("recompute", True, "Compute the importance anew in each step, not once.")
flags.DEFINE_float("power", 1.0, "Of the distance in point_saliency.")
flags.DEFINE_enum(
    "centre", "median", ["median", "mean", "ball"],
    "Where point_saliency moves a point: to the middle of the cloud, or of PointNet++'s balls.",
)  # fmt: skip
flags.DEFINE_integer("batch_size", 32, "Clouds at once.", lower_bound=1)
flags.DEFINE_integer("seed", 0, "Seed of the random orders and the procedural shapes.", lower_bound=0)
flags.DEFINE_bool("pictures", True, "Draw the curves and the sequences.")
flags.DEFINE_bool("tensorboard", False, "Also write TensorBoard's files; needs the extra tensorboard.")
flags.DEFINE_string("output_dir", "out/drop_curves", "Folder of the results.")

_SETTINGS = ("model", "num_points", "num_clouds", "num_drop", "num_steps", "recompute", "seed")
_SALIENCY_SETTINGS = ("power", "centre")
# Zheng et al., ICCV 2019, read off the figures (+-0.004): accuracy by condition and points dropped.
_PUBLISHED: dict[str, dict[str, dict[int, float]]] = {
    "PointNet": {
        "point_saliency": {0: 0.882, 50: 0.767, 100: 0.668, 150: 0.552, 200: 0.442},
        "critical_points": {0: 0.882, 100: 0.764, 150: 0.668, 200: 0.582},
        "random": {0: 0.882, 200: 0.878},
        "point_saliency:lowest": {0: 0.882, 200: 0.913},
    },
    "PointNet2": {
        "point_saliency": {0: 0.895, 50: 0.835, 100: 0.772, 150: 0.697, 200: 0.585},
        "random": {0: 0.895, 200: 0.891},
        "point_saliency:lowest": {0: 0.895, 200: 0.907},
    },
}
_REPORTED = (0, 50, 100, 150, 200)


class Clouds(NamedTuple):
    """What is dropped from."""

    points: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]


def main(argv: list[str]) -> None:
    """Runs what is not done yet and reports."""
    output_dir = Path(FLAGS.output_dir)
    cli.check_output_dir(output_dir)
    if FLAGS.pictures:
        cli.check_package("matplotlib", "view")
    if FLAGS.tensorboard:
        for package in ("tensorboard", "matplotlib"):
            cli.check_package(package, "tensorboard", "--notensorboard")
    preset = FLAGS.model or ("pointnet_modelnet40" if FLAGS.data_dir else "pointnet_shapes")
    cli.load_tensorflow()
    conditions = [_Condition.parse(text) for text in FLAGS.condition]
    model = models.from_preset(preset)
    clouds = _clouds(model)
    settings = {name: FLAGS[name].value for name in _SETTINGS} | {
        "model": preset,
        "data": Path(FLAGS.data_dir).name if FLAGS.data_dir else "procedural",
        "clouds": len(clouds.points),
    }
    settings |= {name: FLAGS[name].value for name in _SALIENCY_SETTINGS}
    storage.keep_settings(output_dir, settings, "*.h5")
    tables = {one.text: _run(one, model, clouds, output_dir / one.file_name) for one in conditions}
    _report(tables, model, clouds, output_dir)
    print(f"results in {output_dir}")


class _Condition(NamedTuple):
    """One way to choose points."""

    text: str
    method: str
    order: evaluate.Order

    @classmethod
    def parse(cls, text: str) -> _Condition:
        """Reads a value of --condition."""
        method, _, order = text.partition(":")
        if method != "random":
            explain.get(method)
        if order in ("", "highest"):
            return cls(text, method, "highest")
        if order == "lowest":
            return cls(text, method, "lowest")
        raise UserError(f"--condition={text}: after the colon say highest or lowest")

    @property
    def file_name(self) -> str:
        return f"{self.text.replace(':', '_')}.h5"

    def options(self) -> dict[str, Any]:
        """Returns the options of the method, which no other method depends on."""
        return {name: FLAGS[name].value for name in _SALIENCY_SETTINGS if self.method == "point_saliency"}

    def importance(self, model: keras.Model) -> Callable[[np.ndarray, np.ndarray, int], evaluate.Importance]:
        """Returns what makes the importance of a batch: clouds, labels, and the first cloud's number."""
        if self.method == "random":
            forward = evaluate.Forward(model, FLAGS.batch_size)
            return lambda clouds, labels, first: evaluate.Fixed(
                evaluate.random_importance([len(cloud) for cloud in clouds], FLAGS.seed, first), forward
            )
        method = explain.get(self.method)
        source = evaluate.Recomputed(method(model, batch_size=FLAGS.batch_size, **self.options()))
        if FLAGS.recompute:
            return lambda clouds, labels, first: source
        return lambda clouds, labels, first: evaluate.Fixed.once(source, clouds, labels)

    def schedule(self) -> tuple[int, int]:
        """Returns points a step and steps: a fixed order needs no more of them than are reported."""
        count, total = FLAGS.num_drop, FLAGS.num_drop * FLAGS.num_steps
        if (self.method == "random" or not FLAGS.recompute) and total % 50 == 0:
            count = 50
        return count, total // count


def _run(condition: _Condition, model: keras.Model, clouds: Clouds, path: Path) -> results.DropTable:
    """Runs a condition, batch by batch, from where an earlier run was stopped."""
    table = results.DropTable.load(path) if path.exists() else results.DropTable()
    importance = condition.importance(model)
    count, steps = condition.schedule()
    rule = evaluate.by_count(count, condition.order)
    with tqdm(total=len(clouds.points), initial=len(table), desc=condition.text, disable=None) as progress:
        while len(table) < len(clouds.points):
            some = slice(len(table), len(table) + FLAGS.batch_size)
            batch, labels = clouds.points[some], clouds.labels[some]
            *_, runs = evaluate.drop_clouds(
                importance(batch, labels, len(table)), batch, labels, rule, steps=steps
            )
            table = table.extended(runs, labels)
            table.save(path)
            progress.update(len(batch))
    return table


def _report(
    tables: dict[str, results.DropTable], model: keras.Model, clouds: Clouds, output_dir: Path
) -> None:
    rows = [
        {"condition": name} | row
        for name, table in tables.items()
        for row in table.by_step_and_class(clouds.names)
    ]
    storage.write_csv(output_dir / "curves.csv", rows)
    text = _table(tables, _PUBLISHED.get(type(model).__name__, {}) if FLAGS.data_dir else {})
    with storage.atomic_path(output_dir / "table.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(text, end="")
    if FLAGS.tensorboard:
        tensorboard.write_drop_curves(output_dir / "tensorboard", tables)
    if not FLAGS.pictures:
        return
    curves = {name: table.by_step() for name, table in tables.items()}
    for column in ("accuracy", "loss", "confidence"):
        for suffix in ("png", "svg"):
            view.render_curves(output_dir / f"{column}.{suffix}", curves, column)
    inserted = {
        name.removesuffix(":lowest"): table.insertion()
        for name, table in tables.items()
        if name.endswith(":lowest") and (table.by_step()["points"][-1] == MIN_POINTS)
    }
    for suffix in ("png", "svg") if inserted else ():
        view.render_curves(
            output_dir / f"insertion.{suffix}", inserted, "accuracy", "points_inserted", "highest first"
        )
    for name, table in tables.items():
        view.write_drop_page(
            output_dir / f"sequence_{name.replace(':', '_')}.html",
            clouds.points[0],
            table.dropped_at[0],
            table.rows[table.rows["cloud"] == 0],
            int(clouds.labels[0]),
            f"{clouds.names[clouds.labels[0]]}: {name}",
            clouds.names,
        )


def _table(tables: dict[str, results.DropTable], published: dict[str, dict[int, float]]) -> str:
    """Returns accuracy by points dropped in Markdown, the published ones in brackets, areas and the order."""
    most = min(FLAGS.num_drop * FLAGS.num_steps, FLAGS.num_points - MIN_POINTS)
    counts = sorted({most, *(count for count in _REPORTED if count < most)})
    own = {name: _accuracy(table) for name, table in tables.items()}
    head = [*map(str, counts), "area, accuracy", "area, confidence"]
    lines = [f"| points dropped | {' | '.join(head)} |", "|---" * (len(head) + 1) + "|"]
    for name, table in tables.items():
        cells = [_cell(own[name].get(count), published.get(name, {}).get(count)) for count in counts]
        cells += [f"{table.area(column):.3f}" for column in ("accuracy", "confidence")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    count = max(set(_REPORTED[1:]).intersection(*own.values()), default=most)
    lines += ["", f"After {count} points: {_order(own, count)}."]
    if published:
        lines.append(f"Published, in brackets: {_order(published, count)}. Bold: more than 3 points apart.")
    return "\n".join(lines) + "\n"


def _accuracy(table: results.DropTable) -> dict[int, float]:
    """Returns the accuracy by points dropped."""
    curve = table.by_step()
    dropped = np.round(curve["points"][0] - curve["points"]).astype(int)
    return dict(zip(dropped.tolist(), curve["accuracy"].tolist(), strict=True))


def _cell(own: float | None, published: float | None) -> str:
    text = "-" if own is None else f"{own:.3f}"
    if published is None:
        return text
    apart = own is not None and abs(own - published) > 0.03
    return f"{f'**{text}**' if apart else text} ({published:.3f})"


def _order(accuracies: dict[str, dict[int, float]], count: int) -> str:
    """Returns the conditions, and the clean clouds, from the least to the greatest accuracy."""
    ends = {name: values[count] for name, values in accuracies.items() if count in values}
    ends["clean"] = next(iter(accuracies.values()))[0]
    return " < ".join(f"{name} {ends[name]:.3f}" for name in sorted(ends, key=ends.__getitem__))


def _clouds(model: keras.Model) -> Clouds:
    points, labels = data.unseen_clouds(
        model.class_names, FLAGS.data_dir, FLAGS.num_points, FLAGS.num_clouds or 100, FLAGS.seed
    )
    if (FLAGS.num_clouds or 0) > len(points):
        raise UserError(f"--num_clouds={FLAGS.num_clouds}: there are {len(points)}")
    chosen = np.linspace(0, len(points) - 1, FLAGS.num_clouds or len(points)).round().astype(int)
    return Clouds(points[chosen], labels[chosen], tuple(model.class_names))


if __name__ == "__main__":
    cli.run(main)
