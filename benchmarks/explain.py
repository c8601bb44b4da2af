"""Times the explainers beside captum (PyTorch) and xplique (TensorFlow), with the same weights and inputs.

  python -m venv peer && peer/bin/pip install torch captum
  python -m venv other && other/bin/pip install xplique && other/bin/pip install -e .
  python -m benchmarks.explain --captum_python=peer/bin/python --xplique_python=other/bin/python

Each side works in a process of its own. They take turns run by run, one waiting while the others work, and
what counts is the median over the rounds of the ratio within each round: a busy machine slows all alike, so
trust the ratios more than the milliseconds. On a very busy one --clock=cpu --threads=1 is fairer. All sides
see the same batches: examples times steps, at most --cloud_batch or --grid_batch at once.

captum explains the network as it is commonly written in PyTorch (torch_models.py). xplique explains any Keras
model, hence ours as well; "xplique, plain" is PointNet or PointNet++ layer by layer in plain Keras
(tests/models), but for our searches of neighbours. At inference VRN is such a network already.

"Difference" is the largest of an example, relative to its largest attribution; of all examples the median.
Gradients of VRN differ where the maxima of its pools are equal, as in empty space, and rounding decides which
of them gets the gradient. "Peak MiB" is the largest resident memory of the side's process until then, its
libraries and the methods above included.

The second table holds integrated gradients against its bare passes forward and back: the same function,
compiled once, on batches of the same sizes. "Ends" are the forward passes of the completeness delta; "first
call" is what the first call of a process takes more, nearly all of it TensorFlow's tracing.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from absl import flags

from benchmarks.explain_side import PATH, Side
from tfxai3d import cli, data

_METHODS = ("vanilla_gradient", "gradient_times_input", "guided_backprop", "deconvnet", PATH)
_NETWORKS = ("pointnet_modelnet40", "pointnet2_ssg_modelnet40", "vrn_half_modelnet10")
_OURS = "tfxai3d"

FLAGS = flags.FLAGS
flags.DEFINE_list("networks", list(_NETWORKS), "Shipped presets; VRN at half its width, as it is shipped.")
flags.DEFINE_list("methods", list(_METHODS), f"Which of {', '.join(_METHODS)}.")
flags.DEFINE_list("clouds", ["1", "64"], "Examples of a call, of clouds.")
flags.DEFINE_list("grids", ["1", "8"], "Examples of a call, of voxel grids.")
flags.DEFINE_integer("cloud_batch", 32, "The most clouds at once.", lower_bound=1)
flags.DEFINE_integer("grid_batch", 8, "The most grids at once.", lower_bound=1)
flags.DEFINE_integer("num_points", 1024, "Points a cloud.", lower_bound=1)
flags.DEFINE_integer("steps", 50, "Steps of integrated gradients.", lower_bound=2)
flags.DEFINE_integer("rounds", 3, "Rounds that count, after one that does not.", lower_bound=1)
flags.DEFINE_integer("large_rounds", 1, "The same for integrals of several examples.", lower_bound=1)
flags.DEFINE_integer("threads", 2, "Threads of each side.", lower_bound=1)
flags.DEFINE_enum("clock", "wall", ["wall", "cpu"], "What is measured; cpu adds up all threads.")
flags.DEFINE_string("captum_python", None, "Python with PyTorch and captum.")
flags.DEFINE_string("xplique_python", None, "Python with xplique and what tfxai3d needs.")


def main(argv: list[str]) -> None:
    """Measures network by network, and prints two tables."""
    print(f"{FLAGS.threads} threads each, {FLAGS.clock} time, at most {FLAGS.cloud_batch} clouds of ", end="")
    print(f"{FLAGS.num_points} points or {FLAGS.grid_batch} grids at once\n")
    breakdown: list[str] = []
    notes: dict[str, None] = {}
    print("| network | method | examples | side | ms an example | times ours | difference | peak MiB |")
    print("|---|---|---|---|---|---|---|---|")
    for network in FLAGS.networks:
        with tempfile.TemporaryDirectory() as folder:
            sides = _sides(network, Path(folder), notes)
            counts = FLAGS.grids if network.startswith("vrn") else FLAGS.clouds
            for count in map(int, counts):
                for method in FLAGS.methods:
                    for row in _compared(network, method, count, sides, notes, Path(folder)):
                        print(row, flush=True)
                breakdown.append(_breakdown(network, count, sides[_OURS]))
            for side in sides.values():
                side.close()
    print("\n".join(["", *notes, ""]))
    whole = f"IG-{FLAGS.steps}"
    print(f"| network | examples | {whole}, ms | bare passes | {whole} / bare | ends | other | first call |")
    print("|---|---|---|---|---|---|---|---|")
    print("\n".join(breakdown))


def _sides(network: str, folder: Path, notes: dict[str, None]) -> dict[str, Side]:
    """Starts all libraries; ours first, as it writes the weights for the others."""
    voxels = network.startswith("vrn")
    counts = FLAGS.grids if voxels else FLAGS.clouds
    np.save(folder / "inputs.npy", _inputs(max(map(int, counts)), voxels))
    settings = {
        "network": network, "folder": str(folder), "steps": FLAGS.steps, "threads": FLAGS.threads,
        "batch_size": FLAGS.grid_batch if voxels else FLAGS.cloud_batch, "classes": 10 if voxels else 40,
    }  # fmt: skip
    wanted: list[tuple[str, str | None, str, dict[str, bool]]] = [
        (_OURS, sys.executable, "explain_ours", {}),
        ("captum", FLAGS.captum_python, "explain_captum", {}),
        ("xplique", FLAGS.xplique_python, "explain_xplique", {"plain": False}),
    ]
    if not voxels:
        wanted.append(("xplique, plain", FLAGS.xplique_python, "explain_xplique", {"plain": True}))
    sides = {}
    for name, python, module, more in wanted:
        if python is None:
            notes[f"{name}: not run, no --{name.split(',')[0]}_python"] = None
            continue
        side = Side(python, module, settings | more, FLAGS.clock)
        if "error" in side.ready:
            notes[f"{name}: not run, {side.ready['error']}"] = None
        else:
            sides[name] = side
    return sides


def _inputs(count: int, voxels: bool) -> np.ndarray:
    """Returns procedural shapes, as points (B,N,3) or as voxels (B,32,32,32,1)."""
    points = data.shapes.make_dataset(count, FLAGS.num_points, seed=0).points.astype(np.float32)
    if not voxels:
        return points
    return np.stack([data.voxelize_points(cloud) for cloud in points])[..., None].astype(np.float32)


def _compared(
    network: str, method: str, count: int, sides: dict[str, Side], notes: dict[str, None], folder: Path
) -> Iterator[str]:
    """Yields a row for each side that can do it."""
    large = method == PATH and count > 1
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    peaks: dict[str, float] = {}
    for _ in range(FLAGS.large_rounds if large else FLAGS.rounds):
        for name, side in sides.items():
            answer = side.run(method, count, save=folder / f"{name}.npy")
            if "error" in answer:
                notes[f"{name}, {network}, {method}: {answer['error']}"] = None
                continue
            seconds[name].append(answer[FLAGS.clock])
            peaks[name] = answer["peak"]
    ours = np.load(folder / f"{_OURS}.npy")
    if method == PATH and any(name.startswith("xplique") for name in sides):
        sides[_OURS].run(method, 1, "trapezoid", folder / "trapezoid.npy")
    for name in sides:
        if not seconds[name]:
            continue
        times = statistics.median(
            theirs / mine for theirs, mine in zip(seconds[name], seconds[_OURS], strict=True)
        )
        theirs, mine = np.load(folder / f"{name}.npy"), ours
        if method == PATH and name.startswith("xplique"):  # it has only this rule
            theirs, mine = theirs[:1], np.load(folder / "trapezoid.npy")
        milliseconds = 1e3 * statistics.median(seconds[name]) / count
        yield (
            f"| {network} | {method} | {count} | {name} | {milliseconds:.1f} "
            f"| {times:.2f} | {_difference(theirs, mine)} | {peaks[name]:,.0f} |"
        )


def _difference(theirs: np.ndarray, ours: np.ndarray) -> str:
    """Returns the median over the examples of the largest difference, relative to the largest attribution."""
    rows = [np.abs(a - b).max() / np.abs(b).max() for a, b in zip(theirs, ours, strict=True)]
    return f"{statistics.median(rows):.0e}"


def _breakdown(network: str, count: int, ours: Side) -> str:
    """Returns a row about the parts of integrated gradients."""
    names = (PATH, "bare", "ends")
    rounds = FLAGS.rounds if count == 1 else FLAGS.large_rounds
    seconds = [[ours.run(name, count)[FLAGS.clock] for name in names] for _ in range(rounds)]
    whole, bare, ends = (1e3 * statistics.median(row[i] for row in seconds) for i in range(3))
    ratio = statistics.median(row[0] / row[1] for row in seconds)
    return (
        f"| {network} | {count} | {whole:,.0f} | {bare:,.0f} | {ratio:.3f} | {ends:.0f} "
        f"| {whole - bare - ends:.0f} | {1e3 * ours.first_call:,.0f} |"
    )


if __name__ == "__main__":
    cli.run(main)
