"""Prunes a small PointNet beside tensorflow_model_optimization: accuracy by sparsity, cost of a step.

  python -m venv tfmot && tfmot/bin/pip install tensorflow tf_keras tensorflow-model-optimization
  python -m benchmarks.pruning --tfmot_python=tfmot/bin/python

tfmot needs Keras 2, hence its own environment. Both sides start from the same trained weights and see the
same batches of procedural shapes, optimiser, epochs and schedule. Without --tfmot_python only our side runs.
Accuracies repeat. Times are CPU time of all threads, in turns within one process. At 99 % the small network
has too few weights left to do anything but guess; --width=4 is for that level. --sparsities= only measures
the time.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from absl import flags

from benchmarks.tfmot_pruning import compiled, network, seconds_a_step
from tfxai3d import cli, data, pruning
from tfxai3d.errors import UserError

if TYPE_CHECKING:
    import keras

FLAGS = flags.FLAGS
flags.DEFINE_string("tfmot_python", None, "Python of an environment with tfmot.")
flags.DEFINE_integer("num_train", 2000, "Training clouds.", lower_bound=100)
flags.DEFINE_integer("num_test", 1000, "Test clouds.", lower_bound=100)
flags.DEFINE_integer("num_points", 128, "Points of a cloud.", lower_bound=10)
flags.DEFINE_integer("dense_epochs", 8, "Epochs of the dense model that both start from.", lower_bound=1)
flags.DEFINE_integer("epochs", 6, "Epochs of pruning; the target is reached after two thirds.", lower_bound=1)
flags.DEFINE_integer("width", 1, "How many times as wide as the small network.", lower_bound=1)
flags.DEFINE_list("sparsities", ["0.9", "0.95", "0.99"], "Shares of the weights to cut.")
flags.DEFINE_enum("importance", "magnitude", ["magnitude", "lamp"], "How our side compares weights.")
flags.DEFINE_integer("rounds", 5, "Rounds of the timing.", lower_bound=1)
flags.DEFINE_integer("seed", 0, "Seed of weights and data.", lower_bound=0)

_BATCH, _RATE = 32, 1e-3


def main(argv: list[str]) -> None:
    """Trains the dense model, prunes it on both sides, prints two tables."""
    cli.load_tensorflow()
    import keras

    keras.utils.set_random_seed(FLAGS.seed)
    made = data.shapes.make_dataset(FLAGS.num_train, FLAGS.num_points, seed=2 * FLAGS.seed)
    unseen = data.shapes.make_dataset(FLAGS.num_test, FLAGS.num_points, seed=2 * FLAGS.seed + 1)
    x = made.points[: len(made.points) // _BATCH * _BATCH]
    y = made.labels[: len(x)]
    classes = len(data.shapes.SHAPE_CLASSES)
    dense = compiled(keras, network(keras, FLAGS.num_points, classes, FLAGS.width), _RATE)
    dense.fit(x, y, _BATCH, FLAGS.dense_epochs, 0)
    accuracy = _accuracy(dense, unseen)
    print(f"dense: {pruning.kernel_sparsity(dense)['total']:,} weights, accuracy {accuracy:.2%}", flush=True)

    ramp = len(x) // _BATCH * FLAGS.epochs * 2 // 3
    ours = _ours(keras, dense, x, y, unseen, ramp)
    theirs = _theirs(dense, x, y, unseen, ramp, classes) if FLAGS.tfmot_python else None
    print("\n| sparsity | ours: accuracy | left | tfmot: accuracy | left |\n|---|---|---|---|---|")
    for sparsity in map(str, _sparsities()):
        cells = [side["accuracies"][sparsity] for side in (ours, theirs) if side]
        print(f"| {sparsity} | " + " | ".join(f"{a:.2%} | {left:.2%}" for a, left in cells) + " |")
    print("\n| side | plain step, CPU ms | pruning step, CPU ms | overhead |\n|---|---|---|---|")
    for name, side in (("ours", ours), ("tfmot", theirs)):
        if side:
            plain, with_pruning = (1e3 * side["seconds"][key] for key in ("plain", "pruning"))
            print(f"| {name} | {plain:.1f} | {with_pruning:.1f} | {with_pruning / plain - 1:.0%} |")
    for name, answer in (theirs or {"refused": {}})["refused"].items():
        print(f"tfmot, {name}: {answer}")


def _ours(
    keras: Any, dense: keras.Model, x: np.ndarray, y: np.ndarray, unseen: Any, ramp: int
) -> dict[str, Any]:
    def start(rate: float) -> keras.Model:
        model = network(keras, FLAGS.num_points, dense.output_shape[-1], FLAGS.width)
        model.set_weights(dense.get_weights())
        return compiled(keras, model, rate)

    def surgery(left: float) -> pruning.DynamicNetworkSurgery:
        target = pruning.GradualTarget(left, ramp, ramp + ramp // 4)
        return pruning.DynamicNetworkSurgery(target=target, importance=FLAGS.importance)

    accuracies = {}
    for sparsity in _sparsities():
        keras.utils.set_random_seed(0)
        model, callback = start(_RATE), surgery(1 - sparsity)
        model.fit(x, y, _BATCH, FLAGS.epochs, 0, callbacks=[callback], shuffle=False)
        report = pruning.kernel_sparsity(model)
        accuracies[str(sparsity)] = [_accuracy(model, unseen), report["left"] / report["total"]]
    plain, model = start(1e-4), start(1e-4)
    callback = pruning.DynamicNetworkSurgery(target=0.1)
    seconds = seconds_a_step(
        {
            "plain": lambda: plain.fit(x, y, _BATCH, 1, 0, shuffle=False),
            "pruning": lambda: model.fit(x, y, _BATCH, 1, 0, callbacks=[callback], shuffle=False),
        },
        len(x) // _BATCH,
        FLAGS.rounds,
    )
    return {"accuracies": accuracies, "seconds": seconds}


def _theirs(
    dense: keras.Model, x: np.ndarray, y: np.ndarray, unseen: Any, ramp: int, classes: int
) -> dict[str, Any]:
    weights = dense.get_weights()
    settings = {
        "weights": len(weights), "classes": classes, "batch_size": _BATCH, "learning_rate": _RATE,
        "epochs": FLAGS.epochs, "sparsities": _sparsities(), "width": FLAGS.width, "ramp": ramp,
        "frequency": 25, "rounds": FLAGS.rounds,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "job.npz"
        arrays = {f"w{i:02d}": value for i, value in enumerate(weights)}
        arrays |= {"x": x, "y": y, "x_test": unseen.points, "y_test": unseen.labels}
        np.savez(job, settings=np.array(json.dumps(settings)), **arrays)
        script = Path(__file__).with_name("tfmot_pruning.py")
        done = subprocess.run([FLAGS.tfmot_python, script, job], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"--tfmot_python={FLAGS.tfmot_python}: {done.stderr.strip().splitlines()[-1]}")
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def _sparsities() -> list[float]:
    try:
        return [float(text) for text in FLAGS.sparsities]
    except ValueError as error:
        raise UserError(
            f"--sparsities={','.join(FLAGS.sparsities)}: not numbers, such as 0.9,0.99"
        ) from error


def _accuracy(model: keras.Model, unseen: Any) -> float:
    return float(np.mean(model.predict(unseen.points, verbose=0).argmax(-1) == unseen.labels))


if __name__ == "__main__":
    cli.run(main)
