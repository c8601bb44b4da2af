"""Compares p-grad-CAM's drop modes and point saliency ("ASM") with random dropping, on one object a class.

  python apps/compare_modes.py --data_dir=.../modelnet40_ply_hdf5_2048

The published comparison, every mode and ASM:

  python apps/compare_modes.py --flagfile=apps/flags/compare_modelnet40.cfg --data_dir=...

Takes the first test objects of each class that the network classifies right, so a class of which it knows no
object is missing; drops points by each mode until the decision changes, and again with a random control that
drops as many points in each iteration (ASM with --asm_control only: it takes many iterations). Objects that
are done are kept in --output_dir: started again, the same command goes on where it stopped. The plots under
rotation about y are those of a second run with --axes=y.

  runs.csv       one row for each object and mode, and for its random control
  steps.csv      one row for each of their iterations
  table.md       the summary that is also printed, with --data_dir beside the published one
  plots/         seconds and points removed by object, points left, accuracy and loss by iteration
  run.json       settings and versions
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import flags
from tqdm import tqdm

from tfxai3d import cli, data, evaluate, explain, models, results, storage, view
from tfxai3d.errors import UserError

if TYPE_CHECKING:
    import keras

FLAGS = flags.FLAGS
flags.DEFINE_string("model", "pointnet_modelnet40", "Shipped preset or a folder written by apps/train.py.")
flags.DEFINE_string("data_dir", None, "ModelNet40 HDF5 folder; procedural shapes without it.")
flags.DEFINE_integer("objects", 1, "Objects of each class.", lower_bound=1)
flags.DEFINE_integer("num_points", 1024, "Points of an object.", lower_bound=10)
_OWN_MODES = [mode for mode in evaluate.MODES if mode not in evaluate.MIRRORED]
flags.DEFINE_multi_enum(
    "mode",
    _OWN_MODES,
    [*_OWN_MODES, "asm"],
    "Modes to compare; asm drops the --num_drop most salient points.",
)
flags.DEFINE_integer("num_drop", 1, "Points dropped in a step of asm.", lower_bound=1)
flags.DEFINE_bool("asm_control", False, "Run a random control of asm, too.")
flags.DEFINE_enum("pooling", "max", ["max", "mean"], "Pooling of the gradient over the channels.")
flags.DEFINE_integer("rotations", 100, "Rotated copies classified in each iteration.", lower_bound=1)
flags.DEFINE_enum("axes", "xyz", ["y", "xyz"], "Axes of the random rotations; y is up.")
flags.DEFINE_bool("composed", True, "Each rotation continues from the one before it, as published.")
flags.DEFINE_integer("seed", 0, "Seed of the shapes, the rotations and the controls.", lower_bound=0)
flags.DEFINE_bool("pictures", True, "Draw the plots.")
flags.DEFINE_string("output_dir", "out/compare_modes", "Folder of the results.")

_SETTINGS = (
    "model", "objects", "num_points", "mode", "num_drop", "asm_control", "pooling", "rotations", "axes",
    "composed", "seed",
)  # fmt: skip
_PUBLISHED = """\
| p-grad-CAM, published | | 638 | 17.7 | 115 | | |
| ASM, published | | 365 | 365.6 | 264 | | |

Published: Struhs 2020, 40 objects of 2,048 points, R = 500, unknown hardware.
"""

Row = dict[str, str]


def main(argv: list[str]) -> None:
    """Runs what is not done yet and prints the table."""
    output_dir = Path(FLAGS.output_dir)
    cli.check_output_dir(output_dir)
    if FLAGS.pictures:
        cli.check_package("matplotlib", "view")
    rows, steps = _done(output_dir)
    cli.load_tensorflow()
    model = models.from_preset(FLAGS.model)
    points, labels = _objects(model)
    explainers = {"heat": explain.PGradCAM(model, FLAGS.pooling), "asm": explain.PointSaliency(model)}
    rotation_test = evaluate.RotationTest(
        model,
        evaluate.random_rotations(FLAGS.rotations, FLAGS.axes, composed=FLAGS.composed, seed=FLAGS.seed),
    )
    done = {row["object"] for row in rows}
    for number in tqdm(range(len(points)), unit="object", disable=None):
        if str(number) in done:
            continue
        name = model.class_names[labels[number]]
        for mode in FLAGS.mode:
            explainer = explainers["asm" if mode == "asm" else "heat"]
            for control, run in enumerate(
                _runs(explainer, rotation_test, points[number], int(labels[number]), mode)
            ):
                which = {"object": str(number), "class": name, "mode": mode, "control": str(control)}
                rows.append(which | _summary(run))
                steps += [which | _cells_of(step) for step in run.steps]
        storage.write_csv(output_dir / "steps.csv", steps)
        storage.write_csv(output_dir / "runs.csv", rows)
    table = _table(rows) + (_PUBLISHED if FLAGS.data_dir else "")
    with storage.atomic_path(output_dir / "table.md") as temporary:
        temporary.write_text(table, encoding="utf-8")
    print(table, end="")
    if FLAGS.pictures:
        _plot([row for row in steps if row["control"] == "0"], output_dir / "plots")


def _runs(
    explainer: explain.Explainer,
    rotation_test: evaluate.RotationTest,
    points: np.ndarray,
    label: int,
    mode: str,
) -> Iterator[results.DropRun]:
    """Yields the run of a mode, and its random control."""
    if mode == "asm":
        rule = evaluate.by_count(FLAGS.num_drop)
        *_, (run,) = evaluate.drop_clouds(
            evaluate.Recomputed(explainer), [points], [label], rule, rotation_test=rotation_test
        )
    else:
        *_, run = evaluate.drop_points(explainer, rotation_test, points, label, mode)
    yield run
    if run.counts and (mode != "asm" or FLAGS.asm_control):
        *_, control = evaluate.drop_points(
            explainer, rotation_test, points, label, "+random", counts=run.counts, seed=FLAGS.seed
        )
        yield control


def _summary(run: results.DropRun) -> Row:
    return {
        "removed": str(run.points_removed),
        "iterations": str(len(run.steps)),
        "seconds": f"{sum(step.seconds for step in run.steps):.3f}",
        "stopped_by": run.stopped_by,
        "confidence": f"{run.steps[-1].confidence:.4f}",
    }


def _cells_of(step: results.DropStep) -> Row:
    return {
        name: f"{value:.6g}" if isinstance(value, float) else str(value)
        for name, value in dataclasses.asdict(step).items()
    }


def _plot(steps: list[Row], folder: Path) -> None:
    """Draws the published plots, as PNG and SVG."""
    means: dict[str, dict[str, np.ndarray]] = {}
    for mode in dict.fromkeys(row["mode"] for row in steps):
        runs: dict[str, list[Row]] = {}
        for row in steps:
            if row["mode"] == mode:
                runs.setdefault(f"{row['class']} {row['object']}", []).append(row)
        curves = {name: _columns(rows) for name, rows in runs.items()}
        removed = [curve["points"][0] - curve["points"][-1] for curve in curves.values()]
        seconds = [curve["seconds"].sum() for curve in curves.values()]
        means[mode] = _mean_by_iteration(list(curves.values()))
        for suffix in ("png", "svg"):
            view.render_bars(folder / f"{mode}_seconds.{suffix}", list(curves), seconds, "seconds", mode)
            view.render_bars(
                folder / f"{mode}_removed.{suffix}", list(curves), removed, "points_removed", mode
            )
            view.render_curves(folder / f"{mode}_accuracy.{suffix}", curves, "accuracy", "points", mode)
            view.render_curves(folder / f"{mode}_points.{suffix}", curves, "points", "iteration", mode)
    title = f"mean over the objects that go on, {FLAGS.rotations} rotations about {FLAGS.axes}"
    for column in ("points", "accuracy", "loss"):
        for suffix in ("png", "svg"):
            view.render_curves(folder / f"{column}.{suffix}", means, column, "iteration", title)


def _columns(rows: list[Row]) -> dict[str, np.ndarray]:
    names = ("iteration", "points", "accuracy", "loss", "seconds")
    return {name: np.array([float(row[name]) for row in rows]) for name in names}


def _mean_by_iteration(curves: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Returns the means over the curves that are long enough, iteration by iteration."""
    place = np.concatenate([curve["iteration"] for curve in curves]).astype(int)
    return {
        name: np.bincount(place, np.concatenate([curve[name] for curve in curves])) / np.bincount(place)
        for name in curves[0]
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
        beside = _cells(control) if control else ["-", "-"]
        cells = [*_cells(own), _mean(own, "iterations"), _mean(own, "seconds"), *beside]
        lines.append(f"| `{mode}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cells(rows: list[Row]) -> list[str]:
    changed = sum(row["stopped_by"] == "decision" for row in rows)
    return [f"{changed} of {len(rows)}", _mean(rows, "removed", digits=0)]


def _mean(rows: list[Row], column: str, digits: int = 1) -> str:
    return f"{np.mean([float(row[column]) for row in rows]):.{digits}f}"


def _done(output_dir: Path) -> tuple[list[Row], list[Row]]:
    """Returns the rows and steps of an earlier run with the same settings, and notes the settings."""
    cli.keep_settings(output_dir, _SETTINGS, "runs.csv")
    if not (output_dir / "runs.csv").exists():
        return [], []
    rows, steps = (_read(output_dir / name) for name in ("runs.csv", "steps.csv"))
    done = {row["object"] for row in rows}  # the steps are written first
    return rows, [step for step in steps if step["object"] in done]


def _read(path: Path) -> list[Row]:
    if not path.exists():
        raise UserError(f"{path}: no such file; it belongs to the run in {path.parent}, give another folder")
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _objects(model: keras.Model) -> tuple[np.ndarray, np.ndarray]:
    """Returns the first objects of each class that the model classifies right."""
    num_shapes = len(data.shapes.SHAPE_CLASSES) * FLAGS.objects * 4
    points, labels = data.unseen_clouds(
        model.class_names, FLAGS.data_dir, FLAGS.num_points, num_shapes, FLAGS.seed
    )
    right = evaluate.classify(model, points, labels).predicted == labels
    if not right.any():
        raise UserError(f"--model={FLAGS.model} classifies none of the {len(labels)} objects right")
    chosen = [np.flatnonzero(right & (labels == label))[: FLAGS.objects] for label in np.unique(labels)]
    index = np.concatenate(chosen)
    return points[index], labels[index]


if __name__ == "__main__":
    cli.run(main)
