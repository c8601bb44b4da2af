"""Measures how good a classifier is, and shows what it mistakes for what.

  python apps/evaluate.py --model=pointnet_shapes
  python apps/evaluate.py --model=pointnet_modelnet40 --data_dir=.../modelnet40_ply_hdf5_2048
  python apps/evaluate.py --model=runs/vrn/preset --data_dir=.../modelnet10_voxels --votes=4

--data_dir is a ModelNet40 HDF5 folder or a ModelNet tree of OFF files; of a voxel network, the folder of
modelnet10_{train,test}.npz or such a tree, whose meshes are voxelised. Without it a network that knows the
procedural shapes is asked about new ones.

Prints the accuracies, the calibration, the worst classes and the most confused pairs, and writes to
--output_dir:

  run.json                     the same, with settings and versions
  confusion.csv, .png          true class (rows) against predicted class (columns)
  calibration.csv, .png        how often answers of each confidence are right
  mistakes.csv                 the misclassified examples: where to find them, and all probabilities
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from absl import flags

from tfxai3d import cli, data, evaluate, models, storage, view
from tfxai3d.errors import UserError

if TYPE_CHECKING:
    import keras

FLAGS = flags.FLAGS
flags.DEFINE_string("model", "pointnet_modelnet40", "Shipped preset or a folder written by apps/train.py.")
flags.DEFINE_string("data_dir", None, "Folder of the examples, see above; procedural shapes without it.")
flags.DEFINE_enum("split", "test", ["train", "test"], "Which split of --data_dir.")
flags.DEFINE_integer("num_points", 1024, "Points of a cloud.", lower_bound=10)
flags.DEFINE_integer("num_shapes", 1000, "Procedural shapes to classify.", lower_bound=1)
flags.DEFINE_integer(
    "votes",
    1,
    "Turns about the up axis whose probabilities are averaged: any number of clouds and meshes, 1, 2 or 4 of "
    "an .npz. A network that was trained in one pose may lose by it.",
    lower_bound=1,
)
flags.DEFINE_enum(
    "temperature_split",
    None,
    ["train", "test"],
    "Fit the temperature of the probabilities on this split of --data_dir, another one than --split.",
)
flags.DEFINE_integer("batch_size", 32, "Examples a forward pass.", lower_bound=1)
flags.DEFINE_integer("seed", 1, "Seed of the procedural shapes; training used even ones.", lower_bound=0)
flags.DEFINE_bool("pictures", True, "Draw the confusion matrix and the reliability diagram.")
flags.DEFINE_string("output_dir", "out/evaluate", "Folder of the results.")


class Examples(NamedTuple):
    """One or more views of every example, and what is known of it.

    Attributes:
        views: Inputs (M,...), one array a view.
        labels: Classes as the model counts them (M,).
        where: For each example where it is from: `file`, or `dataset`, `split` and `index`.
        facts: More for the report.
    """

    views: Iterable[np.ndarray]
    labels: np.ndarray
    where: list[dict[str, Any]]
    facts: dict[str, Any]


def main(argv: list[str]) -> None:
    """Classifies every example and reports."""
    output_dir = Path(FLAGS.output_dir)
    _check_flags()
    cli.check_output_dir(output_dir)
    if FLAGS.pictures:
        cli.check_package("matplotlib", "view")
    cli.load_tensorflow()
    model = models.from_preset(FLAGS.model)
    examples = _load(model, FLAGS.split)
    result = _answers(model, examples)
    report = {"model": FLAGS.model, **examples.facts, "views": FLAGS.votes, **_summary(result, model)}
    if FLAGS.temperature_split:
        fitted_on = _answers(model, _load(model, FLAGS.temperature_split))
        temperature = evaluate.fit_temperature(fitted_on)
        result = evaluate.with_temperature(result, temperature)
        report["temperature"] = round(temperature, 4)
        report["calibration_error_with_it"] = round(evaluate.reliability(result).expected_error, 4)
    _print(report)
    cli.write_report(__name__, output_dir, report)
    _write_tables(output_dir, result, examples, model.class_names)
    if FLAGS.pictures:
        _draw(output_dir, result, report, model.class_names)
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


def _load(model: keras.Model, split: Any) -> Examples:
    """Returns the examples that the flags ask for, with labels that count the model's classes."""
    voxels = model.data_kind == "voxels"
    if FLAGS.data_dir is None:
        if voxels:
            raise UserError(f"{FLAGS.model} takes voxels; give --data_dir")
        return _procedural(model)
    folder = Path(FLAGS.data_dir)
    grids = voxels and (folder / f"modelnet10_{split}.npz").exists()
    if grids or (not voxels and (folder / f"{split}_files.txt").exists()):
        load = _packed_grids if grids else _packed_clouds
        views, labels, known, facts = load(folder, split)
        where: list[dict[str, Any]] = [{"dataset": FLAGS.data_dir, "split": split}] * len(labels)
    else:
        views, labels, known, facts = (_voxelised if voxels else _sampled)(folder, split)
        where = [{"file": str(path)} for path in data.modelnet_files(folder, split)[0]]
    labels = data.relabel(labels, known, model.class_names)
    if voxels:
        views = (np.asarray(data.coarsen(view, model.size)) for view in views)
    where = [{"index": i, **place} for i, place in enumerate(where)]
    return Examples(views, labels, where, facts)


Loaded = tuple[Iterable[np.ndarray], np.ndarray, tuple[str, ...], dict[str, Any]]


def _packed_clouds(folder: Path, split: Any) -> Loaded:
    points, labels = data.load_modelnet40(folder, split, FLAGS.num_points)
    return (
        data.rotated_points(points, FLAGS.votes),
        labels,
        data.MODELNET40_CLASSES,
        {"points": FLAGS.num_points},
    )


def _packed_grids(folder: Path, split: Any) -> Loaded:
    """Keeps the empty grids, so that the accuracy is of all examples, and reports which they are."""
    grids, labels = data.load_modelnet10(folder, split)
    empty = np.flatnonzero(data.find_empty(grids)).tolist()
    facts = {"voxels": grids.shape[1], "empty_grids": empty}
    return data.rotated_grids(grids, FLAGS.votes), labels, data.MODELNET10_CLASSES, facts


def _sampled(folder: Path, split: Any) -> Loaded:
    points, labels, known = data.load_modelnet_tree(folder, split, FLAGS.num_points)
    return data.rotated_points(points, FLAGS.votes), labels, known, {"points": FLAGS.num_points}


def _voxelised(folder: Path, split: Any) -> Loaded:
    grids, labels, known = data.voxelize_modelnet_tree(folder, split, FLAGS.votes)
    return grids, labels, known, {"voxels": grids.shape[2]}


def _procedural(model: keras.Model) -> Examples:
    shared = [name for name in data.shapes.SHAPE_CLASSES if name in model.class_names]
    if not shared:
        raise UserError(f"{FLAGS.model} knows none of the procedural classes; give --data_dir")
    made = data.shapes.make_dataset(FLAGS.num_shapes, FLAGS.num_points, FLAGS.seed, shared)
    views = data.rotated_points(made.points, FLAGS.votes)
    labels = data.relabel(made.labels, shared, model.class_names)
    where = [{"index": i, "dataset": f"shapes, seed {FLAGS.seed}"} for i in range(len(labels))]
    return Examples(views, labels, where, {"points": FLAGS.num_points})


def _answers(model: keras.Model, examples: Examples) -> evaluate.Classification:
    verbose = sys.stdout.isatty()
    return evaluate.vote(model, examples.views, examples.labels, FLAGS.batch_size, verbose)


def _summary(result: evaluate.Classification, model: keras.Model) -> dict[str, Any]:
    names = model.class_names
    return {
        **result.summary(names),
        "calibration_error": round(evaluate.reliability(result).expected_error, 4),
        "mean_confidence": round(float(result.probabilities.max(axis=-1).mean()), 4),
        "confused": [
            {"true": names[true], "predicted": names[predicted], "examples": count}
            for true, predicted, count in result.confused_pairs(10)
        ],
    }


def _write_tables(
    output_dir: Path, result: evaluate.Classification, examples: Examples, names: tuple[str, ...]
) -> None:
    rows = [
        dict(zip(("true", *names), (name, *row), strict=True))
        for name, row in zip(names, result.confusion.tolist(), strict=True)
    ]
    storage.write_csv(output_dir / "confusion.csv", rows)
    found = evaluate.reliability(result)
    columns = zip(found.edges, found.edges[1:], found.counts, found.confidence, found.accuracy, strict=False)
    names_of_columns = ("above", "up_to", "examples", "confidence", "accuracy")
    bins = [dict(zip(names_of_columns, map(_rounded, row), strict=True)) for row in columns]
    storage.write_csv(output_dir / "calibration.csv", bins)
    storage.write_csv(output_dir / "mistakes.csv", _mistakes(result, examples.where, names))


def _rounded(value: Any) -> Any:
    """Returns a number for a table; an empty cell for NaN."""
    return "" if np.isnan(value) else round(value.item(), 4)


def _mistakes(
    result: evaluate.Classification, where: list[dict[str, Any]], names: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Returns one record a misclassified example; a single one without values if there is none."""
    wrong = np.flatnonzero(result.predicted != result.labels)
    columns = ("index", "file", "dataset", "split", "true", "predicted", "probability", *names)
    return [
        dict.fromkeys(columns, "")
        | where[i]
        | {"true": names[result.labels[i]], "predicted": names[result.predicted[i]]}
        | {"probability": _rounded(result.probabilities[i].max())}
        | dict(zip(names, map(_rounded, result.probabilities[i]), strict=True))
        for i in wrong
    ] or [dict.fromkeys(columns, "")]


def _draw(
    output_dir: Path, result: evaluate.Classification, report: dict[str, Any], names: tuple[str, ...]
) -> None:
    title = f"{Path(FLAGS.model).name}: {report['overall_accuracy']:.1%} of {report['examples']:,} right"
    view.render_confusion(output_dir / "confusion.png", result.confusion, names, title)
    found = evaluate.reliability(result)
    title = f"{title}\ncalibration error {found.expected_error:.1%}"
    view.render_reliability(output_dir / "calibration.png", found.edges, found.counts, found.accuracy, title)


def _print(report: dict[str, Any]) -> None:
    for name, value in report.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {share:.1%}" for key, share in value.items())
        elif name == "confused":
            value = ", ".join(f"{p['true']} as {p['predicted']} ({p['examples']})" for p in value)
        elif isinstance(value, list):
            value = ", ".join(map(str, value)) or "none"
        print(f"{name.replace('_', ' '):>26}  {value}")


if __name__ == "__main__":
    cli.run(main)
