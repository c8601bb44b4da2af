"""Times a training step of PointNet against the same network layer by layer in plain Keras.

  python benchmarks/pointnet_training.py --batch_size=32 --num_points=1024

All variants run in one process and take turns, so that a busy machine slows them alike: trust the ratios
more than the milliseconds. "Of matmul" is the rate of the plain network's arithmetic (forward pass times
three) as a share of what the machine reaches, in the same run, on one large float32 matrix product.
"""

from __future__ import annotations

import importlib
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from absl import flags

from tfxai3d import cli, models, storage, training

if TYPE_CHECKING:  # main imports it
    import keras

FLAGS = flags.FLAGS
flags.DEFINE_integer("batch_size", 32, "Clouds a step.", lower_bound=1)
flags.DEFINE_integer("num_points", 1024, "Points a cloud.", lower_bound=1)
flags.DEFINE_integer("rounds", 7, "Rounds in which every variant runs once; medians count.", lower_bound=1)
flags.DEFINE_integer("steps", 2, "Steps a run.", lower_bound=1)
flags.DEFINE_integer("matmul_size", 4096, "Width of the yardstick's square matrices.", lower_bound=1)

_CLASSES = 40
_TARGET = 0.5


def main(argv: list[str]) -> None:
    """Measures, then prints a table and the two verdicts."""
    cli.load_tensorflow()
    sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "reference"))
    plain = importlib.import_module("plain_pointnet")
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (FLAGS.batch_size, FLAGS.num_points, 3)).astype("float32")
    labels = np.eye(_CLASSES, dtype="float32")[rng.integers(0, _CLASSES, FLAGS.batch_size)]

    makers = {"ours": models.PointNet, "plain": plain.plain_pointnet}
    runs: dict[str, Callable[[], Any]] = {"matmul": _matmul(FLAGS.matmul_size)}
    for jit in (False, True):
        for name, make in makers.items():
            runs[f"{name}, jit_compile={jit}"] = _trainer(make(_CLASSES), points, labels, jit)
    seconds = _take_turns(runs, FLAGS.rounds)
    _print_table(seconds, _flops(plain.plain_pointnet(_CLASSES), FLAGS.num_points) * FLAGS.batch_size)
    print("\nlargest relative difference of a variable's gradient at equal weights, four clouds:")
    for dtype in ("float32", "float64"):
        print(f"  {dtype}: {_gradient_difference(plain, points[:4], labels[:4], dtype):.1e}")


def _trainer(model: keras.Model, points: np.ndarray, labels: np.ndarray, jit: bool) -> Callable[[], Any]:
    training.compile_classifier(model, steps=1000, warmup_steps=10)
    model.compile(model.optimizer, model.loss, jit_compile=jit)

    def run() -> None:
        for _ in range(FLAGS.steps):
            model.train_on_batch(points, labels)

    return run


def _matmul(size: int) -> Callable[[], Any]:
    import tensorflow as tf

    matrix = tf.random.stateless_normal((size, size), (0, 1))
    product = tf.function(lambda: tf.matmul(matrix, matrix)[0, 0])
    return lambda: product().numpy()


def _take_turns(runs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Returns the median seconds of each after one run that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if number:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def _flops(plain: keras.Model, num_points: int) -> float:
    """Returns a training step's operations for one cloud: every matrix once forwards, twice backwards."""
    multiply_adds = 0
    for layer in plain.layers:
        if hasattr(layer, "kernel"):
            multiply_adds += layer.kernel.shape[0] * layer.kernel.shape[1] * _rows(layer, num_points)
        elif layer.name.endswith("_transform"):
            multiply_adds += layer.output.shape[-1] ** 2 * num_points
    return 3 * 2 * multiply_adds


def _rows(layer: keras.layers.Layer, num_points: int) -> int:
    return num_points if len(layer.output.shape) == 3 else 1


def _print_table(seconds: dict[str, float], flops: float) -> None:
    rate = 2 * FLAGS.matmul_size**3 / seconds.pop("matmul")
    baseline = min(value for name, value in seconds.items() if name.startswith("plain"))
    print(f"\nbatch {FLAGS.batch_size}, {FLAGS.num_points} points; ", end="")
    print(f"matmul {FLAGS.matmul_size}^3: {rate / 1e9:.0f} GFLOP/s\n")
    steps = {name: value / FLAGS.steps for name, value in seconds.items()}
    rows = [
        (name, f"{1e3 * step:.0f}", f"{seconds[name] / baseline:.2f}", f"{flops / step / rate:.0%}")
        for name, step in steps.items()
    ]
    print(storage.markdown_table(["variant", "ms a step", "of the faster plain form", "of matmul"], rows))
    ratio = min(value for name, value in seconds.items() if name.startswith("ours")) / baseline
    verdict = "met" if ratio <= _TARGET else "MISSED"
    print(f"\nbest of ours / best of plain: {ratio:.2f}, target {_TARGET}: {verdict}")


def _gradient_difference(plain: Any, points: np.ndarray, labels: np.ndarray, dtype: str) -> float:
    """Returns the largest over the variables of |difference| / |gradient|, at equal random weights."""
    import keras

    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    points, labels = points.astype(dtype), labels.astype(dtype)
    ours, reference = models.PointNet(_CLASSES, dropout=0.0), plain.plain_pointnet(_CLASSES, dropout=0.0)
    plain.randomise(ours)
    plain.copy_weights(ours, reference)
    got, expected = (_gradients(model, plain.key, points, labels) for model in (ours, reference))
    return max(
        float(np.linalg.norm(got[name] - value) / np.linalg.norm(value)) for name, value in expected.items()
    )


def _gradients(
    model: keras.Model, key: Callable[[Any], str], points: np.ndarray, labels: np.ndarray
) -> dict[str, np.ndarray]:
    import keras
    import tensorflow as tf

    with tf.GradientTape() as tape:
        logits = model(points, training=True)
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)(labels, logits) + sum(model.losses)
    gradients = tape.gradient(loss, model.trainable_variables)
    return {key(v): g.numpy() for v, g in zip(model.trainable_variables, gradients, strict=True)}


if __name__ == "__main__":
    cli.run(main)
