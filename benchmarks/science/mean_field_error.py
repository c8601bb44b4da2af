"""Measures what the mean field costs: MeanFieldShapley against many random orders, point by point.

  python -m benchmarks.science.mean_field_error --data_dir=modelnet40_ply_hdf5_2048

The reference is ShapleySampling of single points on the basic PointNet by its exact fast path, --orders
orders a cloud, in parts that are kept in --output_dir, so that a run that was killed goes on. A row stands
for one cloud and one number of nodes: Spearman's rank correlation with the reference over all points, the
mean absolute error of a point as a fraction of the mean absolute value, the same error of the reference
itself (from its standard error), and the fraction of all error that falls on the 5 % of the points with the
largest values.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from tqdm import tqdm

from tfxai3d import cli, data, evaluate, explain, models, storage

FLAGS = flags.FLAGS
cli.define_flags(data_dir=None, num_points=1024, num_examples=2, seed=0, output_dir="out/mean_field_error")
flags.DEFINE_integer("orders", 20000, "Orders of arrival of the reference.", lower_bound=1000)
flags.DEFINE_list("nodes", ["6", "12", "24", "48"], "Nodes of the mean field.")

_PART = 500  # orders
_TOP = 0.05


def main(argv: list[str]) -> None:
    """Prints a table."""
    cli.load_tensorflow()
    model = models.from_preset("pointnet_basic_modelnet40")
    split = data.open_dataset(
        FLAGS.data_dir, "points", num_points=FLAGS.num_points, class_names=model.class_names, seed=FLAGS.seed
    )
    chosen = split[np.random.default_rng(FLAGS.seed).permutation(len(split))[: FLAGS.num_examples]]
    clouds, labels = np.asarray(chosen.inputs, np.float32), chosen.labels
    truth, error = _reference(model, clouds, labels)
    rows = []
    for nodes in map(int, FLAGS.nodes):
        found = explain.MeanFieldShapley(model, nodes)(clouds, labels).importance
        rows += [
            [label, nodes, *_compared(*some)]
            for label, *some in zip(chosen.labels, found, truth, error, strict=True)
        ]
    head = ["class", "nodes", "rank correlation", "error", "error of the reference", "on the top 5 %"]
    names = [[model.class_names[row[0]], *row[1:]] for row in rows]
    print(storage.markdown_table(head, names))


def _reference(model: Any, clouds: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns Shapley values (B,N) by random orders, and their standard errors."""
    settings = {"seed": FLAGS.seed, "num_points": FLAGS.num_points, "num_examples": FLAGS.num_examples}
    with storage.run_folder(FLAGS.output_dir, settings, "*.npz"):
        parts = tqdm(range(FLAGS.orders // _PART), desc=f"parts of {_PART} orders", disable=None)
        values = np.array([_part(model, clouds, labels, part) for part in parts])
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


def _part(model: Any, clouds: np.ndarray, labels: np.ndarray, part: int) -> np.ndarray:
    """Returns the values by some of the orders, kept in a file."""
    path = Path(FLAGS.output_dir) / f"{part}.npz"
    if path.exists():
        return explain.Explanation.load(path).importance
    budget = _PART * clouds.shape[1]
    sampling = explain.ShapleySampling(model, units="points", budget=budget, seed=FLAGS.seed + part)
    found = sampling(clouds, labels)
    found.save(path)
    return found.importance


def _compared(found: np.ndarray, truth: np.ndarray, error: np.ndarray) -> list[str]:
    """Returns the correlation and errors of one cloud, with nothing worth the same for both."""
    found = found + (truth - found).mean()
    wrong, scale = np.abs(found - truth), np.abs(truth).mean()
    top = np.argsort(-truth)[: int(_TOP * len(truth))]
    return [
        f"{evaluate.rank_correlation(found[None], truth[None])[0]:.3f}",
        f"{wrong.mean() / scale:.3f}",
        f"{np.sqrt(2 / np.pi) * error.mean() / scale:.3f}",
        f"{wrong[top].sum() / wrong.sum():.2f}",
    ]


if __name__ == "__main__":
    cli.run(main)
