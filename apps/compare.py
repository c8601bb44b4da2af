"""Holds the league of the methods: which map can be trusted, on which network, at what price?

Two minutes, nothing to download:

  python apps/compare.py --flagfile=apps/flags/compare.cfg

Your own network and data, or a shipped one on a test split:

  python apps/compare.py --model=my.keras --data_kind=points --data_dir=my_tree --class_names=names.txt
  python apps/compare.py --data_dir=.../modelnet40_ply_hdf5_2048 --num_examples=200 --methods=all

Each run is a contest: all --methods on examples that one --model classifies right, drawn by the seed, by all
metrics, with random maps as a control; `greedy` among the methods takes away what lowers the confidence most.
Contests of several runs into one --output_dir make one league, runs with other seeds are more examples of the
same. --num_repeated and --dear_fraction give what is dear fewer examples; the tables say how many. With
--ground_truth small networks are trained as well, on objects whose reason is known point by point. A run that
was stopped goes on when the same command is given again, method by method. With --num_workers=2 two processes
measure a method each at a time; the scores are the same to the bit, the times are those of a busy machine.

Maps that another program made take part too: explain the inputs in <contest>/examples.npz, and give
--maps=theirs.npz with the array `importance`, one number a point or voxel; the row is named as the file.

  league.csv      one row a contest, method and metric: mean, 95 % interval, examples, cost
  table.md        the ranked table, also printed: 1 is the best method of a metric, 0 the worst; how far the
                  order holds by other examples, seeds and networks; what moving points to the origin says
  league.png      the same in colours; cost.png: faithfulness against the cost in forward passes
  report.html     all of it, with the maps of the best and the worst methods
  <contest>/      the results of each method, and the examples
  run.json        settings and versions
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import flags

from tfxai3d import cli, data, evaluate, explain, storage, view

FLAGS = flags.FLAGS
cli.define_flags(
    cli.MODEL | cli.PERTURBATION, model="pointnet_modelnet40", data_dir=None, num_points=1024,
    num_examples=32, steps=50, batch_size=32, num_workers=1, seed=0, pictures=True, output_dir="out/compare",
    methods=["mean_field_shapley", "integrated_gradients", "gradient_times_input", "vanilla_gradient",
             "grad_cam", "p_grad_cam"],
)  # fmt: skip
flags.DEFINE_list("metrics", None, "Names of metrics; by default all that say something of the network.")
flags.DEFINE_list(
    "ground_truth", [], f"Known reasons to hold maps to: {', '.join(data.shapes.GROUND_TRUTHS)}."
)
flags.DEFINE_integer("num_repeated", None, "The most examples for metrics that explain again and again.")
flags.DEFINE_float("dear_fraction", 1.0, "The fraction of examples for methods of hundreds of passes.")
flags.DEFINE_list("maps", [], "Maps of other programs on the contest's examples, NPZ files named as the row.")
_SHOWN = 3  # objects in a picture of maps, and methods from either end of the table
_DECISIVE = ("model", "data_dir", "num_points", "num_examples", "steps", *cli.PERTURBATION)


def main(argv: list[str]) -> None:
    """Holds the contests that are not held yet, and ranks the methods by all in the folder."""
    output_dir = cli.check_outputs()
    methods = [m for name in FLAGS.methods for m in (explain.method_names() if name == "all" else [name])]
    named = (name.removesuffix(":magnitude") for name in methods if name not in evaluate.CONTROLS)
    explain.check_methods([*dict.fromkeys(named)])
    evaluate.check_metrics(FLAGS.metrics or ["deletion"])
    evaluate.Plan(FLAGS.num_repeated, FLAGS.dear_fraction)
    cli.load_tensorflow()
    methods = [*methods, *({"random"} - set(methods) if FLAGS.num_workers else ())]
    known = {}
    for name in FLAGS.ground_truth:
        known[name], accuracy = evaluate.known_reason(
            name, FLAGS.num_examples, min(FLAGS.num_points, 512), output_dir / name, FLAGS.seed
        )
        print(f"{name}: the network is right of {accuracy:.1%} of unseen objects", flush=True)
    cli.spread(__file__, "methods", methods)
    for name, subject in known.items():
        _hold(subject, methods, output_dir / name)
    if FLAGS.model:
        net = cli.load_network()
        split = cli.open_labelled(net, None if FLAGS.data_dir else 4 * FLAGS.num_examples)
        inputs = cli.fitted(np.asarray(split.inputs, np.float32), net)
        options = cli.given("batch_size", "seed")
        subject = evaluate.Subject.of_right(net, inputs, split.labels, FLAGS.num_examples, **options)
        source = Path(FLAGS.data_dir).stem if FLAGS.data_dir else "shapes"
        draw = f"{evaluate.SEED}{FLAGS.seed}" if FLAGS.seed else ""
        folder = output_dir / storage.file_name(f"{Path(FLAGS.model).stem}_on_{source}{draw}")
        _hold(subject, methods, folder, FLAGS.metrics, FLAGS.maps)
    if FLAGS.num_workers:
        _report(output_dir)


def _hold(
    subject: evaluate.Subject,
    methods: list[str],
    folder: Path,
    metrics: list[str] | None = None,
    maps: Sequence[str] = (),
) -> None:
    """Holds a contest, and draws the maps of the best and the worst methods beside each other."""
    options = cli.given("batch_size", "steps", "seed", *cli.PERTURBATION)
    raters = evaluate.entrants(methods, subject.network, options)
    shared = not FLAGS.num_workers
    raters |= {Path(path).stem: evaluate.read_maps(path, subject) for path in ([] if shared else maps)}
    settings = {name: FLAGS[name].value for name in _DECISIVE}
    plan = evaluate.Plan(FLAGS.num_repeated, FLAGS.dear_fraction)
    found = evaluate.hold_contest(subject, raters, metrics, folder, settings, plan, shared)
    evaluate.write_examples(folder / "examples.npz", subject)
    if FLAGS.pictures:
        entries = {entry.method: entry for entry in found}
        order = [place.method for place in evaluate.standing({folder.name: found})]
        shown = [entries[name] for name in dict.fromkeys([*order[:_SHOWN], *order[-_SHOWN:]])]
        numbers = range(min(_SHOWN, *(len(entry.importance) for entry in shown)))
        rows = [[entry.explanation(subject, number) for entry in shown] for number in numbers]
        view.render_panel(folder / "maps.png", rows)
        view.write_panel(folder / "maps.html", rows)


def _report(output_dir: Path) -> None:
    """Ranks the methods by all contests of the folder, and writes it down."""
    folders = sorted(path.parent for path in output_dir.glob("*/run.json"))
    draws = {folder.name: evaluate.read_contest(folder) for folder in folders}
    contests = evaluate.pooled(draws)
    tables = evaluate.league_tables(draws)
    text = "\n".join(f"## {title}\n\n{storage.markdown_table(*table)}\n" for title, table in tables.items())
    storage.write_csv(output_dir / "league.csv", evaluate.league_records(contests, FLAGS.seed))
    storage.write_text(output_dir / "table.md", f"# The league in tables\n\n{text}")
    cli.write_report(__name__, output_dir, {"contests": [*draws]})
    print(text, end="")
    if FLAGS.pictures:
        _draw(output_dir, contests, [view.Section(title, [], *table) for title, table in tables.items()])


def _draw(output_dir: Path, contests: dict[str, list[evaluate.Entry]], sections: list[view.Section]) -> None:
    places = evaluate.standing(contests)
    names, groups = [place.method for place in places], [*places[0].groups]
    values = [[p.total if p.ranked else np.nan, *p.groups.values()] for p in places]
    view.render_cells(output_dir / "league.png", names, ["total", *groups], np.array(values))
    costly = [place for place in places if place.passes > 0]
    costs, areas = [p.passes for p in costly], [p.groups[groups[0]] for p in costly]
    axes = ("cost in forward passes", groups[0])
    view.render_dots(output_dir / "cost.png", [p.method for p in costly], costs, areas, axes)
    legend = "0 is the worst method of a metric, 1 the best"
    pictures = [(output_dir / "league.png", legend), (output_dir / "cost.png", "")]
    sections[0] = dataclasses.replace(sections[0], pictures=pictures)
    for name, entries in contests.items():
        drawn = output_dir / name / "maps.png"
        maps = [(drawn, "The first methods of the table, and the last ones.")] if drawn.exists() else []
        links = [(f"{name}/maps.html", "the same, to be turned")] if maps else []
        sections.append(view.Section(name, [], *evaluate.contest_rows(entries, FLAGS.seed), maps, links))
    view.write_report(output_dir / "report.html", "The league of the methods", sections)


if __name__ == "__main__":
    cli.run(main)
