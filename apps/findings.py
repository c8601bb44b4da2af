"""Puts the claims of the papers into numbers: where importance lies, and whether it survives pruning.

  python apps/findings.py                        # procedural objects, nothing to download
  python apps/findings.py --models=pointnet_modelnet40 --mesh_dir=.../ModelNet10
  python apps/findings.py --models=vrn_half_modelnet10 --data_dir=.../modelnet10_voxels

* Edges and corners matter, planes do not: the fraction of each method's importance that lies near creases and
  corners, by size and by sign, against the fraction of the points or voxels there; and what a decision loses
  without them, and without as much of the planes. They are known exactly for procedural objects, and found by
  the angles between faces in the CAD models of --mesh_dir.
* Vanilla gradients are noisy, above all in empty voxels; masked ones (gradient times input) and integrated
  gradients agree.
* With --pruned: whether a pruned network looks at the same places as the one it came from, and loses as
  much confidence without them.

Means over objects come with their 95 % bootstrap intervals. Written to --output_dir, and printed:
findings.md, with the settings in run.json.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from absl import flags

from tfxai3d import cli, data, explain, models, storage
from tfxai3d.errors import UserError
from tfxai3d.evaluate import claims

FLAGS = flags.FLAGS
cli.define_flags(
    data_dir=None, methods=None, num_points=1024, num_examples=100, batch_size=16, seed=0,
    output_dir="out/findings",
)  # fmt: skip
flags.DEFINE_list("models", ["pointnet_shapes", "vrn_half_modelnet10"], "Presets or folders; may be empty.")
flags.DEFINE_string(
    "mesh_dir", None, "Data set of CAD models, such as ModelNet10's OFF files, for the edges."
)
flags.DEFINE_list("pruned", [], "Pairs original=pruned of presets or folders whose maps are compared.")


def main(argv: list[str]) -> None:
    """Measures claim by claim and prints them."""
    output_dir = cli.check_outputs()
    cli.load_tensorflow()
    for method in FLAGS.methods or ():
        explain.get(method)
    pairs = [_pair(text) for text in FLAGS.pruned]
    text = "\n\n".join(["# Findings", *_claims(), *_pruning_claims(pairs)]) + "\n"
    storage.write_text(output_dir / "findings.md", text)
    cli.write_report(__name__, output_dir, {})
    print(text, end="")


def _claims() -> Iterator[str]:
    """Yields the claims of --models, those of edges first."""
    nets = {name: models.load_classifier(name) for name in FLAGS.models}
    options = {"batch_size": FLAGS.batch_size, "seed": FLAGS.seed}
    for name, net in nets.items():
        for what, marked in _marked(net):
            for claim in (
                claims.edges_and_corners(net, marked, FLAGS.methods, **options),
                claims.without_edges(net, marked, **options),
            ):
                yield claim.markdown(f"`{name}`, {what}")
    for name, net in nets.items():
        if net.data_kind == "voxels":
            grids, labels, source = _examples(net)
            yield claims.empty_voxels(net, grids, labels, **options).markdown(f"`{name}`, {source}")


def _marked(net: models.Classifier) -> Iterator[tuple[str, claims.Marked]]:
    """Yields the objects whose edges are known, and what they are."""
    size = (FLAGS.num_examples, FLAGS.num_points)
    yield "procedural objects", claims.marked_shapes(net, *size)
    if FLAGS.mesh_dir:
        meshes = claims.marked_meshes(net, FLAGS.mesh_dir, *size)
        yield f"CAD models of the test split of {Path(FLAGS.mesh_dir).name}", meshes


def _pruning_claims(pairs: list[tuple[str, str]]) -> Iterator[str]:
    for pair in pairs:
        original, pruned = map(models.load_classifier, pair)
        inputs, labels, source = _examples(original)
        methods = FLAGS.methods if original.data_kind == "points" else None
        options = {"batch_size": FLAGS.batch_size, "seed": FLAGS.seed}
        claim = claims.before_and_after_pruning(original, pruned, inputs, labels, methods, **options)
        names = " and ".join(f"`{Path(name).name}`" for name in pair)
        yield claim.markdown(f"{names}, {source}")


def _examples(model: models.Classifier) -> tuple[np.ndarray, np.ndarray, str]:
    """Returns float32 inputs, none of them empty, labels as `model` counts them, and what they are."""
    count = None if FLAGS.data_dir else FLAGS.num_examples
    options = {"num_points": FLAGS.num_points, "num_examples": count, "class_names": model.class_names}
    grid = cli.grid_form(explain.network(model))
    split = data.open_dataset(FLAGS.data_dir, model.data_kind, grid=grid, **options)
    if model.data_kind == "voxels":
        split = split[np.flatnonzero(~data.find_empty(split.inputs))]
    split = split.spread(FLAGS.num_examples)
    things = "grids" if model.data_kind == "voxels" else "objects"
    source = f"{things} of the test split of {Path(FLAGS.data_dir).name}" if FLAGS.data_dir else ""
    return split.inputs.astype(np.float32), split.labels, f"{len(split)} {source or 'procedural objects'}"


def _pair(text: str) -> tuple[str, str]:
    original, equals, pruned = text.partition("=")
    if not (original and equals and pruned):
        raise UserError(f"--pruned={text}: give pairs original=pruned")
    return original, pruned


if __name__ == "__main__":
    cli.run(main)
