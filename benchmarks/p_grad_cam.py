"""Times an iteration of p-grad-CAM's loop against the forward passes of its rotated copies.

  python benchmarks/p_grad_cam.py --rotations=100 --num_points=1024

Three tables: the cost of an iteration beside --rotations bare, batched forward passes of the same cloud
(target: less than 20 % more); where the time of a forward pass goes, and its rate beside that of one large
float32 matrix product; and how many points to classify at once. All variants of a table run in one process
and take turns, so that a busy machine slows them alike: trust the ratios more than the milliseconds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from absl import flags

from tfxai3d import cli, evaluate, explain, models, storage

if TYPE_CHECKING:  # main imports it
    import keras

FLAGS = flags.FLAGS
flags.DEFINE_integer("rotations", 100, "Rotated copies (R).", lower_bound=1)
flags.DEFINE_integer("num_points", 1024, "Points of the cloud.", lower_bound=10)
flags.DEFINE_integer("points_at_once", 16384, "Points in one forward pass, tables 1 and 2.", lower_bound=1)
flags.DEFINE_integer("rounds", 5, "Rounds in which every variant runs once; medians count.", lower_bound=1)
flags.DEFINE_integer("matmul_size", 4096, "Width of the yardstick's square matrices.", lower_bound=1)
flags.DEFINE_list("compare_points", ["1024", "2048"], "Points of the clouds of table 3; none skips it.")
flags.DEFINE_list("compare_at_once", ["4096", "8192", "16384", "32768", "65536"], "Points at once, table 3.")
flags.DEFINE_bool("jit", True, "Time jit_compile in table 3 as well.")

_CLASSES = 40
_TARGET = 0.2

Run = Callable[[], Any]


def main(argv: list[str]) -> None:
    """Measures and prints the tables."""
    cli.load_tensorflow()
    model = models.PointNet(_CLASSES)
    rotations = evaluate.random_rotations(FLAGS.rotations)
    cloud = _cloud(FLAGS.num_points)
    print(f"R = {FLAGS.rotations}, {FLAGS.num_points} points, {FLAGS.points_at_once} points at once")
    _iteration_table(model, rotations, cloud)
    _forward_table(model, rotations, cloud)
    for count in map(int, FLAGS.compare_points):
        _at_once_table(model, rotations, _cloud(count))


def _iteration_table(model: keras.Model, rotations: np.ndarray, cloud: np.ndarray) -> None:
    explainer = explain.PGradCAM(model)
    test = evaluate.RotationTest(model, rotations, FLAGS.points_at_once)
    forward, chunks = _forward(model), _chunks(rotations, cloud, FLAGS.points_at_once)
    seconds = _take_turns(
        {
            "bare forward passes": lambda: [forward(chunk) for chunk in chunks][-1].numpy(),
            "rotation test": lambda: test(cloud, 0),
            "heat": lambda: explainer(cloud[None], 0),
            "iteration": lambda: next(evaluate.drop_points(explainer, test, cloud, 0)),
        }
    )
    bare = seconds["bare forward passes"]
    rows = [(name, f"{1e3 * value:.0f}", f"{value / bare:.0%}") for name, value in seconds.items()]
    print(f"\n{storage.markdown_table(['what', 'ms', 'of the bare forward passes'], rows)}")
    extra = seconds["iteration"] / bare - 1
    verdict = "met" if extra < _TARGET else "MISSED"
    print(f"\nan iteration costs {extra:.0%} more than its forward passes, target {_TARGET:.0%}: {verdict}")


def _forward_table(model: keras.Model, rotations: np.ndarray, cloud: np.ndarray) -> None:
    """Times one chunk, and the network's layers apart, each kind on inputs of the right shape."""
    chunk = _chunks(rotations, cloud, FLAGS.points_at_once)[0]
    forward, copies = _forward(model), len(chunk)
    wide = [layer for layer in model.layers if type(layer).__name__ == "SharedDenseMax"]
    narrow = [layer for layer in model.layers if type(layer).__name__ == "SharedDense"]
    turns = [layer for layer in model.layers if type(layer).__name__ == "Transform"]
    heads = [layer for layer in model.layers[1:] if layer not in (*wide, *narrow, *turns)]
    seconds = _take_turns(
        {
            "matmul": _matmul(FLAGS.matmul_size),
            "forward": lambda: forward(chunk).numpy(),
            "wide products": _products(wide, copies),
            "wide": _layers(wide, copies),
            "narrow products": _products(narrow, copies),
            "narrow": _layers(narrow, copies),
            "transforms": _layers(turns, copies),
            "heads": _layers(heads, copies),
        }
    )
    rate, whole = 2 * FLAGS.matmul_size**3 / seconds["matmul"], seconds["forward"]
    parts = ("wide", "narrow", "transforms", "heads")
    rows = [
        ("forward pass", whole, sum(_flops(layer, copies) for layer in model.layers)),
        ("wide layers (128 to 1,024, three times): products", seconds["wide products"], _sum(wide, copies)),
        ("their max, bias, ReLU", seconds["wide"] - seconds["wide products"], 0),
        ("narrow layers: products", seconds["narrow products"], _sum(narrow, copies)),
        ("their bias, ReLU", seconds["narrow"] - seconds["narrow products"], 0),
        ("multiplying by the T-Nets' matrices", seconds["transforms"], _sum(turns, copies)),
        ("dense layers after a max", seconds["heads"], _sum(heads, copies)),
        ("the rest: layers together against alone", whole - sum(seconds[name] for name in parts), 0),
    ]
    print(f"\none forward pass of {copies} copies; matmul {FLAGS.matmul_size}^3: {rate / 1e9:.0f} GFLOP/s\n")
    cells = [
        (name, f"{1e3 * value:.1f}", f"{value / whole:.0%}", f"{flops / value / rate:.0%}" if flops else "")
        for name, value, flops in rows
    ]
    print(storage.markdown_table(["part", "ms", "of the time", "of matmul's rate"], cells))


def _at_once_table(model: keras.Model, rotations: np.ndarray, cloud: np.ndarray) -> None:
    runs: dict[str, Run] = {}
    for at_once in map(int, FLAGS.compare_at_once):
        runs[f"{at_once}"] = _bind(evaluate.RotationTest(model, rotations, at_once), cloud, 0)
        if FLAGS.jit:
            chunk = _chunks(rotations, cloud, at_once)[0]
            runs[f"{at_once}, forward"] = _bind(_forward(model), chunk)
            runs[f"{at_once}, jit"] = _bind(_forward(model, jit_compile=True), chunk)
    seconds = _take_turns(runs)
    print(f"\n{len(rotations)} rotations of {len(cloud)} points\n")
    rows = []
    for at_once in FLAGS.compare_at_once:
        jit = f"{seconds[f'{at_once}, jit'] / seconds[f'{at_once}, forward']:.2f}" if FLAGS.jit else ""
        rows.append((at_once, f"{1e3 * seconds[at_once]:.0f}", jit))
    print(storage.markdown_table(["points at once", "ms", "jit_compile / plain, one chunk"], rows))


def _cloud(count: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (count, 3)).astype("float32")


def _chunks(rotations: np.ndarray, cloud: np.ndarray, at_once: int) -> list[Any]:
    import tensorflow as tf

    size = max(1, at_once // len(cloud))
    copies = cloud @ rotations.transpose(0, 2, 1)
    return [tf.constant(copies[i : i + size]) for i in range(0, len(copies), size)]


def _forward(model: keras.Model, **options: Any) -> Callable[[Any], Any]:
    import tensorflow as tf

    signature = None if options else [tf.TensorSpec((None, None, 3), tf.float32)]
    return tf.function(lambda x: model(x, training=False), input_signature=signature, **options)


def _bind(function: Callable[..., Any], *arguments: Any) -> Run:
    return lambda: np.asarray(function(*arguments))


def _layers(layers: list[Any], copies: int) -> Run:
    """Returns a run of the layers side by side, each on random inputs."""
    import tensorflow as tf

    inputs = [_random_inputs(layer, copies) for layer in layers]
    together = tf.function(
        lambda *inputs: tf.add_n(
            [tf.reshape(layer(*x), (-1,))[0] for layer, x in zip(layers, inputs, strict=True)]
        )
    )
    return _bind(together, *inputs)


def _products(layers: list[Any], copies: int) -> Run:
    """Returns a run of the layers' matrix products alone."""
    import tensorflow as tf

    inputs = [tf.reshape(_random_inputs(layer, copies)[0], (-1, layer.kernel.shape[0])) for layer in layers]
    kernels = [tf.constant(layer.kernel) for layer in layers]
    together = tf.function(
        lambda *inputs: tf.add_n([(x @ kernel)[0, 0] for x, kernel in zip(inputs, kernels, strict=True)])
    )
    return _bind(together, *inputs)


def _random_inputs(layer: Any, copies: int) -> tuple[Any, ...]:
    import tensorflow as tf

    tensors = layer.input if isinstance(layer.input, list | tuple) else [layer.input]
    shapes = [
        (copies, *[FLAGS.num_points if size is None else size for size in tensor.shape[1:]])
        for tensor in tensors
    ]
    return tuple(tf.random.stateless_normal(shape, (0, 1)) for shape in shapes)


def _sum(layers: list[Any], copies: int) -> int:
    return sum(_flops(layer, copies) for layer in layers)


def _flops(layer: Any, copies: int) -> int:
    """Returns the operations of a layer's matrix product, two for each multiply-add."""
    if type(layer).__name__ == "Transform":
        return 2 * copies * FLAGS.num_points * layer.output.shape[-1] ** 2
    if not hasattr(layer, "kernel"):
        return 0
    rows = copies * (FLAGS.num_points if len(layer.input.shape) == 3 else 1)
    return 2 * rows * layer.kernel.shape[0] * layer.kernel.shape[1]


def _matmul(size: int) -> Run:
    import tensorflow as tf

    matrix = tf.random.stateless_normal((size, size), (0, 1))
    product = tf.function(lambda: tf.matmul(matrix, matrix)[0, 0])
    return lambda: product().numpy()


def _take_turns(runs: dict[str, Run]) -> dict[str, float]:
    """Returns the median seconds of each after one run that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(FLAGS.rounds + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if number:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


if __name__ == "__main__":
    cli.run(main)
