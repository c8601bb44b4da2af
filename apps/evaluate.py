"""Measures how good a classifier is, and shows what it mistakes for what.

  python apps/evaluate.py --model=pointnet_shapes
  python apps/evaluate.py --model=pointnet_modelnet40 --data_dir=.../modelnet40_ply_hdf5_2048

Prints the accuracies, the five worst classes and the most confused pairs, and writes to --output_dir:

  report.json       the same, with settings and versions
  confusion.csv     true class (rows) against predicted class (columns)
  confusion.png     the same as a picture
  mistakes.csv      the misclassified examples: index, true class, predicted class, its probability
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import flags

from tfxai3d import cli, data, evaluate, files, models, view
from tfxai3d.errors import UserError

if TYPE_CHECKING:
    import keras

FLAGS = flags.FLAGS
flags.DEFINE_string("model", "pointnet_modelnet40", "Shipped preset or a folder written by apps/train.py.")
flags.DEFINE_string(
    "data_dir", None, "ModelNet40 HDF5 folder or ModelNet tree of OFF files; procedural shapes without it."
)
flags.DEFINE_enum("split", "test", ["train", "test"], "Which split of --data_dir.")
flags.DEFINE_integer("num_points", 1024, "Points of a cloud.", lower_bound=10)
flags.DEFINE_integer("num_shapes", 1000, "Procedural shapes to classify.", lower_bound=1)
flags.DEFINE_integer("batch_size", 32, "Clouds a forward pass.", lower_bound=1)
flags.DEFINE_integer("seed", 1, "Seed of the procedural shapes; training used even ones.", lower_bound=0)
flags.DEFINE_bool("pictures", True, "Draw the confusion matrix.")
flags.DEFINE_string("output_dir", "out/evaluate", "Folder of the results.")


def main(argv: list[str]) -> None:
    """Classifies every example and reports."""
    output_dir = Path(FLAGS.output_dir)
    cli.check_output_dir(output_dir)
    if FLAGS.pictures:
        cli.check_package("matplotlib", "view")
    cli.load_tensorflow()
    model = models.from_preset(FLAGS.model)
    points, labels = _load(model)
    result = evaluate.classify(model, points, labels, FLAGS.batch_size, verbose=sys.stdout.isatty())
    names = model.class_names
    report = {
        "model": FLAGS.model,
        "points": points.shape[1],
        **result.summary(names),
        "confused": [
            {"true": names[true], "predicted": names[predicted], "examples": count}
            for true, predicted, count in result.confused_pairs(10)
        ],
    }
    _print(report)
    settings = FLAGS.flags_into_string().split()
    files.write_json(output_dir / "report.json", report | {"settings": settings, "versions": cli.versions()})
    rows = [
        dict(zip(("true", *names), (name, *row), strict=True))
        for name, row in zip(names, result.confusion.tolist(), strict=True)
    ]
    files.write_csv(output_dir / "confusion.csv", rows)
    files.write_csv(output_dir / "mistakes.csv", _mistakes(result, names))
    if FLAGS.pictures:
        view.render_confusion(output_dir / "confusion.png", result.confusion, names, _title(report))
    print(f"results in {output_dir}")


def _load(model: keras.Model) -> tuple[np.ndarray, np.ndarray]:
    """Returns points and labels that count the model's classes."""
    if FLAGS.data_dir is None:
        shared = [name for name in data.shapes.SHAPE_CLASSES if name in model.class_names]
        if not shared:
            raise UserError(f"{FLAGS.model} knows none of the procedural classes; give --data_dir")
        made = data.shapes.make_dataset(FLAGS.num_shapes, FLAGS.num_points, FLAGS.seed, shared)
        return made.points, np.array([model.class_names.index(name) for name in shared])[made.labels]
    if (Path(FLAGS.data_dir) / f"{FLAGS.split}_files.txt").exists():
        points, labels = data.load_modelnet40(FLAGS.data_dir, FLAGS.split, FLAGS.num_points)
        known = data.MODELNET40_CLASSES
    else:
        points, labels, known = data.load_modelnet_tree(FLAGS.data_dir, FLAGS.split, FLAGS.num_points)
    if unknown := sorted(set(known) - set(model.class_names)):
        raise UserError(f"{FLAGS.data_dir}: {FLAGS.model} was not trained on {', '.join(unknown)}")
    return points, np.array([model.class_names.index(name) for name in known])[labels]


def _mistakes(result: evaluate.Classification, names: tuple[str, ...]) -> list[dict[str, object]]:
    wrong = np.flatnonzero(result.predicted != result.labels)
    return [
        {
            "index": int(i),
            "true": names[result.labels[i]],
            "predicted": names[result.predicted[i]],
            "probability": round(float(result.probabilities[i, result.predicted[i]]), 4),
        }
        for i in wrong
    ] or [{"index": "", "true": "", "predicted": "", "probability": ""}]


def _title(report: dict[str, object]) -> str:
    return f"{Path(FLAGS.model).name}: {report['overall_accuracy']:.1%} of {report['examples']:,} right"


def _print(report: dict[str, object]) -> None:
    for name, value in report.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {share:.1%}" for key, share in value.items())
        elif isinstance(value, list):
            value = ", ".join(f"{p['true']} as {p['predicted']} ({p['examples']})" for p in value)
        print(f"{name.replace('_', ' '):>20}  {value}")


if __name__ == "__main__":
    cli.run(main)
