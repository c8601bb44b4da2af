"""Integrated gradients of many clouds: in this process, from a SavedModel, and through Beam.

  python -m benchmarks.bulk
  python -m benchmarks.bulk --clouds=16 --steps=10 --rounds=5 --memory_clouds=0

The three take turns, and what counts is the median over the rounds of the ratio within each round: a busy
machine slows all alike. Wall-clock and the CPU time of all threads are given, since on a busy machine the
second is the fairer one. Beam reads an H5 file and writes TFRecord, in its embedded runner; one call of it
also loads the SavedModel and traces it, which is a fixed cost: "start" is a run over a single cloud, and
"less start" takes it off, as a run over a large set does by its size.

The second part sends --memory_clouds small clouds through Beam with a tiny network, and prints the resident
memory along the way (pip install psutil): it must not grow with the number of clouds.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from absl import flags

from tfxai3d import cli, data, explain, models, serve, storage

FLAGS = flags.FLAGS
flags.DEFINE_string("model", "pointnet_modelnet40", "Preset or folder of apps/train.py.")
flags.DEFINE_integer("clouds", 32, "Clouds of a round.", lower_bound=1)
flags.DEFINE_integer("num_points", 1024, "Points of a cloud.", lower_bound=10)
flags.DEFINE_integer("steps", 50, "Steps of integrated gradients.", lower_bound=2)
flags.DEFINE_integer("batch_size", 32, "The most clouds at once.", lower_bound=1)
flags.DEFINE_integer("rounds", 3, "Rounds that count, after one that does not.", lower_bound=1)
flags.DEFINE_integer("memory_clouds", 10_000, "Clouds of the memory measurement; 0 for none.", lower_bound=0)

_METHOD = "integrated_gradients"
Seconds = tuple[float, float]
"""Wall-clock and CPU time."""


def main(argv: list[str]) -> None:
    """Measures and prints two tables."""
    cli.load_tensorflow()
    with tempfile.TemporaryDirectory() as folder:
        _throughput(Path(folder))
        if FLAGS.memory_clouds:
            _memory(Path(folder))


def _throughput(folder: Path) -> None:
    model = models.from_preset(FLAGS.model)
    ours = explain.IntegratedGradients(model, steps=FLAGS.steps, batch_size=FLAGS.batch_size)
    serve.export(model, folder / "model", [ours])
    loaded = serve.load(folder / "model").explainer(_METHOD, FLAGS.batch_size)
    points = data.shapes.make_dataset(FLAGS.clouds, FLAGS.num_points, seed=0).points
    sources = {"beam": _write(folder / "clouds.h5", points), "start": _write(folder / "one.h5", points[:1])}
    numbers = itertools.count()

    def in_batches(explainer: explain.Explainer) -> None:
        for start in range(0, len(points), FLAGS.batch_size):
            explainer(points[start : start + FLAGS.batch_size])

    def through_beam(source: str) -> None:
        job = serve.bulk.Job(
            str(folder / "model"),
            str(folder / f"out-{next(numbers)}"),
            num_points=FLAGS.num_points,
            batch_size=FLAGS.batch_size,
        )
        serve.bulk.explain_bulk(job, [source])

    sides: dict[str, Callable[[], None]] = {
        "in process": lambda: in_batches(ours),
        "SavedModel": lambda: in_batches(loaded),
        **{name: lambda source=source: through_beam(source) for name, source in sources.items()},  # type: ignore[misc]
    }
    rounds = [{name: _timed(side) for name, side in sides.items()} for _ in range(1 + FLAGS.rounds)][1:]
    for times in rounds:
        wall, cpu = (whole - start for whole, start in zip(times["beam"], times["start"], strict=True))
        more = FLAGS.clouds / max(1, FLAGS.clouds - 1)  # the start has explained one
        times["beam, less start"] = (wall * more, cpu * more)
    print(f"{FLAGS.clouds} clouds of {FLAGS.num_points} points, {FLAGS.steps} steps, {FLAGS.rounds} rounds\n")
    rows = []
    for name in ("in process", "SavedModel", "beam", "beam, less start"):
        rate = FLAGS.clouds / statistics.median(times[name][0] for times in rounds)
        wall, cpu = (
            statistics.median(times[name][i] / times["in process"][i] for times in rounds) for i in (0, 1)
        )
        rows.append((name, f"{rate:.2f}", f"{wall:.3f}", f"{cpu:.3f}"))
    head = ["side", "clouds/s", "wall, times in process", "CPU time, times in process"]
    print(storage.markdown_table(head, rows))
    start = statistics.median(times["start"][0] for times in rounds)
    print(f"\nBeam's start, one cloud included: {start:.1f} s", flush=True)


def _timed(call: Callable[[], None]) -> Seconds:
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


def _write(path: Path, points: np.ndarray) -> str:
    with h5py.File(path, "w") as file:
        file["data"] = points
    return str(path)


def _memory(folder: Path) -> None:
    """Prints the resident memory after each tenth of the clouds."""
    model = models.PointNet(4, "basic")
    serve.export(model, folder / "tiny", ["vanilla_gradient"])
    clouds = np.random.default_rng(0).uniform(-1, 1, (FLAGS.memory_clouds, 128, 3)).astype(np.float32)
    source = _write(folder / "many.h5", clouds)
    del clouds
    out, size = folder / "out-many", max(1, FLAGS.memory_clouds // 100)
    job = serve.bulk.Job(str(folder / "tiny"), str(out), "vanilla_gradient", num_points=128, shard_size=size)
    ended, resident = threading.Event(), dict[int, float]()

    def watch() -> None:
        while not ended.wait(0.05):
            done = len(list(out.glob("explanations-*")))
            if done % 10 == 0 and done:
                resident.setdefault(done * size, _resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        serve.bulk.explain_bulk(job, [source])
    finally:
        ended.set()
        watcher.join()
    rows = [(f"{count:,}", f"{mib:.0f}") for count, mib in resident.items()]
    print(f"\n{storage.markdown_table(['clouds', 'resident MiB'], rows)}")


def _resident() -> float:
    """Returns this process's resident memory in MiB."""
    import psutil

    return psutil.Process().memory_info().rss / 2**20


if __name__ == "__main__":
    cli.run(main)
