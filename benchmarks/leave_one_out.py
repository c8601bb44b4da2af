"""Measures whether point saliency tells what happens to the loss when a point goes.

  python -m benchmarks.leave_one_out --data_dir=modelnet40_ply_hdf5_2048
  python -m benchmarks.leave_one_out --data_dir=... --model=pointnet2_ssg_modelnet40 --centre=median,ball

Each point of a cloud is left out alone, and the change of the cross entropy of the true class noted. A row
stands for one centre towards which the saliency moves a point: the rank correlation of saliency and change,
and the mean change when one of the 20 points of the lowest, and of the highest, saliency goes; means over the
clouds, which are taken evenly from the test split. The last row is of the changes themselves: the most that
any importance could reach.
"""

from __future__ import annotations

import numpy as np
from absl import flags
from scipy.special import logsumexp
from tqdm import tqdm

from tfxai3d import cli, data, evaluate, explain, models, storage

FLAGS = flags.FLAGS
flags.DEFINE_string("model", "pointnet_modelnet40", "Preset or folder.")
flags.DEFINE_string("data_dir", None, "ModelNet40 HDF5 folder; its test split.", required=True)
flags.DEFINE_list("centre", ["median"], "Centres: median, mean, ball.")
flags.DEFINE_float("power", 1.0, "Of the distance.")
flags.DEFINE_integer("clouds", 12, "Clouds.", lower_bound=1)
flags.DEFINE_integer("num_points", 1024, "Points of a cloud.", lower_bound=40)
flags.DEFINE_integer("batch_size", 32, "Clouds at once.", lower_bound=1)

_EXTREME = 20  # points at either end


def main(argv: list[str]) -> None:
    """Prints a table."""
    cli.load_tensorflow()
    model = models.from_preset(FLAGS.model)
    points, labels = data.load_modelnet40(FLAGS.data_dir, "test", FLAGS.num_points)
    chosen = np.linspace(0, len(points) - 1, FLAGS.clouds).astype(int)
    points, labels = points[chosen], labels[chosen]
    forward = evaluate.Forward(model, FLAGS.batch_size)
    changes = np.stack(
        [_changes(forward, *pair) for pair in tqdm(zip(points, labels, strict=True), total=len(points))]
    )
    rated, rows = {}, []
    for centre in FLAGS.centre:
        explainer = explain.PointSaliency(model, centre, FLAGS.power, batch_size=FLAGS.batch_size)
        rated[centre] = explainer(points, labels).importance
    for name, importance in (rated | {"(the change itself)": changes}).items():
        order = np.argsort(importance, axis=1)
        ordered = np.take_along_axis(changes, order, axis=1)
        correlation = np.nanmean(evaluate.rank_correlation(importance, changes))
        low, high = ordered[:, :_EXTREME].mean(), ordered[:, -_EXTREME:].mean()
        rows.append((name, f"{correlation:.3f}", f"{low:+.5f}", f"{high:+.5f}"))
    head = ["saliency towards the", "rank correlation", "change, 20 lowest", "change, 20 highest"]
    print(storage.markdown_table(head, rows))


def _changes(forward: evaluate.Forward, cloud: np.ndarray, label: int) -> np.ndarray:
    """Returns by how much the loss rises when each point is left out."""
    number = np.arange(len(cloud))
    clouds = [cloud, *(cloud[number != point] for point in number)]
    logits = forward(clouds).astype(float)
    loss = logsumexp(logits, axis=1) - logits[:, label]
    change: np.ndarray = loss[1:] - loss[0]
    return change


if __name__ == "__main__":
    cli.run(main)
