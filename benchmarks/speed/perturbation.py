"""Times the methods that take something away beside the forward passes that they cannot do without.

  TF_NUM_INTRAOP_THREADS=1 python -m benchmarks.speed.perturbation

Each method explains one object once while its network's inputs are written down; the bare passes are the
same inputs, batch by batch, through the same network, compiled. Explainer and passes take turns round by
round, and what counts is the median of the rounds' ratios. Seconds are of the processor, all threads, without
tracing.
"""

from __future__ import annotations

import dataclasses
import statistics
from typing import Any

import numpy as np
import tensorflow as tf
from absl import flags

from benchmarks.speed.clock import cpu_seconds
from tfxai3d import cli, data, explain, models

FLAGS = flags.FLAGS
cli.define_flags(num_points=1024, batch_size=32, seed=0)
flags.DEFINE_list("networks", ["pointnet_modelnet40", "vrn_half_modelnet10"], "Shipped presets.")
flags.DEFINE_list(
    "methods", ["occlusion", "shapley_sampling", "kernel_shap", "lime", "rise"], "Methods that take away."
)
flags.DEFINE_integer("budget", 1000, "Passes of the methods that have a budget.", lower_bound=100)
flags.DEFINE_integer("rounds", 5, "Rounds that count, after one that does not.", lower_bound=1)


def main(argv: list[str]) -> None:
    """Prints a row a method."""
    cli.load_tensorflow()
    print("| network | method | passes | s | bare passes, s | ratio |\n|---|---|---|---|---|---|")
    for name in FLAGS.networks:
        network = explain.network(models.from_preset(name))
        example = _example(network)
        for method in FLAGS.methods:
            print(f"| {name} | {method} | {_row(network, method, example)} |", flush=True)


def _example(network: explain.Network) -> np.ndarray:
    """Returns a chair (1,N,3), or its voxels."""
    if network.kind == "points":
        return data.shapes.make_dataset(1, FLAGS.num_points, seed=FLAGS.seed).points.astype(np.float32)
    grid = data.voxelize(data.shapes.make_shape("chair", FLAGS.seed).z_up())
    return grid[None, ..., None].astype(np.float32)


def _row(network: explain.Network, method: str, example: np.ndarray) -> str:
    options: dict[str, Any] = {"batch_size": FLAGS.batch_size}
    if method != "occlusion":
        options |= {"budget": FLAGS.budget, "seed": FLAGS.seed}
    batches = _asked(network, method, options, example)
    explainer = explain.get(method)(network, **options)
    shape = (None, None, *example.shape[2:]) if network.kind == "points" else (None, *example.shape[1:])
    bare = tf.function(network.function, input_signature=[tf.TensorSpec(shape, network.dtype)])
    runs = (lambda: explainer(example, 0), lambda: [bare(batch) for batch in batches])
    for run in runs:
        run()
    rounds = [[cpu_seconds(run) for run in runs] for _ in range(FLAGS.rounds)]
    ours, theirs = (statistics.median(row[side] for row in rounds) for side in (0, 1))
    ratio = statistics.median(mine / other for mine, other in rounds)
    return f"{sum(len(batch) for batch in batches)} | {ours:.2f} | {theirs:.2f} | {ratio:.2f}"


def _asked(
    network: explain.Network, method: str, options: dict[str, Any], example: np.ndarray
) -> list[tf.Tensor]:
    """Returns the batches of inputs that an explainer's network was asked about."""
    seen: list[tf.Tensor] = []

    def write(inputs: tf.Tensor) -> tf.Tensor:
        seen.append(tf.identity(inputs))
        return inputs

    def asked(inputs: tf.Tensor) -> tf.Tensor:
        same = tf.py_function(write, [inputs], inputs.dtype)
        return network.function(tf.ensure_shape(same, inputs.shape))

    explain.get(method)(dataclasses.replace(network, function=asked), **options)(example, 0)
    return seen


if __name__ == "__main__":
    cli.run(main)
