"""Measures which methods find what a network leans on, by taking it away.

  python -m benchmarks.faithfulness --data_dir=modelnet40_ply_hdf5_2048 --num_examples=64
  python -m benchmarks.faithfulness --data_dir=modelnet10_voxels --model=vrn_half_modelnet10

Of the test examples that the network classifies right, evenly spread, the most important points or occupied
voxels are taken away first, 2 to 95 %, and then the least important ones: mean probability of the true
class, and the area between the two curves with its 95 % bootstrap interval. `(sum)` is the sum of the
attributions of each point, which has a sign. The seconds are of the processor, over all threads, without
tracing.
"""

from __future__ import annotations

import time

import numpy as np
from absl import flags
from tqdm import tqdm

from tfxai3d import cli, data, evaluate, explain, models, storage

FLAGS = flags.FLAGS
cli.define_flags(
    model="pointnet_modelnet40",
    data_dir=None,
    num_points=1024,
    num_examples=32,
    methods=["mean_field_shapley", "integrated_gradients", "gradient_times_input", "grad_cam", "p_grad_cam"],
    batch_size=16,
    seed=0,
)


def main(argv: list[str]) -> None:
    """Prints a table."""
    cli.load_tensorflow()
    model = models.from_preset(FLAGS.model)
    split = data.open_dataset(
        FLAGS.data_dir,
        model.data_kind,
        num_points=FLAGS.num_points,
        class_names=model.class_names,
        seed=FLAGS.seed,
    )
    right = evaluate.classify(model, split.inputs, split.labels).predicted == split.labels
    chosen = split[right].spread(FLAGS.num_examples)
    inputs, labels = np.asarray(chosen.inputs, np.float32), chosen.labels
    rows = []
    for method in tqdm(FLAGS.methods, disable=None):
        explainer = explain.create(method, model, batch_size=FLAGS.batch_size, seed=FLAGS.seed)
        explainer(inputs[:1], labels[:1])
        began = time.process_time()
        explanation = explainer(inputs, labels)
        seconds = (time.process_time() - began) / len(labels)
        maps = {method: explanation.importance}
        if (explanation.importance < 0).any():
            maps[f"{method} (magnitude)"] = explanation.magnitude
        for name, importance in maps.items():
            rows.append([name, *_scores(model, inputs, labels, importance), f"{seconds:.2f}"])
    rng = np.random.default_rng(FLAGS.seed)
    rows.append(["random", *_scores(model, inputs, labels, rng.random(inputs.shape[:-1])), "-"])
    print(f"{FLAGS.model}, {len(labels)} examples")
    head = ["method", "highest first", "lowest first", "area between", "95 %", "seconds of the processor"]
    print(storage.markdown_table(head, rows))


def _scores(
    model: models.Classifier, inputs: np.ndarray, labels: np.ndarray, importance: np.ndarray
) -> list[str]:
    """Returns both means, the area between and its interval."""
    highest = evaluate.deletion_score(model, inputs, labels, importance, evaluate.WHOLE)
    area = evaluate.area_between_curves(model, inputs, labels, importance)
    mean, low, high = evaluate.bootstrap_mean(area, FLAGS.seed)
    return [
        f"{highest.mean():.3f}",
        f"{(area + highest).mean():.3f}",
        f"{mean:.3f}",
        f"{low:.3f} to {high:.3f}",
    ]


if __name__ == "__main__":
    cli.run(main)
