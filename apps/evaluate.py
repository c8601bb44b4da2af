"""Measures how good a classifier of objects or of their parts is, and shows what it mistakes for what.

  python apps/evaluate.py --model=pointnet_shapes
  python apps/evaluate.py --model=pointnet_parts_shapes
  python apps/evaluate.py --model=pointnet_modelnet40 --data_dir=.../modelnet40_ply_hdf5_2048
  python apps/evaluate.py --model=runs/vrn/preset --data_dir=.../modelnet10_voxels --votes=4

Prints the accuracies, the calibration, the worst classes and the most confused pairs, and writes to
--output_dir:

  run.json                     the same, with settings and versions
  confusion.csv, .png          true class (rows) against predicted class (columns)
  calibration.csv, .png        how often answers of each confidence are right
  mistakes.csv                 the misclassified examples: where to find them, and all probabilities

Of a model that classifies each point, in place of the calibration and the mistakes:

  parts.csv, examples.csv      accuracy and IoU (intersection over union) of each part, and of each example
  categories.png               mean IoU of each category
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from tfxai3d import cli, data, evaluate, explain, storage, view
from tfxai3d.errors import UserError

FLAGS = flags.FLAGS
cli.define_flags(
    cli.MODEL, cli.GRIDS, model="pointnet_modelnet40", data_dir=None, split="test", num_points=1024,
    num_examples=None, batch_size=32, seed=0, pictures=True, output_dir="out/evaluate",
)  # fmt: skip
flags.DEFINE_integer(
    "votes", 1,
    "Rotations about the up axis whose probabilities are averaged: any number of clouds and meshes, 1, 2 or "
    "4 of stored voxels. A network that was trained in one pose may lose by it.", lower_bound=1,
)  # fmt: skip
flags.DEFINE_enum(
    "temperature_split", None, ["train", "test"],
    "Fit the temperature of the probabilities on this split of --data_dir, another one than --split.",
)  # fmt: skip


def main(argv: list[str]) -> None:
    """Classifies every example and reports."""
    _check_flags()
    output_dir = cli.check_outputs()
    cli.load_tensorflow()
    net = cli.load_network()
    if net.segments:
        return _evaluate_parts(net, output_dir)
    result, where, facts = _answers(net, FLAGS.split)
    names = net.class_names or tuple(map(str, range(result.classes)))
    report = {
        "model": FLAGS.model, **facts, "views": FLAGS.votes, **evaluate.classification_report(result, names),
    }  # fmt: skip
    if FLAGS.temperature_split:
        temperature = evaluate.fit_temperature(_answers(net, FLAGS.temperature_split)[0])
        result = evaluate.with_temperature(result, temperature)
        report["temperature"] = round(temperature, 4)
        report["calibration_error_with_it"] = round(evaluate.reliability(result).expected_error, 4)
    cli.print_facts(report)
    cli.write_report(__name__, output_dir, report)
    storage.write_csv(output_dir / "confusion.csv", evaluate.confusion_table(result, names))
    storage.write_csv(output_dir / "calibration.csv", evaluate.calibration_table(result))
    storage.write_csv(output_dir / "mistakes.csv", evaluate.mistakes(result, where, names))
    if FLAGS.pictures:
        _draw(output_dir, result, report, names)
    print(f"results in {output_dir}")


def _evaluate_parts(net: explain.Network, output_dir: Path) -> None:
    """Classifies every point and reports."""
    if FLAGS.votes > 1 or FLAGS.temperature_split:
        raise UserError("--votes and --temperature_split are for classifiers of whole examples")
    split = cli.open_labelled(net, FLAGS.num_examples, FLAGS.split, parts=True)
    result = evaluate.segment(net, split.inputs, split.labels, FLAGS.batch_size, sys.stdout.isatty())
    facts = {"model": FLAGS.model, net.kind: split.inputs.shape[1]}
    report = facts | evaluate.segmentation_report(result, net.kind)
    cli.print_facts(report)
    cli.write_report(__name__, output_dir, report)
    storage.write_csv(output_dir / "confusion.csv", evaluate.confusion_table(result, result.class_names))
    storage.write_csv(output_dir / "parts.csv", evaluate.part_table(result, net.kind))
    storage.write_csv(output_dir / "examples.csv", evaluate.overlap_table(result, split.where))
    if FLAGS.pictures:
        title = f"{Path(FLAGS.model).name}: {report['overall_accuracy']:.1%} of the {net.kind} right"
        view.render_confusion(output_dir / "confusion.png", result.confusion, result.class_names, title)
        names, values = zip(*report["category_iou"].items(), strict=True)
        view.render_bars(output_dir / "categories.png", names, values, "mean IoU", title)
    print(f"results in {output_dir}")


def _check_flags() -> None:
    if FLAGS.temperature_split and FLAGS.data_dir is None:
        raise UserError(
            f"--temperature_split={FLAGS.temperature_split} needs --data_dir, the folder of its examples"
        )
    if FLAGS.temperature_split == FLAGS.split:
        raise UserError(
            f"--temperature_split={FLAGS.split} is the split that is reported on; fit on the other one"
        )


def _answers(
    net: explain.Network, split: Any
) -> tuple[evaluate.Classification, list[dict[str, Any]], dict[str, Any]]:
    """Returns the answers to a split, where its examples are from, and facts of it for the report."""
    examples = cli.open_labelled(net, FLAGS.num_examples, split)
    views = iter(examples.views(FLAGS.votes))
    first = next(views)
    views = itertools.chain([first], views)
    facts: dict[str, Any] = {"points": cli.num_points(net)}
    if net.kind == "voxels":
        # Empty grids stay, so that the accuracy is of all examples.
        facts = {"voxels": first.shape[1], "empty_grids": np.flatnonzero(data.find_empty(first)).tolist()}
        views = (cli.fitted(view, net) for view in views)
    result = evaluate.vote(net, views, examples.labels, FLAGS.batch_size, sys.stdout.isatty())
    return result, examples.where, facts


def _draw(
    output_dir: Path, result: evaluate.Classification, report: dict[str, Any], names: tuple[str, ...]
) -> None:
    title = f"{Path(FLAGS.model).name}: {report['overall_accuracy']:.1%} of {report['examples']:,} right"
    view.render_confusion(output_dir / "confusion.png", result.confusion, names, title)
    found = evaluate.reliability(result)
    title = f"{title}\ncalibration error {found.expected_error:.1%}"
    view.render_reliability(output_dir / "calibration.png", found.edges, found.counts, found.accuracy, title)


if __name__ == "__main__":
    cli.run(main)
