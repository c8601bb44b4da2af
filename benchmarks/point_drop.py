"""Times point dropping against the passes it cannot do without, and against the published way of working.

  python benchmarks/point_drop.py --clouds=64 --steps=8 --rotations=500

Efficiency is the time of as many bare, compiled passes on batches of the same shapes, divided by the time of
the whole run (target: 80 %): forward and backward passes for point saliency, forward passes of the rotated
copies for p-grad-CAM. The published programs take one cloud at a time, test one rotation at a time and
compile nothing; their cost is measured on a few clouds and rotations and scaled up. The peer has the same
fast layers as ours, so that the ratio is that of the way of working alone; beside it stands the ratio with
the plain layers of the published networks. All run in one process and take turns, so that a busy machine
slows them alike: trust the ratios more than the milliseconds.

  python benchmarks/point_drop.py --memory

measures instead the memory that saliency runs of more clouds and of larger batches need at their peak, each
in a process of its own (pip install psutil): it must grow with the batch and not with the data set.
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from absl import flags

from tfxai3d import cli, evaluate, explain, models, results

if TYPE_CHECKING:
    import keras

FLAGS = flags.FLAGS
flags.DEFINE_integer("clouds", 64, "Clouds of the saliency run.", lower_bound=1)
flags.DEFINE_integer("num_points", 1024, "Points of a cloud.", lower_bound=60)
flags.DEFINE_integer("num_drop", 5, "Points dropped in a step.", lower_bound=1)
flags.DEFINE_integer("steps", 8, "Steps of the saliency run; published 40.", lower_bound=1)
flags.DEFINE_integer("objects", 1, "Objects of the p-grad-CAM run; published 40.", lower_bound=1)
flags.DEFINE_integer("rotations", 500, "Rotated copies in each iteration.", lower_bound=1)
flags.DEFINE_integer(
    "peer_passes", 3, "Passes of the published way of working that are timed.", lower_bound=1
)
flags.DEFINE_integer("batch_size", 32, "Clouds at once.", lower_bound=1)
flags.DEFINE_integer("rounds", 3, "Rounds in which every variant runs once; medians count.", lower_bound=1)

flags.DEFINE_bool("memory", False, "Measure memory and no times.")

_TARGET, _AIM = 0.8, 20.0
_MODE = "+average"
Run = Callable[[], Any]


def main(argv: list[str]) -> None:
    """Measures and prints the table."""
    if FLAGS.memory:
        _memory()
        return
    sys.path.insert(0, str(Path(__file__).parents[1]))
    cli.load_tensorflow()
    from tests.reference.plain_pointnet import copy_weights, plain_pointnet

    model = models.from_preset("pointnet_modelnet40")
    plain = plain_pointnet(model.num_classes)
    copy_weights(model, plain)
    rng = np.random.default_rng(0)
    clouds = rng.uniform(-1, 1, (FLAGS.clouds, FLAGS.num_points, 3)).astype("float32")
    labels = np.asarray(model.predict(clouds, verbose=0)).argmax(axis=1)
    print("| run | whole run, s | bare passes, s | efficiency | published way / ours | with plain layers |")
    print("|---|---|---|---|---|---|", flush=True)
    _saliency(model, plain, clouds, labels)
    _p_grad_cam(model, plain, clouds, labels)


def _saliency(model: keras.Model, plain: keras.Model, clouds: np.ndarray, labels: np.ndarray) -> None:
    explainer = explain.PointSaliency(model, batch_size=FLAGS.batch_size)
    importance, rule = evaluate.Recomputed(explainer), evaluate.by_count(FLAGS.num_drop)
    batches = [slice(i, i + FLAGS.batch_size) for i in range(0, len(clouds), FLAGS.batch_size)]
    bare, forward = _gradient(model), _forward(model)

    def whole() -> None:
        for some in batches:
            for _ in evaluate.drop_clouds(importance, clouds[some], labels[some], rule, steps=FLAGS.steps):
                pass

    def passes() -> None:
        for some in batches:
            for step in range(FLAGS.steps):
                left = np.ascontiguousarray(clouds[some, step * FLAGS.num_drop :])
                [value.numpy() for value in bare(left, labels[some])]
            forward(clouds[some, FLAGS.steps * FLAGS.num_drop :]).numpy()

    # Two passes a step, one for the gradient and one for the record, as in the published programs.
    def peer(network: keras.Model) -> Run:
        gradient = _gradient(network, compiled=False)

        def run() -> None:
            for number in range(FLAGS.peer_passes):
                gradient(clouds[number % len(clouds)][None], labels[number % len(clouds)][None])
                np.asarray(network(clouds[number % len(clouds)][None], training=False))

        return run

    scale = FLAGS.clouds * FLAGS.steps / FLAGS.peer_passes
    _row(f"ASM, {FLAGS.clouds} clouds, {FLAGS.steps} steps", whole, passes, peer(model), peer(plain), scale)


def _p_grad_cam(model: keras.Model, plain: keras.Model, clouds: np.ndarray, labels: np.ndarray) -> None:
    explainer = explain.PGradCAM(model)
    rotations = evaluate.random_rotations(FLAGS.rotations, composed=True)
    test, forward = evaluate.RotationTest(model, rotations), _forward(model)
    objects = range(min(FLAGS.objects, len(clouds)))

    def run_of(number: int) -> results.DropRun:
        *_, run = evaluate.drop_points(explainer, test, clouds[number], int(labels[number]), _MODE)
        return run

    sizes = [step.points for number in objects for step in run_of(number).steps]
    copies = clouds[0] @ rotations.transpose(0, 2, 1)

    def passes() -> None:
        for size in sizes:
            at_once = max(1, test.points_at_once // size)
            for i in range(0, len(copies), at_once):
                forward(np.ascontiguousarray(copies[i : i + at_once, :size])).numpy()

    def peer(network: keras.Model) -> Run:
        def run() -> None:
            for i in range(FLAGS.peer_passes):
                np.asarray(network(clouds[0][None] @ rotations[i % len(rotations)].T, training=False))

        return run

    # The peer is timed on whole clouds; ours loses points: scaled to the points that were classified.
    scale = sum(sizes) / FLAGS.num_points * FLAGS.rotations / FLAGS.peer_passes
    name = f"p-grad-CAM {_MODE}, {len(objects)} objects, {len(sizes)} iterations, R = {FLAGS.rotations}"
    _row(name, lambda: [run_of(number) for number in objects], passes, peer(model), peer(plain), scale)


def _memory() -> None:
    """Prints the peak of each run, for a quarter of the clouds, all, and all in batches of a quarter."""
    print("| clouds | clouds at once | peak above the loaded model, MiB |\n|---|---|---|", flush=True)
    for clouds, batch in ((1, 1), (4, 1), (4, 4)):
        sizes = clouds * FLAGS.clouds // 4, max(1, batch * FLAGS.batch_size // 4)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            peak = pool.apply(_peak, (*sizes, FLAGS.num_points, FLAGS.num_drop))
        print(f"| {sizes[0]} | {sizes[1]} | {peak:.0f} |", flush=True)


def _peak(clouds: int, batch_size: int, num_points: int, num_drop: int) -> float:
    """Returns by how many MiB the resident memory rises while clouds lose points for two steps."""
    import psutil

    cli.load_tensorflow()
    model = models.from_preset("pointnet_modelnet40")
    importance = evaluate.Recomputed(explain.PointSaliency(model, batch_size=batch_size))
    rule, rng = evaluate.by_count(num_drop), np.random.default_rng(0)
    process, ended = psutil.Process(), threading.Event()
    before = peak = process.memory_info().rss

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.005):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    table = results.DropTable()
    for _ in range(0, clouds, batch_size):
        some = rng.uniform(-1, 1, (batch_size, num_points, 3)).astype("float32")
        labels = np.zeros(batch_size, int)
        *_, runs = evaluate.drop_clouds(importance, some, labels, rule, steps=2)
        table = table.extended(runs, labels)
    ended.set()
    watcher.join()
    return (peak - before) / 2**20


def _row(name: str, whole: Run, passes: Run, peer: Run, plain_peer: Run, scale: float) -> None:
    seconds = _take_turns({"whole": whole, "passes": passes, "peer": peer, "plain": plain_peer})
    own, efficiency = seconds["whole"], seconds["passes"] / seconds["whole"]
    ratios = [scale * seconds[key] / own for key in ("peer", "plain")]
    verdicts = (f"{efficiency:.0%} ({_verdict(efficiency >= _TARGET)} {_TARGET:.0%})",)
    cells = [f"{own:.2f}", f"{seconds['passes']:.2f}", *verdicts, f"{ratios[0]:.1f}x"]
    cells.append(f"{ratios[1]:.1f}x ({_verdict(ratios[1] >= _AIM)} {_AIM:.0f}x)")
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def _verdict(met: bool) -> str:
    return "met" if met else "MISSED"


def _forward(model: keras.Model) -> Callable[[Any], Any]:
    import tensorflow as tf

    signature = [tf.TensorSpec((None, None, 3), tf.float32)]
    return tf.function(lambda x: model(x, training=False), input_signature=signature, autograph=False)


def _gradient(model: keras.Model, compiled: bool = True) -> Callable[[Any, Any], Any]:
    """Returns the bare forward and backward pass: logits and the loss's gradient for the points."""
    import tensorflow as tf

    def run(points: Any, labels: Any) -> Any:
        points = tf.convert_to_tensor(points)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(points)
            logits = model(points, training=False)
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
        return logits, tape.gradient(loss, points)

    signature = [tf.TensorSpec((None, None, 3), tf.float32), tf.TensorSpec((None,), tf.int64)]
    return tf.function(run, input_signature=signature, autograph=False) if compiled else run


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
