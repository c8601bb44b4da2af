"""Shows what single units of a network look for, and the filters of a 3D convolution.

Which occupied voxels, or which points, excite a class most? Nothing to download:

  python apps/features.py --flagfile=apps/flags/features.cfg
  python apps/features.py --model=pointnet_shapes --units=airplane,lamp,table

The same for channels of any layer; the mean surface of the objects that excite a unit of a voxel network
most, of procedural shapes or of the test split of --data_dir; the places around a centroid that PointNet++'s
first channels answer to:

  python apps/features.py --layer=conv17 --units=0,1,2,3
  python apps/features.py --method=mean_surface --units=chair,toilet --data_dir=.../modelnet10_voxels
  python apps/features.py --flagfile=apps/flags/features_patterns.cfg

The filters of a layer as blocks of cubes, original, pruned, and pruned and tuned (figure 6 of the paper):

  python apps/features.py --flagfile=apps/flags/features_filters.cfg
  python apps/features.py --filters --density=0.05 --model=vrn_half_modelnet10 --model=out/prune/preset

Writes to --output_dir:

  features.npz                  what was found (tfxai3d.features.Visualization.load), or the kernels
  features.png, features.html   a picture, and a page whose objects rotate together
  run.json                      activations or weights left, settings and versions
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from tqdm import tqdm

from tfxai3d import cli, data, explain, features, view
from tfxai3d.errors import UserError

FLAGS = flags.FLAGS
cli.define_flags(
    {name: default for name, default in cli.MODEL.items() if name not in ("model", "layer")},
    data_dir=None, num_points=512, num_examples=None, density=None, batch_size=2, seed=0, pictures=True,
    colormap="magma_r", view=False, output_dir="out/features",
)  # fmt: skip
flags.DEFINE_multi_string(
    "model", ["vrn_half_modelnet10"], "Any model, as for the other programs. "
    "For --filters give it several times; after the first also weights of the same network, .npz of "
    "pruning.save_sparse or .weights.h5.",
)  # fmt: skip
flags.DEFINE_enum(
    "method", "activation_maximization", ["activation_maximization", "mean_surface", "patterns"],
    "What to look for.",
)  # fmt: skip
flags.DEFINE_bool("filters", False, "Show the filters of a 3D convolution instead.")
flags.DEFINE_string("layer", None, "Layer of the units or filters: by default the classes, or the first one.")
flags.DEFINE_list("units", None, "Classes by name, or numbers of channels; by default the first 8.")
flags.DEFINE_integer("steps", 40, "Steps of the activation maximisation.", lower_bound=1)
flags.DEFINE_integer("top", 32, "Objects in a mean surface.", lower_bound=1)


def main(argv: list[str]) -> None:
    """Looks for what the units want, or shows the filters."""
    _check_flags()
    output_dir = cli.check_outputs()
    cli.load_tensorflow()
    gallery, found = _filters(output_dir) if FLAGS.filters else _units(output_dir)
    cli.write_report(__name__, output_dir, {"found": found})
    cli.remove_pictures(output_dir, "features.png", "features.html")
    if FLAGS.pictures:
        print("drawing", flush=True)
        view.render_gallery(output_dir / "features.png", gallery)
        view.write_gallery(output_dir / "features.html", gallery)
    print(f"results in {output_dir}")
    if FLAGS.view:
        view.open_gallery(gallery)


def _check_flags() -> None:
    """Checks what takes no TensorFlow."""
    if not FLAGS.filters and len(FLAGS.model) > 1:
        raise UserError(f"--model={FLAGS.model[1]}: only --filters takes several models")
    if FLAGS.density is not None and (not FLAGS.filters or not FLAGS.density):
        raise UserError(f"--density={FLAGS.density}: give a fraction above 0, and --filters")
    if FLAGS.data_dir and (FLAGS.filters or FLAGS.method != "mean_surface"):
        raise UserError(f"--data_dir={FLAGS.data_dir}: only --method=mean_surface reads a data set")
    if FLAGS.method == "patterns" and FLAGS.layer and not FLAGS.filters:
        raise UserError(f"--layer={FLAGS.layer}: patterns are of the first set abstraction, without --layer")


def _units(output_dir: Path) -> tuple[view.Gallery, list[dict[str, Any]]]:
    """Returns what was found for the units, and saves it."""
    net = cli.load_network(FLAGS.model[0])
    named = not FLAGS.layer and FLAGS.method != "patterns"
    channels = features.unit_numbers(FLAGS.units, net.class_names or () if named else ())
    if FLAGS.method == "patterns":
        found = features.first_layer_patterns(net.model, range(8) if channels is None else channels)
    elif FLAGS.method == "mean_surface":
        found = features.mean_activating_surface(net, _batches(net), channels, FLAGS.layer, FLAGS.top)
    else:
        shape = (cli.num_points(net), 3) if net.kind == "points" else None
        search = features.ActivationMaximization(
            net, FLAGS.layer, FLAGS.steps, shape=shape, seed=FLAGS.seed, batch_size=FLAGS.batch_size
        )
        print(f"{FLAGS.steps} steps for {len(channels or ()) or 'the first'} units", flush=True)
        found = search(channels, progress=True)
    found.save(output_dir / "features.npz")
    records = found.records()
    shown = [{name: value for name, value in record.items() if name != "examples"} for record in records]
    for row in (shown[0], *(record.values() for record in shown)):
        cli.print_row(row)
    return view.feature_gallery(found, FLAGS.colormap), records


def _batches(net: explain.Network) -> Iterator[np.ndarray]:
    """Yields grids of --data_dir's test split, or of procedural shapes of the model's classes."""
    count = FLAGS.num_examples or (None if FLAGS.data_dir else 200)
    names = None if FLAGS.data_dir else net.class_names
    options = {"num_examples": count, "class_names": names, "seed": FLAGS.seed, "grid": cli.grid_form(net)}
    grids = data.open_dataset(FLAGS.data_dir, "voxels", **options).inputs
    for start in tqdm(range(0, len(grids), FLAGS.batch_size), desc="objects", unit="batch", disable=None):
        yield cli.fitted(grids[start : start + FLAGS.batch_size], net)


def _filters(output_dir: Path) -> tuple[view.Gallery, list[dict[str, Any]]]:
    """Returns the filters of all models, and saves them."""
    channels = features.unit_numbers(FLAGS.units)
    kernels = features.compare_kernels(FLAGS.model, FLAGS.layer, FLAGS.density)
    gallery = view.filter_gallery(kernels.by_model, kernels.layer, channels=channels)
    kernels.save(output_dir / "features.npz")
    for record in kernels.records():
        print("{model}: {left:,} of {weights:,} weights of {layer} left".format(**record))
    return gallery, kernels.records()


if __name__ == "__main__":
    cli.run(main)
