"""Drops the most salient points of objects and shows what the network makes of the rest ("ASM", ICCV 2019).

A procedural chair and a shipped network, no data needed; the published settings, 20 steps of 5 points:

  python apps/asm.py

Objects of your own, or ModelNet by class; and one point a step until the decision changes, as in the
comparison with p-grad-CAM:

  python apps/asm.py --input=bunny.ply,plane.off --label=airplane --up=z
  python apps/asm.py --data_dir=.../modelnet40_ply_hdf5_2048 --label=chair --index=0,1,2
  python apps/asm.py --num_drop=1 --until_changed

For every object a folder in --output_dir holds:

  iterations.csv    the table that is also printed
  run.json          settings, versions, how the run ended, and when each point was dropped
  explanation.npz   the saliency of the whole object (tfxai3d.explain.Explanation.load reads it)
  sequence.html     the object losing its points, to scrub through in any browser
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from absl import flags

from tfxai3d import cli, data, evaluate, explain, files, models, view
from tfxai3d.errors import UserError

if TYPE_CHECKING:
    import keras

FLAGS = flags.FLAGS
flags.DEFINE_string("model", "pointnet_modelnet40", "Shipped preset or a folder written by apps/train.py.")
flags.DEFINE_list("shape", ["chair"], "Procedural objects, without --input and --data_dir.")
flags.DEFINE_list("input", None, "Files: meshes, clouds or arrays.")
flags.DEFINE_string("data_dir", None, "ModelNet40 HDF5 folder; its test split is used.")
flags.DEFINE_string("label", None, "True class, needed with --data_dir; else the predicted class.")
flags.DEFINE_list("index", ["0"], "Which examples of --label, or of --shape.")
flags.DEFINE_enum("up", "y", ["y", "z"], "Up axis of the --input files; ModelNet's OFF files have z.")
flags.DEFINE_integer("num_points", 1024, "Points of an object.", lower_bound=10)
flags.DEFINE_integer("num_drop", 5, "Points dropped in a step.", lower_bound=1)
flags.DEFINE_integer("num_steps", 20, "Steps.", lower_bound=1)
flags.DEFINE_bool("drop_neg", False, "Drop the lowest values first: the points that speak against the class.")
flags.DEFINE_float("power", 1.0, "Of the distance from the centre; published 1 for PointNet, 6 for DGCNN.")
flags.DEFINE_list("centre", ["median"], "median, mean, or three coordinates.")
flags.DEFINE_bool(
    "until_changed", False, "Go on until the prediction is wrong and half of the turned copies too."
)
flags.DEFINE_integer("rotations", 0, "Turned copies classified in each step; 0: the object itself.")
flags.DEFINE_enum("axes", "xyz", ["y", "xyz"], "Axes of the random rotations; y is up.")
flags.DEFINE_integer("seed", 0, "Seed of the sampling and the rotations.", lower_bound=0)
flags.DEFINE_string("output_dir", "out/asm", "Folder of the results.")

_COLUMNS = ("iteration", "points", "predicted", "confidence", "accuracy", "loss", "dropped", "seconds")


class Object(NamedTuple):
    """One cloud; `label` is None where the predicted class is taken for the true one."""

    name: str
    points: np.ndarray
    label: str | None


def main(argv: list[str]) -> None:
    """Drops points of each object."""
    cli.check_output_dir(FLAGS.output_dir)
    centre = _centre()
    objects = list(_objects())
    cli.load_tensorflow()
    model = models.from_preset(FLAGS.model)
    targets = [_class(item.label, model) for item in objects]
    explainer = explain.PointSaliency(model, centre=centre, power=FLAGS.power)
    rotation_test = None
    if FLAGS.rotations > 0:
        rotations = evaluate.random_rotations(FLAGS.rotations, FLAGS.axes, composed=True, seed=FLAGS.seed)
        rotation_test = evaluate.RotationTest(model, rotations)
    rule = evaluate.by_count(FLAGS.num_drop, "lowest" if FLAGS.drop_neg else "highest")
    for item, target in zip(objects, targets, strict=True):
        explanation = explainer(item.points[None], target)
        label = int(explanation.target[0])
        print(f"{item.name}, {len(item.points)} points, {explanation.class_name(label)!r}")
        _print_row(_COLUMNS)
        for runs in evaluate.drop_clouds(
            evaluate.Recomputed(explainer),
            [item.points],
            [label],
            rule,
            steps=None if FLAGS.until_changed else FLAGS.num_steps,
            rotation_test=rotation_test,
        ):
            _print_row(map(_cell, _record(runs[0].steps[-1], explanation).values()))
        _write(Path(FLAGS.output_dir) / item.name, item, explanation, runs[0])


def _write(folder: Path, item: Object, explanation: explain.Explanation, run: evaluate.DropRun) -> None:
    label = int(explanation.target[0])
    name = explanation.class_name(label)
    explanation.save(folder / "explanation.npz")
    files.write_csv(folder / "iterations.csv", [_record(step, explanation) for step in run.steps])
    table = evaluate.DropTable().extended([run], [label])
    view.write_drop_page(
        folder / "sequence.html",
        item.points,
        run.dropped_at,
        table.rows,
        label,
        f"{item.name}: point saliency, {'lowest' if FLAGS.drop_neg else 'highest'} first",
        explanation.class_names,
    )
    report = {
        "object": item.name,
        "target": name,
        "points": len(item.points),
        "points_removed": run.points_removed,
        "iterations": len(run.steps),
        "stopped_by": run.stopped_by,
        "dropped_at": run.dropped_at.tolist(),
        "settings": {flag.name: flag.value for flag in FLAGS.get_flags_for_module(__name__)},
        "versions": cli.versions(),
    }
    files.write_json(folder / "run.json", report)
    print(f"{run.points_removed} points removed: {run.stopped_by}; results in {folder}", flush=True)


def _print_row(cells: Iterable[str]) -> None:
    print(" ".join(f"{cell:>11}" for cell in cells), flush=True)


def _record(step: evaluate.DropStep, explanation: explain.Explanation) -> dict[str, object]:
    values = dataclasses.asdict(step) | {"predicted": explanation.class_name(step.predicted)}
    return {name: values[name] for name in _COLUMNS}


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _centre() -> str | list[float]:
    if FLAGS.centre in (["median"], ["mean"]):
        return str(FLAGS.centre[0])
    try:
        centre = [float(text) for text in FLAGS.centre]
    except ValueError:
        centre = []
    if len(centre) != 3 or not np.isfinite(centre).all():
        raise UserError(f"--centre={','.join(FLAGS.centre)}: give median, mean, or three numbers as 0,0.5,0")
    return centre


def _objects() -> Iterator[Object]:
    """Yields what the flags ask for."""
    if FLAGS.input is not None and FLAGS.data_dir:
        raise UserError("give --input or --data_dir, not both")
    if FLAGS.data_dir:
        yield from _modelnet()
    elif FLAGS.input is not None:
        for path in FLAGS.input:
            points = data.load_points(path, FLAGS.num_points, FLAGS.seed)
            points = data.z_up_to_y_up(points) if FLAGS.up == "z" else points
            yield Object(Path(path).stem, points, FLAGS.label)
    else:
        for shape, seed in itertools.product(FLAGS.shape, _indices()):
            mesh = data.shapes.make_shape(shape, seed)
            points = data.shapes.sample_shape(mesh, FLAGS.num_points, FLAGS.seed).points
            yield Object(f"{shape}_{seed}", points, FLAGS.label or shape)


def _modelnet() -> Iterator[Object]:
    if FLAGS.label not in data.MODELNET40_CLASSES:
        raise UserError(
            f"--data_dir needs --label, one of {', '.join(data.MODELNET40_CLASSES)}; it is {FLAGS.label}"
        )
    points, labels = data.load_modelnet40(FLAGS.data_dir, "test", FLAGS.num_points)
    points = points[labels == data.MODELNET40_CLASSES.index(FLAGS.label)]
    for index in _indices():
        if index >= len(points):
            raise UserError(f"--index={index}: --data_dir has {len(points)} test examples of {FLAGS.label!r}")
        yield Object(f"{FLAGS.label}_{index}", points[index], FLAGS.label)


def _class(name: str | None, model: keras.Model) -> int | None:
    if name is None:
        return None
    names = model.class_names or ()
    if name not in names:
        raise UserError(f"{name!r} is no class of the model {FLAGS.model!r}; it knows {', '.join(names)}")
    return names.index(name)


def _indices() -> list[int]:
    if not all(text.isascii() and text.isdigit() for text in FLAGS.index):
        raise UserError(f"--index={','.join(FLAGS.index)}: give numbers from 0, such as 0,1,2")
    return [int(text) for text in FLAGS.index]


if __name__ == "__main__":
    cli.run(main)
