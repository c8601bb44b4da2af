"""Measures which methods find what networks lean on, by taking it away.

  python -m benchmarks.science.faithfulness --data_dir=modelnet40_ply_hdf5_2048 --voxel_dir=modelnet10_voxels
  python -m benchmarks.science.faithfulness --data_dir=... --networks=pointnet_modelnet40 --methods=lime

Of test examples that a network classifies right, drawn at random, the most important points or occupied
voxels are taken away first, 2 to 95 % in 20 steps, and then the least important ones. What is taken away is
gone, and the importance of the whole object says what goes, once for all steps. The columns: mean probability
of the true class with the highest first and with the lowest first, the area between the two (ABPC) with its
95 % bootstrap interval, the same interval of how far it is below mean_field_shapley's on the same examples,
the accuracy without the most important 500 of 1,024, and seconds of the processor an example, over all
threads, without tracing. `(magnitude)` are maps without their signs.

All methods rate the same examples in the same order; how many of them, `_PLAN` says: the dear methods need
hundreds of passes an example. What is done is kept in --output_dir, one file a network and method: a run that
was killed goes on, and one with more methods adds to it.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from tqdm import tqdm

from tfxai3d import cli, data, errors, evaluate, explain, models, storage

#: Examples that are rated by mean-field Shapley values, by the other methods, and by the dear ones.
_PLAN = {
    "pointnet_basic_modelnet40": (300, 50, 50),
    "pointnet_modelnet40": (300, 25, 10),
    "pointnet2_ssg_modelnet40": (200, 25, 5),
    "vrn_half_modelnet10": (100, 25, 5),
}
_DEAR = ("leave_one_out", "occlusion", "lime", "kernel_shap", "shapley_sampling", "rise")
_MAGNITUDES = ("integrated_gradients", "gradient_times_input")
_CHUNK = {"points": 25, "voxels": 5}  # examples measured before they are written; of dear methods a fifth

FLAGS = flags.FLAGS
cli.define_flags(
    data_dir=None, num_points=1024, methods=None, batch_size=32, seed=0, output_dir="out/faithfulness"
)
flags.DEFINE_integer("num_examples", None, "The most examples a method; by default what is planned.")
flags.DEFINE_string("voxel_dir", None, "The same for networks of voxels.")
flags.DEFINE_list("networks", list(_PLAN), "Shipped presets, of those in the plan.")
flags.DEFINE_bool("measure", True, "Measure what is missing, before the tables are printed.")

Rows = list[dict[str, Any]]


def main(argv: list[str]) -> None:
    """Measures what is missing, prints a table a network and writes all of them to summary.csv."""
    cli.load_tensorflow()
    summary = []
    for name in FLAGS.networks:
        if FLAGS.measure:
            settings = {"seed": FLAGS.seed, "num_points": FLAGS.num_points, "network": name}
            with storage.run_folder(Path(FLAGS.output_dir) / name, settings, "*.csv"):
                _measure(name)
        rows = _summary(name)
        summary += rows
        head, *cells = [list(row)[1:] for row in (rows[0], *(row.values() for row in rows))]
        print(f"\n{name}\n\n{storage.markdown_table(head, cells)}")
    storage.write_csv(Path(FLAGS.output_dir) / "summary.csv", summary)


def _measure(name: str) -> None:
    """Rates what no earlier run has, method by method."""
    model = models.from_preset(name)
    methods = FLAGS.methods or ["mean_field_shapley", "random", *explain.method_names()]
    wanted = {method: _count(name, method) for method in methods}
    inputs, labels, numbers = _right(model, max(wanted.values()))
    for method, count in wanted.items():
        rows = _read(name, method)
        done = len({row["example"] for row in rows})
        try:
            rate = _rating(method, model, inputs, labels)
            chunk = _CHUNK[model.data_kind] // (5 if method in _DEAR else 1)
            for start in tqdm(range(done, count, chunk), desc=f"{name} {method}", disable=None):
                some = slice(start, min(start + chunk, count))
                maps, seconds = rate(some)
                for reading, importance in maps.items():
                    found = _scores(model, inputs[some], labels[some], importance)
                    columns = {"example": numbers[some], **found}
                    rows += [
                        {"reading": reading, **dict(zip(columns, values, strict=True)), "seconds": seconds}
                        for values in zip(*columns.values(), strict=True)
                    ]
                storage.write_csv(_file(name, method), rows)
        except errors.UserError as error:  # such as a method of points alone
            print(f"{method}: {error}")


def _count(name: str, method: str) -> int:
    ours, others, dear = _PLAN[name]
    count = dear if method in _DEAR else ours if method == "mean_field_shapley" else others
    return min(count, FLAGS.num_examples or count)


def _right(model: Any, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the first examples of a random order that are classified right, with labels and numbers."""
    split = data.open_dataset(
        FLAGS.data_dir if model.data_kind == "points" else FLAGS.voxel_dir,
        model.data_kind,
        num_points=FLAGS.num_points,
        class_names=model.class_names,
        seed=FLAGS.seed,
    )
    order = np.random.default_rng(FLAGS.seed).permutation(len(split))
    found = order[:0]
    for start in range(0, len(order), 100):
        if len(found) >= count:
            break
        some = split[order[start : start + 100]]
        right = evaluate.classify(model, some.inputs, some.labels).predicted == some.labels
        found = np.append(found, order[start : start + 100][right])
    chosen = split[found[:count]]
    return np.asarray(chosen.inputs, np.float32), chosen.labels, found[:count]


def _rating(
    method: str, model: Any, inputs: np.ndarray, labels: np.ndarray
) -> Callable[[slice], tuple[dict[str, np.ndarray], float]]:
    """Returns what rates some of the examples: maps by name, and seconds of the processor an example."""
    if method == "random":
        draw = np.random.default_rng(FLAGS.seed).random(inputs.shape[:-1])
        return lambda some: ({method: draw[some]}, 0.0)
    options = {"batch_size": FLAGS.batch_size, "seed": FLAGS.seed}
    explainer = explain.create(method, model, **options)
    traced: list[Any] = []

    def rate(some: slice) -> tuple[dict[str, np.ndarray], float]:
        if not traced:
            traced.append(explainer(inputs[:1], labels[:1]))
        began = time.process_time()
        explanation = explainer(inputs[some], labels[some])
        seconds = (time.process_time() - began) / len(labels[some])
        magnitude = {f"{method} (magnitude)": explanation.magnitude} if method in _MAGNITUDES else {}
        return {method: explanation.importance, **magnitude}, seconds

    return rate


def _scores(
    model: models.Classifier, inputs: np.ndarray, labels: np.ndarray, importance: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns the mean confidence of both orders, and whether the class survives without the highest."""
    subject = evaluate.Subject(model, inputs, labels, batch_size=FLAGS.batch_size)
    rated = evaluate.Rated.by(subject, importance)
    names = {"highest": "deletion", "lowest": "insertion", "right": "half"}
    return {name: evaluate.METRICS[metric].measure(rated) for name, metric in names.items()}


def _file(name: str, method: str) -> Path:
    return Path(FLAGS.output_dir) / name / f"{method}.csv"


def _read(name: str, method: str) -> Rows:
    """Returns the rows of an earlier run, one an example and reading."""
    path = _file(name, method)
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _summary(name: str) -> Rows:
    """Returns a row for each map of a network, the largest area first."""
    readings: dict[str, Rows] = {}
    for path in sorted((Path(FLAGS.output_dir) / name).glob("*.csv")):
        for row in _read(name, path.stem):
            readings.setdefault(row["reading"], []).append(row)
    areas = {
        reading: {row["example"]: float(row["lowest"]) - float(row["highest"]) for row in rows}
        for reading, rows in readings.items()
    }
    ours = areas.get("mean_field_shapley", {})
    found = []
    for reading, rows in readings.items():
        highest, lowest, right, seconds = (
            np.array([float(row[column]) for row in rows])
            for column in ("highest", "lowest", "right", "seconds")
        )
        below = np.array(
            [ours[example] - area for example, area in areas[reading].items() if example in ours]
        )
        found.append(
            {
                "network": name,
                "method": reading,
                "examples": len(rows),
                "highest first": f"{highest.mean():.3f}",
                "lowest first": f"{lowest.mean():.3f}",
                "ABPC": f"{(lowest - highest).mean():.3f}",
                "95 %": _interval(lowest - highest),
                "below mean field": "" if reading == "mean_field_shapley" else _interval(below),
                "accuracy without 500 of 1,024": f"{right.mean():.3f}",
                "seconds": f"{np.median(seconds):.3f}",
            }
        )
    return sorted(found, key=lambda row: -float(row["ABPC"]))


def _interval(values: np.ndarray) -> str:
    _, low, high = evaluate.bootstrap_mean(values, FLAGS.seed)
    return f"{low:.3f} to {high:.3f}"


if __name__ == "__main__":
    cli.run(main)
