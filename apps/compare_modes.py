"""Compares the drop modes of p-grad-CAM with random dropping, on one object of each class.

  python apps/compare_modes.py --data_dir=.../modelnet40_ply_hdf5_2048

Takes the first test objects of each class that the network classifies right, drops points by each mode until
the decision changes, and again with a random control that drops as many points in each iteration. Objects
that are done are kept in --output_dir: started again, the same command goes on where it stopped.

  runs.csv     one row for each object and mode, and for its random control
  table.md     the summary that is also printed
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import flags
from tqdm import tqdm

from tfxai3d import cli, data, evaluate, explain, files, models
from tfxai3d.errors import UserError

if TYPE_CHECKING:
    import keras

FLAGS = flags.FLAGS
flags.DEFINE_string("model", "pointnet_modelnet40", "Shipped preset or a folder written by apps/train.py.")
flags.DEFINE_string("data_dir", None, "ModelNet40 HDF5 folder; procedural shapes without it.")
flags.DEFINE_integer("objects", 1, "Objects of each class.", lower_bound=1)
flags.DEFINE_integer("num_points", 1024, "Points of an object.", lower_bound=10)
flags.DEFINE_multi_enum(
    "mode", [m for m in evaluate.MODES if m not in evaluate.MIRRORED], evaluate.MODES, "Modes to compare."
)
flags.DEFINE_enum("pooling", "max", ["max", "mean"], "Pooling of the gradient over the channels.")
flags.DEFINE_integer("rotations", 100, "Rotated copies classified in each iteration.", lower_bound=1)
flags.DEFINE_enum("axes", "xyz", ["y", "xyz"], "Axes of the random rotations; y is up.")
flags.DEFINE_integer("seed", 0, "Seed of the shapes, the rotations and the controls.", lower_bound=0)
flags.DEFINE_string("output_dir", "out/compare_modes", "Folder of the results.")

_SETTINGS = ("model", "objects", "num_points", "mode", "pooling", "rotations", "axes", "seed")

Row = dict[str, str]


def main(argv: list[str]) -> None:
    """Runs what is not done yet and prints the table."""
    output_dir = Path(FLAGS.output_dir)
    cli.check_output_dir(output_dir)
    rows = _done(output_dir)
    cli.load_tensorflow()
    model = models.from_preset(FLAGS.model)
    points, labels = _objects(model)
    explainer = explain.PGradCAM(model, FLAGS.pooling)
    rotation_test = evaluate.RotationTest(
        model, evaluate.random_rotations(FLAGS.rotations, FLAGS.axes, composed=True, seed=FLAGS.seed)
    )
    done = {row["object"] for row in rows}
    for number in tqdm(range(len(points)), unit="object", disable=None):
        if str(number) in done:
            continue
        for mode in FLAGS.mode:
            for run in _runs(explainer, rotation_test, points[number], int(labels[number]), mode):
                rows.append(_row(number, model.class_names[labels[number]], mode, run))
        files.write_csv(output_dir / "runs.csv", rows)
    table = _table(rows)
    with files.atomic_path(output_dir / "table.md") as temporary:
        temporary.write_text(table, encoding="utf-8")
    print(table, end="")


def _runs(
    explainer: explain.Explainer,
    rotation_test: evaluate.RotationTest,
    points: np.ndarray,
    label: int,
    mode: str,
) -> Iterator[evaluate.DropRun]:
    """Yields the run of a mode, and its random control."""
    *_, run = evaluate.drop_points(explainer, rotation_test, points, label, mode)
    yield run
    if run.counts:
        *_, control = evaluate.drop_points(
            explainer, rotation_test, points, label, "+random", counts=run.counts, seed=FLAGS.seed
        )
        yield control


def _row(number: int, class_name: str, mode: str, run: evaluate.DropRun) -> Row:
    return {
        "object": str(number),
        "class": class_name,
        "mode": mode,
        "control": str(int(run.mode != mode)),
        "removed": str(run.points_removed),
        "iterations": str(len(run.steps)),
        "seconds": f"{sum(step.seconds for step in run.steps):.3f}",
        "stopped_by": run.stopped_by,
        "confidence": f"{run.steps[-1].confidence:.4f}",
    }


def _table(rows: list[Row]) -> str:
    """Returns the summary in Markdown: means over the objects, each mode beside its control."""
    lines = [
        "| mode | decision changed | points removed | iterations | seconds "
        "| random: decision changed | points removed |",
        "|---|---|---|---|---|---|---|",
    ]
    for mode in dict.fromkeys(row["mode"] for row in rows):
        own = [row for row in rows if row["mode"] == mode and row["control"] == "0"]
        control = [row for row in rows if row["mode"] == mode and row["control"] == "1"]
        cells = [*_cells(own), _mean(own, "iterations"), _mean(own, "seconds"), *_cells(control)]
        lines.append(f"| `{mode}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cells(rows: list[Row]) -> list[str]:
    changed = sum(row["stopped_by"] == "decision" for row in rows)
    return [f"{changed} of {len(rows)}", _mean(rows, "removed", digits=0)]


def _mean(rows: list[Row], column: str, digits: int = 1) -> str:
    return f"{np.mean([float(row[column]) for row in rows]):.{digits}f}" if rows else "-"


def _done(output_dir: Path) -> list[Row]:
    """Returns the rows of an earlier run with the same settings, and notes the settings."""
    settings = {name: FLAGS[name].value for name in _SETTINGS}
    noted, table = output_dir / "settings.json", output_dir / "runs.csv"
    if not table.exists():
        files.write_json(noted, settings)
        return []
    if not noted.exists() or json.loads(noted.read_text(encoding="utf-8")) != settings:
        raise UserError(f"--output_dir={output_dir} holds a run with other settings; give another folder")
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _objects(model: keras.Model) -> tuple[np.ndarray, np.ndarray]:
    """Returns the first objects of each class that the model classifies right."""
    if FLAGS.data_dir:
        points, labels = data.load_modelnet40(FLAGS.data_dir, "test", FLAGS.num_points)
        known = data.MODELNET40_CLASSES
    else:
        made = data.shapes.make_dataset(
            len(data.shapes.SHAPE_CLASSES) * FLAGS.objects * 4, FLAGS.num_points, 2 * FLAGS.seed + 1
        )
        points, labels, known = made.points, made.labels, made.classes
    if unknown := sorted(set(known) - set(model.class_names)):
        raise UserError(f"{FLAGS.model} does not know {unknown[0]!r}; give --data_dir or another --model")
    labels = np.array([model.class_names.index(name) for name in known])[labels]
    right = evaluate.classify(model, points, labels).predicted == labels
    chosen = [np.flatnonzero(right & (labels == label))[: FLAGS.objects] for label in np.unique(labels)]
    index = np.concatenate(chosen)
    return points[index], labels[index]


if __name__ == "__main__":
    cli.run(main)
