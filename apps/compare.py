"""Holds the league of the methods: which map can be trusted, on which network, at what price?

Two minutes, nothing to download:

  python apps/compare.py --flagfile=apps/flags/compare.cfg

Your own network and data, or a shipped one on a test split:

  python apps/compare.py --model=my.keras --data_kind=points --data_dir=my_tree --class_names=names.txt
  python apps/compare.py --data_dir=.../modelnet40_ply_hdf5_2048 --num_examples=200 --methods=all

Each run is a contest: all --methods on the examples that one --model classifies right, by all metrics, with
random maps as a control. Contests of several runs into one --output_dir make one league. With --ground_truth
small networks are trained as well, on objects of which the reason is known point by point. A run that was
stopped goes on when the same command is given again, method by method.

  league.csv      one row a contest, method and metric: mean, 95 % interval, cost
  table.md        the ranked table, also printed: 1 is the best method of a metric, 0 the worst
  league.png      the same in colours; cost.png: faithfulness against the cost in forward passes
  report.html     all of it in one page, with the maps of the best and the worst methods
  <contest>/      the results of each method
  run.json        settings and versions
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from absl import flags

from tfxai3d import cli, data, evaluate, explain, storage, view

FLAGS = flags.FLAGS
cli.define_flags(
    cli.MODEL | cli.PERTURBATION, model="pointnet_modelnet40", data_dir=None, num_points=1024,
    num_examples=32, steps=50, batch_size=32, seed=0, pictures=True, output_dir="out/compare",
    methods=["mean_field_shapley", "integrated_gradients", "gradient_times_input", "vanilla_gradient",
             "grad_cam", "p_grad_cam"],
)  # fmt: skip
flags.DEFINE_list("metrics", None, "Names of metrics; by default all that say something of the network.")
flags.DEFINE_list(
    "ground_truth", [], f"Known reasons to hold maps to: {', '.join(data.shapes.GROUND_TRUTHS)}."
)
_SHOWN = 3  # objects in a picture of maps, and methods from either end of the table
_DECISIVE = ("model", "data_dir", "num_points", "num_examples", "steps", *cli.PERTURBATION)


def main(argv: list[str]) -> None:
    """Holds the contests that are not held yet, and ranks the methods by all in the folder."""
    output_dir = cli.check_outputs()
    methods = explain.method_names() if FLAGS.methods == ["all"] else FLAGS.methods
    explain.check_methods([name.removesuffix(":magnitude") for name in methods if name != "random"])
    evaluate.check_metrics(FLAGS.metrics or ["deletion"])
    cli.load_tensorflow()
    methods = [*methods, *({"random"} - set(methods))]
    for name in FLAGS.ground_truth:
        subject, accuracy = evaluate.known_reason(
            name, FLAGS.num_examples, min(FLAGS.num_points, 512), output_dir / name, FLAGS.seed
        )
        print(f"{name}: the network is right of {accuracy:.1%} of unseen objects", flush=True)
        _hold(subject, methods, output_dir / name, None)
    if FLAGS.model:
        net = cli.load_network()
        split = cli.open_labelled(net, None if FLAGS.data_dir else 4 * FLAGS.num_examples)
        inputs = cli.fitted(np.asarray(split.inputs, np.float32), net)
        options = cli.given("batch_size", "seed")
        subject = evaluate.Subject.of_right(net, inputs, split.labels, FLAGS.num_examples, **options)
        source = Path(FLAGS.data_dir).stem if FLAGS.data_dir else "shapes"
        folder = output_dir / storage.file_name(f"{Path(FLAGS.model).stem}_on_{source}")
        _hold(subject, methods, folder, FLAGS.metrics)
    _report(output_dir)


def _hold(subject: evaluate.Subject, methods: list[str], folder: Path, metrics: list[str] | None) -> None:
    """Holds a contest, and draws the maps of the best and the worst methods beside each other."""
    options = cli.given("batch_size", "steps", "seed", *cli.PERTURBATION)
    raters = evaluate.entrants(methods, subject.network, options)
    settings = {name: FLAGS[name].value for name in _DECISIVE}
    entries = {e.method: e for e in evaluate.hold_contest(subject, raters, metrics, folder, settings)}
    if FLAGS.pictures:
        order = [place.method for place in evaluate.standing({folder.name: [*entries.values()]})]
        shown = [entries[name] for name in dict.fromkeys([*order[:_SHOWN], *order[-_SHOWN:]])]
        numbers = range(min(_SHOWN, len(subject.labels)))
        rows = [[entry.explanation(subject, number) for entry in shown] for number in numbers]
        view.render_panel(folder / "maps.png", rows)
        view.write_panel(folder / "maps.html", rows)


def _report(output_dir: Path) -> None:
    """Ranks the methods by all contests of the folder, and writes it down."""
    folders = sorted(path.parent for path in output_dir.glob("*/run.json"))
    contests = {folder.name: evaluate.read_contest(folder) for folder in folders}
    places = evaluate.standing(contests)
    found = (
        f"Rank correlation of the totals by two halves of the examples: {evaluate.survives(contests):.2f}."
    )
    table = f"{storage.markdown_table(*evaluate.standing_rows(places))}\n\n{found}\n"
    storage.write_csv(output_dir / "league.csv", evaluate.league_records(contests, FLAGS.seed))
    storage.write_text(output_dir / "table.md", table)
    cli.write_report(__name__, output_dir, {"contests": [*contests]})
    print(table, end="")
    if FLAGS.pictures:
        _draw(output_dir, contests, places, found)


def _draw(
    output_dir: Path, contests: dict[str, list[evaluate.Entry]], places: list[evaluate.Place], found: str
) -> None:
    names, groups = [place.method for place in places], [*places[0].groups]
    values = np.array([[place.total, *place.groups.values()] for place in places])
    view.render_cells(output_dir / "league.png", names, ["total", *groups], values)
    first = [place.groups[groups[0]] for place in places]
    costs = [place.passes for place in places]
    view.render_dots(output_dir / "cost.png", names, costs, first, ("cost in forward passes", groups[0]))
    head, rows = evaluate.standing_rows(places)
    pictures = [
        (output_dir / "league.png", "0 is the worst method of a metric, 1 the best"),
        (output_dir / "cost.png", ""),
    ]
    sections = [view.Section("The league", [found], head, rows, pictures)]
    for name, entries in contests.items():
        maps = [(output_dir / name / "maps.png", "The first methods of the table, and the last ones.")]
        maps = [pair for pair in maps if pair[0].exists()]
        links = [(f"{name}/maps.html", "the same, to be turned")] if maps else []
        sections.append(view.Section(name, [], *evaluate.contest_rows(entries, FLAGS.seed), maps, links))
    view.write_report(output_dir / "report.html", "The league of the methods", sections)


if __name__ == "__main__":
    cli.run(main)
