"""Times Shapley values: the closed form beside integrated gradients, the fast path beside passes and shap.

  python -m venv peer && peer/bin/pip install shap
  python -m benchmarks.speed.shapley --shap_python=peer/bin/python

The first table holds MeanFieldShapley against integrated gradients of --steps steps on the same clouds, by
rounds that alternate; what counts is the median ratio. The second is of one cloud and the basic PointNet: 100
orders of all points by ShapleySampling's fast path, against the same coalitions by forward passes of our own,
compiled, batched and with the absent points removed, and against shap's PermutationExplainer, which asks for
the scores of its coalitions from a process of its own. Of the passes one order is run and the time of 100
reckoned from it. Seconds are of the processor, of this process and all its threads, tracing left out; shap's
also count what its own process takes.
"""

from __future__ import annotations

import statistics

import numpy as np
from absl import flags

from benchmarks.speed.clock import cpu_seconds
from benchmarks.speed.shap_side import ask, passes
from tfxai3d import cli, data, explain, models

FLAGS = flags.FLAGS
cli.define_flags(num_points=1024, batch_size=32, seed=0)
flags.DEFINE_list("networks", ["pointnet_modelnet40", "pointnet2_ssg_modelnet40"], "Shipped presets.")
flags.DEFINE_list("clouds", ["1", "64"], "Clouds of a call.")
flags.DEFINE_integer("steps", 50, "Steps of integrated gradients.", lower_bound=2)
flags.DEFINE_integer("rounds", 3, "Rounds that count, after one that does not.", lower_bound=1)
flags.DEFINE_integer("orders", 100, "Orders of arrival.", lower_bound=4)
flags.DEFINE_string("shap_python", None, "Python with shap and NumPy.")


def main(argv: list[str]) -> None:
    """Prints two tables."""
    cli.load_tensorflow()
    most = max(map(int, FLAGS.clouds))
    clouds = data.shapes.make_dataset(most, FLAGS.num_points, seed=FLAGS.seed).points.astype(np.float32)
    print(f"| network | clouds | MeanFieldShapley, s a cloud | IG-{FLAGS.steps}, s a cloud | ratio |")
    print("|---|---|---|---|---|")
    for name in FLAGS.networks:
        for count in map(int, FLAGS.clouds):
            print(_against_gradients(name, clouds[:count]), flush=True)
    print(
        f"\n| {FLAGS.orders} orders of {FLAGS.num_points} points | s | times the fast path |\n|---|---|---|"
    )
    for row in _against_passes(clouds[:1]):
        print(row, flush=True)


def _against_gradients(name: str, clouds: np.ndarray) -> str:
    model = models.from_preset(name)
    ours = explain.MeanFieldShapley(model, batch_size=FLAGS.batch_size)
    theirs = explain.IntegratedGradients(model, FLAGS.steps, batch_size=FLAGS.batch_size)
    for explainer in (ours, theirs):
        explainer(clouds[:1])
    rounds = [
        [cpu_seconds(lambda: ours(clouds)), cpu_seconds(lambda: theirs(clouds))] for _ in range(FLAGS.rounds)
    ]
    fast, slow = (statistics.median(row[side] for row in rounds) / len(clouds) for side in (0, 1))
    ratio = statistics.median(mine / other for mine, other in rounds)
    return f"| {name} | {len(clouds)} | {fast:.3f} | {slow:.3f} | {ratio:.2f} |"


def _against_passes(cloud: np.ndarray) -> list[str]:
    model, points = models.from_preset("pointnet_basic_modelnet40"), cloud.shape[1]
    options = {"units": "points", "seed": FLAGS.seed, "batch_size": FLAGS.batch_size}
    sampling = explain.ShapleySampling(model, budget=FLAGS.orders * points, **options)
    sampling(cloud)
    fast = statistics.median(cpu_seconds(lambda: sampling(cloud)) for _ in range(FLAGS.rounds))
    score = passes(model, cloud[0], batch_size=FLAGS.batch_size)
    order = np.random.default_rng(FLAGS.seed).permutation(points)
    prefixes = np.argsort(order) <= np.arange(points)[:, None]
    score(prefixes[:64])
    rows = {"fast path": fast, "forward passes": FLAGS.orders * cpu_seconds(lambda: score(prefixes))}
    if FLAGS.shap_python:
        asked = ask(FLAGS.shap_python, score, points)
        seconds, coalitions = asked.seconds, asked.coalitions
        rows["shap's PermutationExplainer"] = seconds * FLAGS.orders * points / coalitions
    return [f"| {name} | {seconds:.2f} | {seconds / fast:.0f} |" for name, seconds in rows.items()]


if __name__ == "__main__":
    cli.run(main)
