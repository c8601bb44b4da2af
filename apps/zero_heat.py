"""Shows what points without heat are good for: removes them all at once and looks what the network says.

  python apps/zero_heat.py --data_dir=.../modelnet40_ply_hdf5_1024

p-grad-CAM's mode `zero` drops the points that have no heat. They have no share in the decision that the max
over the points makes, but in a PointNet they may still have one in the T-Nets, which turn the cloud before.
The table tells the two apart: points are removed, or removed after the T-Nets have seen the whole cloud, or
only those removed that win a channel nowhere, neither in the T-Nets nor after them, which can change nothing
at all. Each time as many random points are removed as well. Written to --output_dir, and printed: table.md,
with the settings in run.json.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from absl import flags
from tqdm import tqdm

from tfxai3d import cli, data, evaluate, explain, models, storage
from tfxai3d.errors import UserError

if TYPE_CHECKING:
    import keras

FLAGS = flags.FLAGS
flags.DEFINE_string("model", None, "Preset; pointnet_modelnet40 with --data_dir, else pointnet_shapes.")
flags.DEFINE_string("data_dir", None, "ModelNet40 HDF5 folder; its test split. Procedural shapes without it.")
flags.DEFINE_integer("num_points", 1024, "Points of a cloud.", lower_bound=10)
flags.DEFINE_integer("every", 1, "Take every so-manieth cloud of --data_dir.", lower_bound=1)
flags.DEFINE_integer("num_shapes", 100, "Procedural shapes.", lower_bound=1)
flags.DEFINE_integer("batch_size", 32, "Clouds at once.", lower_bound=1)
flags.DEFINE_integer("seed", 0, "Seed of the random points and the shapes.", lower_bound=0)
flags.DEFINE_string("output_dir", "out/zero_heat", "Folder of the results.")


class Outcome(NamedTuple):
    """What the network says of a batch of clouds after a removal."""

    logits: np.ndarray
    kept: np.ndarray


def main(argv: list[str]) -> None:
    """Measures and prints the table."""
    output_dir = Path(FLAGS.output_dir)
    cli.check_output_dir(output_dir)
    preset = FLAGS.model or ("pointnet_modelnet40" if FLAGS.data_dir else "pointnet_shapes")
    cli.load_tensorflow()
    model = models.from_preset(preset)
    if not isinstance(model, models.PointNet):
        raise UserError(f"--model={preset} is no PointNet: only there is it known what a point can change")
    every = FLAGS.every if FLAGS.data_dir else 1
    points, labels = (
        part[::every]
        for part in data.unseen_clouds(
            model.class_names, FLAGS.data_dir, FLAGS.num_points, FLAGS.num_shapes, FLAGS.seed
        )
    )
    removal = _Removal(model)
    outcomes: dict[str, list[Outcome]] = {}
    for i in tqdm(range(0, len(points), FLAGS.batch_size), unit="batch", disable=None):
        some = slice(i, i + FLAGS.batch_size)
        for name, outcome in removal(points[some], labels[some]).items():
            outcomes.setdefault(name, []).append(outcome)
    table = _table({name: _joined(parts) for name, parts in outcomes.items()}, labels)
    with storage.atomic_path(output_dir / "table.md") as temporary:
        temporary.write_text(table, encoding="utf-8")
    cli.write_report(__name__, output_dir, {"model": preset})
    print(table, end="")


class _Removal:
    """Removes points of batches of clouds in all the ways that are compared."""

    def __init__(self, model: keras.Model):
        import tensorflow as tf

        from tfxai3d.explain.engine.layer_output import LayerOutput
        from tfxai3d.explain.engine.network import network
        from tfxai3d.models.layers.shared_mlp import SharedDenseMax

        options = {"batch_size": FLAGS.batch_size}
        self._heat = {pool: explain.PGradCAM(model, pool, **options) for pool in ("max", "mean")}
        self._won = [
            explain.CriticalPoints(model, layer.name, **options)
            for layer in model.layers
            if isinstance(layer, SharedDenseMax)
        ]
        self._forward = evaluate.Forward(model, FLAGS.batch_size)
        features = LayerOutput(network(model), model)
        # A feature of 0 is never larger than the others, so these points are gone from the max.
        self._after_transforms = tf.function(
            lambda points, kept: features(points, lambda rows: rows * tf.cast(kept, points.dtype)[..., None])[
                1
            ],
            autograph=False,
            reduce_retracing=True,
        )
        self._rng = np.random.default_rng(FLAGS.seed)

    def __call__(self, points: np.ndarray, labels: np.ndarray) -> dict[str, Outcome]:
        """Returns the outcomes for points (B,N,3) by name of the way."""
        outcomes = {"nothing": self._remove(points, np.zeros(points.shape[:2], bool))}
        for pool, explainer in self._heat.items():
            gone = _without(explainer(points, labels).importance)
            name = f"points without heat, {pool} pooling"
            outcomes |= self._removed(name, points, gone)
            if len(self._won) > 1:
                logits = self._after_transforms(points, ~gone).numpy()
                outcomes[f"{name}, after the T-Nets"] = Outcome(logits, (~gone).sum(axis=1))
        gone = _without(np.sum([explainer(points).importance for explainer in self._won], axis=0))
        return outcomes | self._removed("points that win nowhere", points, gone)

    def _removed(self, name: str, points: np.ndarray, gone: np.ndarray) -> dict[str, Outcome]:
        size = points.shape[1]
        chance = np.stack([evaluate.random_points(n, size, self._rng) for n in gone.sum(axis=1)])
        return {
            name: self._remove(points, gone),
            f"random, as many as {name}": self._remove(points, chance),
        }

    def _remove(self, points: np.ndarray, gone: np.ndarray) -> Outcome:
        left = [cloud[~removed] for cloud, removed in zip(points, gone, strict=True)]
        return Outcome(self._forward(left), (~gone).sum(axis=1))


def _without(importance: np.ndarray) -> np.ndarray:
    """Returns which points have none, bool (B,N), as the mode `zero` drops them."""
    return np.stack([evaluate.dropped_points(row, "zero") for row in importance])


def _joined(parts: list[Outcome]) -> Outcome:
    return Outcome(*map(np.concatenate, zip(*parts, strict=True)))


def _table(outcomes: dict[str, Outcome], labels: np.ndarray) -> str:
    whole = outcomes["nothing"].logits
    lines = [
        "| removed at once | points left | accuracy | confidence | largest change of a logit |",
        "|---|---|---|---|---|",
    ]
    for name, (logits, kept) in outcomes.items():
        result = evaluate.Classification(logits, labels)
        sure = result.probabilities[np.arange(len(labels)), labels].mean()
        change = np.abs(logits - whole).max()
        cells = [name, f"{kept.mean():.0f}", f"{result.overall_accuracy:.1%}", f"{sure:.3f}", f"{change:.2g}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    cli.run(main)
