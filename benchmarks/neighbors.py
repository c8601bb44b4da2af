"""Times farthest point sampling and ball query beside PyTorch (where it is installed) and SciPy's KD-tree.

  python benchmarks/neighbors.py --batch_size=16 --num_points=1024

All variants run in one process and take turns, so that a busy machine slows them alike: trust the ratios
more than the milliseconds. On a busy machine --clock=cpu --threads=1 is the fairest, as waiting threads cost
nothing then. PyTorch runs the usual vectorised formulation: a loop of distance updates for the sampling; all
distances by one matrix product, then a sort of the indices inside, for the ball query. "topk" is the same
with a partial sort instead, which is faster than what is commonly used.
"""

from __future__ import annotations

import importlib
import importlib.util
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from absl import flags

from tfxai3d import cli, storage

FLAGS = flags.FLAGS
flags.DEFINE_integer("batch_size", 16, "Clouds.", lower_bound=1)
flags.DEFINE_integer("num_points", 1024, "Points a cloud.", lower_bound=1)
flags.DEFINE_integer("num_centroids", 512, "Centroids a cloud.", lower_bound=1)
flags.DEFINE_integer("neighbors", 32, "Neighbours a centroid.", lower_bound=1)
flags.DEFINE_float("radius", 0.2, "Radius of the balls; the clouds are unit spheres.", lower_bound=0.0)
flags.DEFINE_integer("rounds", 15, "Rounds in which every variant runs once; medians count.", lower_bound=1)
flags.DEFINE_integer("threads", 2, "Threads of TensorFlow and of PyTorch.", lower_bound=1)
flags.DEFINE_enum("clock", "wall", ["wall", "cpu"], "What is measured; cpu adds up all threads.")

_SAMPLING, _QUERY = "farthest point sampling", "ball query"
Runs = dict[tuple[str, str], Callable[[], Any]]


def main(argv: list[str]) -> None:
    """Measures and prints a table."""
    cli.load_tensorflow()
    points = np.random.default_rng(0).normal(size=(FLAGS.batch_size, FLAGS.num_points, 3)).astype("float32")
    points /= np.linalg.norm(points, axis=-1, keepdims=True)
    runs, centroids = _ours(points)
    runs |= _scipy(points, centroids)
    if importlib.util.find_spec("torch") is not None:
        runs |= _torch(points, centroids)
    _check(runs)
    _print_table(_take_turns(runs, FLAGS.rounds))


def _ours(points: np.ndarray) -> tuple[Runs, np.ndarray]:
    """Returns our functions, compiled as within a model, and the centroids that the queries are for."""
    import tensorflow as tf

    from tfxai3d.models.layers import neighbors

    tf.config.threading.set_intra_op_parallelism_threads(FLAGS.threads)
    tf.config.threading.set_inter_op_parallelism_threads(FLAGS.threads)
    sample = tf.function(lambda x: neighbors.farthest_points(x, FLAGS.num_centroids))
    query = tf.function(lambda x, c: neighbors.ball_query(x, c, FLAGS.radius, FLAGS.neighbors))
    x = tf.constant(points)
    centroids = neighbors.gather(x, sample(x))
    runs: Runs = {
        (_SAMPLING, "tfxai3d"): lambda: sample(x).numpy(),
        (_QUERY, "tfxai3d"): lambda: query(x, centroids).numpy(),
    }
    return runs, centroids.numpy()


def _scipy(points: np.ndarray, centroids: np.ndarray) -> Runs:
    from scipy.spatial import KDTree

    def query() -> np.ndarray:
        found = np.zeros((*centroids.shape[:2], FLAGS.neighbors), np.int32)
        for cloud, places, rows in zip(points, centroids, found, strict=True):
            near = KDTree(cloud).query_ball_point(
                places, FLAGS.radius, return_sorted=True, workers=FLAGS.threads
            )
            for row, indices in zip(rows, near, strict=True):
                row[:] = indices[0]
                row[: len(indices)] = indices[: FLAGS.neighbors]
        return found

    return {(_QUERY, "SciPy KD-tree"): query}


def _torch(points: np.ndarray, centroids: np.ndarray) -> Runs:
    torch = importlib.import_module("torch")
    torch.set_num_threads(FLAGS.threads)
    x, places = torch.from_numpy(points), torch.from_numpy(centroids)
    batch, count = x.shape[:2]

    def sample() -> Any:
        chosen = torch.zeros(batch, FLAGS.num_centroids, dtype=torch.long)
        distance = torch.full((batch, count), 1e10)
        last, clouds = torch.zeros(batch, dtype=torch.long), torch.arange(batch)
        for i in range(FLAGS.num_centroids):
            chosen[:, i] = last
            distance = torch.minimum(distance, ((x - x[clouds, last][:, None]) ** 2).sum(-1))
            last = distance.max(-1)[1]
        return chosen.numpy()

    def query(first: Callable[[Any], Any]) -> Any:
        distance = -2 * places @ x.transpose(1, 2)
        distance += (places**2).sum(-1)[:, :, None] + (x**2).sum(-1)[:, None]
        index = torch.arange(count).repeat(batch, places.shape[1], 1)
        index[distance > FLAGS.radius**2] = count
        index = first(index)
        return torch.where(index == count, index[..., :1], index).numpy()

    return {
        (_SAMPLING, "PyTorch"): sample,
        (_QUERY, "PyTorch"): lambda: query(lambda index: index.sort(-1)[0][..., : FLAGS.neighbors]),
        (_QUERY, "PyTorch, topk"): lambda: query(
            lambda index: index.topk(FLAGS.neighbors, -1, largest=False, sorted=True)[0]
        ),
    }


def _check(runs: Runs) -> None:
    """Prints where a variant's indices differ from ours: a few, where distances are equal up to rounding."""
    for (task, name), run in runs.items():
        share = np.mean(run() != runs[task, "tfxai3d"]())
        if share:
            print(f"{task}, {name}: {share:.2%} of the indices differ from tfxai3d's")


def _take_turns(runs: Runs, rounds: int) -> dict[tuple[str, str], float]:
    """Returns the median seconds of each."""
    clock = time.perf_counter if FLAGS.clock == "wall" else time.process_time
    times: dict[tuple[str, str], list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start = clock()
            run()
            times[name].append(clock() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def _print_table(seconds: dict[tuple[str, str], float]) -> None:
    print(
        f"\n{FLAGS.batch_size} clouds, {FLAGS.num_points} points, {FLAGS.num_centroids} centroids, ", end=""
    )
    print(f"first {FLAGS.neighbors} neighbours, {FLAGS.threads} threads, {FLAGS.clock} time\n")
    rows = [
        (task, name, f"{1e3 * value:.1f}", f"{seconds[task, 'tfxai3d'] / value:.2f}")
        for (task, name), value in sorted(seconds.items())
    ]
    print(storage.markdown_table(["task", "variant", "ms", "tfxai3d takes, of this"], rows))


if __name__ == "__main__":
    cli.run(main)
