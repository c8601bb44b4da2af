"""Measures what it gains to compute the map anew while points go, and how near that is to the greedy order.

  python -m benchmarks.science.recomputed --data_dir=modelnet40_ply_hdf5_2048

Of test clouds that the basic PointNet has right, mean-field Shapley values are computed once, or again each
time that --every more points are gone, of the points that are left. A row is the mean confidence while the
most important points go, 2 to 95 % in 20 steps, with its 95 % bootstrap interval. The greedy order takes away
the point that lowers the confidence most, exactly, and looks anew after every point: it is the best next
step, not the best order.
"""

from __future__ import annotations

import numpy as np
from absl import flags
from tqdm import tqdm

from tfxai3d import cli, data, evaluate, explain, models, storage

FLAGS = flags.FLAGS
cli.define_flags(data_dir=None, num_points=1024, num_examples=25, batch_size=32, seed=0)
flags.DEFINE_list("every", ["50", "10"], "So many points go before the map is computed anew.")


def main(argv: list[str]) -> None:
    """Prints a table."""
    cli.load_tensorflow()
    model = models.from_preset("pointnet_basic_modelnet40")
    split = data.open_dataset(
        FLAGS.data_dir, "points", num_points=FLAGS.num_points, class_names=model.class_names, seed=FLAGS.seed
    )
    subject = evaluate.Subject.of_right(
        model,
        np.asarray(split.inputs, np.float32),
        split.labels,
        FLAGS.num_examples,
        seed=FLAGS.seed,
        batch_size=FLAGS.batch_size,
    )
    explainer = explain.MeanFieldShapley(model, batch_size=FLAGS.batch_size)
    orders = {"once": explainer(subject.inputs, subject.labels).importance}
    for every in map(int, FLAGS.every):
        orders[f"anew after {every} points"] = _recomputed(explainer, subject, every)
    (greedy,) = evaluate.entrants(["greedy"], subject.network, {}).values()
    orders["greedy"] = greedy(subject.inputs, subject.labels)
    rows = []
    for name, order in orders.items():
        found = evaluate.METRICS["deletion"].measure(evaluate.Rated.by(subject, order))
        mean, low, high = evaluate.bootstrap_mean(found, FLAGS.seed)
        rows.append([name, len(found), f"{mean:.3f}", f"{low:.3f} to {high:.3f}"])
    print(storage.markdown_table(["the map", "clouds", "mean confidence", "95 %"], rows))


def _recomputed(explainer: explain.Explainer, subject: evaluate.Subject, every: int) -> np.ndarray:
    """Returns the order (B,N) in which points go, the first has the largest number."""
    clouds, count = subject.inputs, subject.inputs.shape[1]
    order = np.zeros(clouds.shape[:2])
    left = np.tile(np.arange(count), (len(clouds), 1))
    for gone in tqdm(range(0, count, every), desc=f"anew after {every}", disable=None):
        some = np.take_along_axis(clouds, left[..., None], axis=1)
        importance = explainer(some, subject.labels).importance
        ranked = np.take_along_axis(left, np.argsort(-importance, axis=1, kind="stable"), axis=1)
        next_ones = ranked[:, :every]
        numbers = np.broadcast_to(count - gone - np.arange(next_ones.shape[1]), next_ones.shape)
        np.put_along_axis(order, next_ones, numbers, axis=1)
        left = np.sort(ranked[:, every:], axis=1)
    return order


if __name__ == "__main__":
    cli.run(main)
