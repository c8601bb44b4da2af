"""Measures how completely integrated gradients explain the score, by rule and number of steps.

  python -m benchmarks.completeness --data_dir=modelnet40_ply_hdf5_2048 --presets=pointnet_modelnet40
  python -m benchmarks.completeness --presets=pointnet2_ssg_modelnet40 --nofreeze_neighbors --data_dir=...
  python -m benchmarks.completeness --data_dir=modelnet10_voxels --presets=vrn_half_modelnet10

The completeness delta is the sum of the attributions minus the score's difference between input and baseline;
here it is a share of that difference. Examples are taken evenly from the test split, the explained class is
the predicted one. A row stands for one rule and number of steps: median, 95th percentile and largest share,
and how many examples are within --tolerance.
"""

from __future__ import annotations

import numpy as np
from absl import flags

from tfxai3d import cli, data

FLAGS = flags.FLAGS
flags.DEFINE_list("presets", ["pointnet_shapes"], "Shipped presets; all of them take the same data.")
flags.DEFINE_string("data_dir", None, "ModelNet40 HDF5 or ModelNet10 voxels; procedural shapes by default.")
flags.DEFINE_integer("count", 40, "Examples.", lower_bound=1)
flags.DEFINE_list("steps", ["50", "100", "200"], "Numbers of steps.")
flags.DEFINE_list("rules", ["gauss_legendre", "trapezoid", "riemann_middle"], "Rules.")
flags.DEFINE_bool("freeze_neighbors", True, "PointNet++: whether the path keeps the neighbours of the cloud.")
flags.DEFINE_integer("batch_size", 32, "The most examples at once.", lower_bound=1)
flags.DEFINE_float("tolerance", 0.01, "Share of the score's difference that counts as complete.")

_UNSEEN = 1  # the seed of shapes that no preset was trained on


def main(argv: list[str]) -> None:
    """Prints a table."""
    cli.load_tensorflow()
    from tfxai3d import explain, models

    print("| preset | rule | steps | examples | median | 95th percentile | largest | complete |")
    print("|---|---|---|---|---|---|---|---|")
    for preset in FLAGS.presets:
        model = models.from_preset(preset)
        inputs = _inputs(model.data_kind)
        for steps in map(int, FLAGS.steps):
            for rule in FLAGS.rules:
                options = {"freeze_neighbors": FLAGS.freeze_neighbors, "batch_size": FLAGS.batch_size}
                explainer = explain.IntegratedGradients(model, steps, rule, **options)
                explanation = explainer(inputs)
                delta = np.asarray(explanation.convergence_delta, float)
                gain = explanation.attributions.reshape(len(delta), -1).sum(axis=1, dtype=float) - delta
                share = np.abs(delta / gain)
                median, high, largest = np.quantile(share, [0.5, 0.95, 1.0])
                print(
                    f"| {preset} | {rule} | {steps} | {len(share)} | {median:.2%} | {high:.2%} "
                    f"| {largest:.2%} | {np.sum(share <= FLAGS.tolerance)} |",
                    flush=True,
                )


def _inputs(kind: str) -> np.ndarray:
    """Returns examples of the kind of data that a model takes, evenly spread over the test split."""
    if FLAGS.data_dir is None:
        points = data.shapes.make_dataset(FLAGS.count, 1024, seed=_UNSEEN).points
        return points if kind == "points" else np.stack([data.voxelize_points(p) for p in points])[..., None]
    if kind == "points":
        inputs = data.load_modelnet40(FLAGS.data_dir, "test", num_points=1024)[0]
    else:
        inputs = data.load_modelnet10(FLAGS.data_dir, "test")[0]
        inputs = inputs[~data.find_empty(inputs)]
    return inputs[np.linspace(0, len(inputs) - 1, FLAGS.count).astype(int)]


if __name__ == "__main__":
    cli.run(main)
