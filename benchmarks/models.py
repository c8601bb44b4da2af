"""Times every network beside the same architecture in PyTorch: forward, input gradient, training step.

  python benchmarks/models.py --torch_python=/path/to/an/environment/with/torch/bin/python
  python benchmarks/models.py --models=PointNet++ --profile_dir=out/profile

TensorFlow runs in this process and PyTorch in one of its own (torch_models.py), with equal batches, threads
and float32. They take turns run by run, one waiting while the other works, and what counts is the median over
the rounds of the ratio within each round: a busy machine slows both alike, so trust the ratios more than the
milliseconds. On a very busy one --clock=cpu --threads=1 is fairer, as waiting threads cost nothing then.

"Of matmul" is the rate of the published network's arithmetic (a training step counts three forward passes, an
input gradient two) as a share of what TensorFlow reaches in the same round on one large matrix product.
Where our networks need fewer operations than published, it may pass 100 %.

No block of VRN is dropped in its training step, so that all steps are equal; real ones drop some, and compute
83 % of it on average.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from absl import flags

from tfxai3d import cli, models, training

if TYPE_CHECKING:
    import keras

_NAMES = ("PointNet", "PointNet++", "VRN 1", "VRN 0.5")
_TASKS = {"forward": 1, "forward and input gradient": 2, "training step": 3}
_CLASSES = 40

FLAGS = flags.FLAGS
flags.DEFINE_list("models", list(_NAMES), f"Which of {', '.join(_NAMES)}.")
flags.DEFINE_list("tasks", list(_TASKS), f"Which of {', '.join(_TASKS)}.")
flags.DEFINE_integer("num_points", 1024, "Points a cloud.", lower_bound=1)
flags.DEFINE_integer("clouds", 32, "Clouds a batch.", lower_bound=1)
flags.DEFINE_integer("grids", 8, "Voxel grids a batch.", lower_bound=1)
flags.DEFINE_integer("threads", 2, "Threads of TensorFlow and of PyTorch.", lower_bound=1)
flags.DEFINE_integer("rounds", 7, "Rounds that count, after one that does not.", lower_bound=1)
flags.DEFINE_integer("matmul_size", 4096, "Width of the yardstick's square matrices.", lower_bound=1)
flags.DEFINE_string("torch_python", sys.executable, "Python with PyTorch; ours alone where it has none.")
flags.DEFINE_enum("clock", "wall", ["wall", "cpu"], "What is measured; cpu adds up all threads.")
flags.DEFINE_string("profile_dir", None, "Also write a trace of each of our runs here, for TensorBoard.")

Run = Callable[[], Any]


def main(argv: list[str]) -> None:
    """Measures network by network, and prints a table."""
    cli.load_tensorflow()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(FLAGS.threads)
    tf.config.threading.set_inter_op_parallelism_threads(FLAGS.threads)
    peer = _Torch(FLAGS.torch_python)
    yardstick = _matmul(FLAGS.matmul_size)
    print(f"{FLAGS.clouds} clouds of {FLAGS.num_points} points, {FLAGS.grids} grids, ", end="")
    print(f"{FLAGS.threads} threads, {FLAGS.clock} time, {FLAGS.rounds} rounds\n")
    print("| network | task | ms | of matmul | PyTorch ms | tfxai3d takes, of PyTorch |")
    print("|---|---|---|---|---|---|")
    clouds, grids = [FLAGS.clouds, FLAGS.num_points, 3], [FLAGS.grids, 32, 32, 32, 1]
    for name in FLAGS.models:
        shape = grids if name.startswith("VRN") else clouds
        model, runs = _ours(name, shape)
        flops = 2 * _multiply_adds(model) * shape[0]
        for task in FLAGS.tasks:
            measured = [
                (_timed(yardstick), _timed(runs[task]), peer.seconds(name, shape, task))
                for _ in range(FLAGS.rounds + 1)
            ][1:]
            print(_row(name, task, flops * _TASKS[task], measured), flush=True)
            if FLAGS.profile_dir:
                with tf.profiler.experimental.Profile(str(Path(FLAGS.profile_dir) / f"{name} {task}")):
                    runs[task]()


class _Torch:
    """PyTorch in a process of its own."""

    def __init__(self, python: str):
        script = Path(__file__).with_name("torch_models.py")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen([python, script], text=True, **pipes)  # type: ignore[call-overload]

    def seconds(self, name: str, shape: list[int], task: str) -> float:
        """Runs a task once; NaN where there is no PyTorch."""
        request = {"name": name, "shape": shape, "task": task, "threads": FLAGS.threads, "clock": FLAGS.clock}
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError:  # it has ended
            return float("nan")
        return float(self._process.stdout.readline() or "nan")


def _ours(name: str, shape: list[int]) -> tuple[keras.Model, dict[str, Run]]:
    """Returns a network and its three tasks on random inputs of a shape."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    if name.startswith("VRN"):
        x = (rng.random(shape) < 0.1).astype("float32")
    else:
        x = rng.normal(size=shape).astype("float32")
        x /= np.linalg.norm(x, axis=-1, keepdims=True)
    labels = np.arange(len(x)) % _CLASSES
    one_hot, inputs = np.eye(_CLASSES, dtype="float32")[labels], tf.constant(x)
    still, moving = _build(name), _build(name)
    for layer in moving.layers:
        if hasattr(layer, "branch"):
            layer.keep = 1.0
    training.compile_classifier(moving, steps=1000, warmup_steps=10)

    @tf.function
    def forward(inputs: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(still(inputs, training=False))

    @tf.function
    def input_gradient(inputs: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(inputs)
            score = tf.reduce_sum(still(inputs, training=False) * one_hot)
        return tf.reduce_sum(tape.gradient(score, inputs))

    return still, {
        "forward": lambda: forward(inputs).numpy(),
        "forward and input gradient": lambda: input_gradient(inputs).numpy(),
        "training step": lambda: moving.train_on_batch(x, one_hot),
    }


def _build(name: str) -> keras.Model:
    if name.startswith("VRN"):
        return models.VRN(_CLASSES, width=float(name.split()[1]))
    return models.PointNet2(_CLASSES) if name == "PointNet++" else models.PointNet(_CLASSES)


def _matmul(size: int) -> Run:
    import tensorflow as tf

    matrix = tf.random.stateless_normal((size, size), (0, 1))
    product = tf.function(lambda: tf.matmul(matrix, matrix)[0, 0])
    return lambda: product().numpy()


def _multiply_adds(model: keras.Model) -> int:
    """Returns the published network's multiply-adds for one example: every kernel, at every place."""
    from tfxai3d.models.layers.set_abstraction import NeighborMax
    from tfxai3d.models.layers.shared_mlp import SharedDenseMax

    total = 0
    for layer in model._flatten_layers(include_self=False):
        kernel = getattr(layer, "kernel", None)
        if kernel is None:
            continue
        rows = layer.input if isinstance(layer, NeighborMax | SharedDenseMax) else layer.output
        places = [size or FLAGS.num_points for size in rows.shape[1:-1]]
        total += int(np.prod(kernel.shape)) * int(np.prod(places))
    return total


def _timed(run: Run) -> float:
    clock = time.perf_counter if FLAGS.clock == "wall" else time.process_time
    start = clock()
    run()
    return clock() - start


def _row(name: str, task: str, flops: float, measured: list[tuple[float, float, float]]) -> str:
    rate = 2 * FLAGS.matmul_size**3
    share = statistics.median(flops / ours * matmul / rate for matmul, ours, _ in measured)
    ratio = statistics.median(ours / theirs for _, ours, theirs in measured)
    ours, theirs = (1e3 * statistics.median(row[i] for row in measured) for i in (1, 2))
    return f"| {name} | {task} | {ours:.0f} | {share:.0%} | {theirs:.0f} | {ratio:.2f} |"


if __name__ == "__main__":
    cli.run(main)
