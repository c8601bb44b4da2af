"""Bulk runs by one and by two worker processes: throughput, start, memory and bytes a record.

  python -m benchmarks.bulk_workers
  python -m benchmarks.bulk_workers --clouds=10000 --rounds=1

One and two processes take turns, and what counts is the ratio within each round: a busy machine slows all
alike. The rate is that between the first file of results and the last one, so the start is not in it; the
start is the time until the first file, less what a file takes. Resident memory is that of the largest worker
process when a tenth, a half and all of the files were there (pip install psutil).
"""

from __future__ import annotations

import os
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import h5py
from absl import flags

from tfxai3d import cli, data, explain, models, serve, storage

FLAGS = flags.FLAGS
flags.DEFINE_string("model", "pointnet_shapes", "Preset or folder of apps/train.py.")
flags.DEFINE_string("method", "vanilla_gradient", "Method.")
flags.DEFINE_integer("clouds", 4000, "Clouds of a run.", lower_bound=1)
flags.DEFINE_integer("num_points", 64, "Points of a cloud.", lower_bound=10)
flags.DEFINE_integer("shard_size", 200, "Clouds of a file of results.", lower_bound=1)
flags.DEFINE_integer("rounds", 3, "Rounds.", lower_bound=1)


class Run(NamedTuple):
    """What was measured of a run."""

    rate: float  # clouds a second between the first file and the last one
    start: float  # seconds until there was work
    resident: list[float]  # MiB of the largest worker at a tenth, a half and all
    size: float  # bytes of results a cloud


def main(argv: list[str]) -> None:
    """Measures and prints a table."""
    cli.load_tensorflow()
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}  # of the workers
    with tempfile.TemporaryDirectory() as folder:
        model = models.from_preset(FLAGS.model)
        serve.export(model, Path(folder, "model"), [explain.create(FLAGS.method, model)])
        with h5py.File(Path(folder, "clouds.h5"), "w") as file:
            file["data"] = data.shapes.make_dataset(FLAGS.clouds, FLAGS.num_points, seed=0).points
        rounds = [
            {count: _run(Path(folder), count, number) for count in (1, 2)} for number in range(FLAGS.rounds)
        ]
    rows = []
    for number, found in enumerate(rounds):
        for count, run in found.items():
            memory = " / ".join(f"{mib:.0f}" for mib in run.resident)
            ratio = f"{run.rate / found[1].rate:.2f}"
            rows.append(
                (number, count, f"{run.rate:.1f}", ratio, f"{run.start:.1f}", memory, f"{run.size:.0f}")
            )
    head = [
        "round",
        "workers",
        "clouds/s",
        "times one",
        "start s",
        "resident MiB at 1/10, 1/2, 1",
        "bytes a cloud",
    ]
    print(storage.markdown_table(head, rows))
    median = statistics.median(found[2].rate / found[1].rate for found in rounds)
    print(f"\nmedian ratio of the rounds {median:.2f}; load {os.getloadavg()}")


def _run(folder: Path, count: int, number: int) -> Run:
    out = folder / f"out-{count}-{number}"
    sizes = FLAGS.num_points, 32, FLAGS.shard_size
    job = serve.bulk.Job(str(folder / "model"), str(out), FLAGS.method, "parquet", *sizes)
    ended, resident = threading.Event(), list[float]()
    wanted = -(-FLAGS.clouds // FLAGS.shard_size)

    def watch() -> None:
        while not ended.wait(0.1) and len(resident) < 3:
            there = len(list(out.glob("explanations-*")))
            if there >= wanted * (0.1, 0.5, 1)[len(resident)]:
                resident.append(_largest_worker())

    began = time.time()
    watcher = threading.Thread(target=watch)
    watcher.start()
    options = [f"--direct_num_workers={count}", "--direct_running_mode=multi_processing"]
    try:
        serve.bulk.explain_bulk(job, [str(folder / "clouds.h5")], options)
    finally:
        ended.set()
        watcher.join()
    files = sorted(out.glob("explanations-*"), key=lambda path: path.stat().st_mtime)
    first, *_, last = (path.stat().st_mtime for path in files)
    rate = (FLAGS.clouds - FLAGS.shard_size * count) / (last - first)
    size = sum(path.stat().st_size for path in files) / FLAGS.clouds
    return Run(rate, first - began - FLAGS.shard_size * count / rate, resident, size)


def _largest_worker() -> float:
    """Returns the resident memory of the largest process that this one has started, in MiB."""
    import psutil

    sizes = [0.0]
    for process in psutil.Process().children(recursive=True):
        try:
            sizes.append(process.memory_info().rss / 2**20)
        except psutil.Error:  # it has just ended
            continue
    return max(sizes)


if __name__ == "__main__":
    cli.run(main)
