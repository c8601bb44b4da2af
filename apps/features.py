"""Shows what single units of a network look for, and the filters of a 3D convolution.

Which occupied voxels, or which points, excite a class most? Nothing to download:

  python apps/features.py --flagfile=apps/flags/features.cfg
  python apps/features.py --model=pointnet_shapes --units=airplane,lamp,table

The same for channels of any layer; the mean surface of the objects that excite a unit of a voxel network
most, of procedural shapes or of ModelNet10's test split; the places around a centroid that PointNet++'s first
channels answer to:

  python apps/features.py --layer=conv17 --units=0,1,2,3
  python apps/features.py --method=mean_surface --units=chair,toilet --data_dir=.../modelnet10_voxels
  python apps/features.py --flagfile=apps/flags/features_patterns.cfg

The filters of a layer as blocks of cubes, original, pruned, and pruned and tuned (figure 6 of the paper):

  python apps/features.py --flagfile=apps/flags/features_filters.cfg
  python apps/features.py --filters --prune=0.05 --model=vrn_half_modelnet10 --model=out/prune/preset

Writes to --output_dir:

  features.npz                  what was found (tfxai3d.features.Visualization.load), or the kernels
  features.png, features.html   a picture, and a page whose objects turn together
  run.json                      activations or weights left, settings and versions
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from absl import flags
from tqdm import tqdm

from tfxai3d import cli, data, features, models, pruning, storage, view
from tfxai3d.data.geometry import Mesh
from tfxai3d.errors import UserError

if TYPE_CHECKING:
    import keras

    from tfxai3d.features import Visualization

FLAGS = flags.FLAGS
flags.DEFINE_multi_string(
    "model", ["vrn_half_modelnet10"], "Shipped preset or a folder written by apps/train.py or apps/prune.py. "
    "For --filters give it several times; after the first also weights of the same network, .npz of "
    "pruning.save_sparse or .weights.h5.",
)  # fmt: skip
flags.DEFINE_enum(
    "method", "activation_maximization", ["activation_maximization", "mean_surface", "patterns"],
    "What to look for.",
)  # fmt: skip
flags.DEFINE_bool("filters", False, "Show the filters of a 3D convolution instead.")
flags.DEFINE_string(
    "layer", None, "Layer of the units or filters; by default the classes, the first convolution."
)
flags.DEFINE_list("units", None, "Classes by name, or numbers of channels; by default the first 8.")
flags.DEFINE_integer("steps", 40, "Steps of the activation maximisation.", lower_bound=1)
flags.DEFINE_integer("num_points", 512, "Points of an input that is looked for.", lower_bound=10)
flags.DEFINE_string("data_dir", None, "Folder of modelnet10_test.npz, for mean_surface; else shapes.")
flags.DEFINE_integer("num_shapes", 200, "Procedural shapes, for mean_surface.", lower_bound=1)
flags.DEFINE_integer("top", 32, "Objects in a mean surface.", lower_bound=1)
flags.DEFINE_float(
    "prune", None, "Share of weights to leave in one more column of --filters, cut at once.", 0, 1
)
flags.DEFINE_integer("batch_size", 2, "The most units, or grids, the network sees at once.", lower_bound=1)
flags.DEFINE_integer("seed", 0, "Seed of the search and of the shapes.", 0, 2**30)
flags.DEFINE_bool("pictures", True, "Draw the PNG and the HTML page.")
flags.DEFINE_enum("colormap", "magma_r", view.COLORMAPS, "Colours of the importance.")
flags.DEFINE_bool("view", False, "Open a window at the end.")
flags.DEFINE_string("output_dir", "out/features", "Folder of the results.")

_UNITS = 8


def main(argv: list[str]) -> None:
    """Looks for what the units want, or shows the filters."""
    output_dir = Path(FLAGS.output_dir)
    _check_flags()
    cli.load_tensorflow()
    gallery, found = _filters(output_dir) if FLAGS.filters else _units(output_dir)
    cli.write_report(__name__, output_dir, {"found": found})
    for name in ("features.png", "features.html"):  # of an earlier run into this folder
        (output_dir / name).unlink(missing_ok=True)
    if FLAGS.pictures:
        print("drawing", flush=True)
        view.render_gallery(output_dir / "features.png", gallery)
        view.write_gallery(output_dir / "features.html", gallery)
    print(f"results in {output_dir}")
    if FLAGS.view:
        view.open_gallery(gallery)


def _check_flags() -> None:
    """Checks what takes no TensorFlow."""
    cli.check_output_dir(FLAGS.output_dir)
    if FLAGS.pictures:
        cli.check_package("matplotlib", "view")
    if FLAGS.view:
        cli.check_package("open3d", "view", "--noview")
    if not FLAGS.filters and len(FLAGS.model) > 1:
        raise UserError(f"--model={FLAGS.model[1]}: only --filters takes several models")
    if FLAGS.prune is not None and (not FLAGS.filters or not FLAGS.prune):
        raise UserError(f"--prune={FLAGS.prune}: give a share above 0, and --filters")
    if FLAGS.data_dir and (FLAGS.filters or FLAGS.method != "mean_surface"):
        raise UserError(f"--data_dir={FLAGS.data_dir}: only --method=mean_surface reads a data set")
    if FLAGS.method == "patterns" and FLAGS.layer and not FLAGS.filters:
        raise UserError(f"--layer={FLAGS.layer}: patterns are of the first set abstraction, without --layer")


def _units(output_dir: Path) -> tuple[view.Gallery, list[dict[str, Any]]]:
    """Returns what was found for the units, and saves it."""
    model = models.from_preset(FLAGS.model[0])
    channels = _channels(model)
    if FLAGS.method == "patterns":
        found = features.first_layer_patterns(model, channels)
    elif FLAGS.method == "mean_surface":
        if model.data_kind != "voxels":
            raise UserError(f"--method=mean_surface needs a voxel network; {FLAGS.model[0]} takes points")
        found = features.mean_activating_surface(model, _batches(model), channels, FLAGS.layer, FLAGS.top)
    else:
        shape = (FLAGS.num_points, 3) if model.data_kind == "points" else None
        search = features.ActivationMaximization(
            model, FLAGS.layer, FLAGS.steps, shape=shape, seed=FLAGS.seed, batch_size=FLAGS.batch_size
        )
        print(f"{FLAGS.steps} steps for {len(channels)} units", flush=True)
        found = search(channels, progress=True)
    found.save(output_dir / "features.npz")
    return view.feature_gallery(found, FLAGS.colormap), _facts(found)


def _channels(model: keras.Model) -> list[int]:
    """Returns --units as numbers."""
    names = () if FLAGS.layer or FLAGS.method == "patterns" else model.class_names or ()
    if FLAGS.units is None:
        return list(range(min(_UNITS, len(names) or _UNITS)))
    if not FLAGS.units:
        raise UserError("--units= names no unit; give classes or numbers")
    numbers = []
    for unit in FLAGS.units:
        if unit in names:
            numbers.append(names.index(unit))
        elif unit.isascii() and unit.isdigit():
            numbers.append(int(unit))
        else:
            what = f"the classes {', '.join(names)}" if names else "numbers from 0"
            raise UserError(f"--units: {unit!r} is no unit; give {what}")
    return numbers


def _batches(model: keras.Model) -> Iterator[np.ndarray]:
    """Yields grids of --data_dir's test split, or of procedural shapes of the model's classes."""
    if FLAGS.data_dir:
        grids: Any = data.load_modelnet10(FLAGS.data_dir, "test")[0]
        count, make = len(grids), grids.__getitem__
    else:
        known = [name for name in data.shapes.SHAPE_CLASSES if name in (model.class_names or ())]
        names = known or list(data.shapes.SHAPE_CLASSES)
        count = FLAGS.num_shapes

        def make(number: int) -> np.ndarray:
            seed, which = divmod(number, len(names))
            mesh = data.shapes.make_shape(names[which], FLAGS.seed + seed)
            return data.voxelize(Mesh(data.z_up_to_y_up(mesh.vertices), mesh.faces))[..., None]

    starts = range(0, count, FLAGS.batch_size)
    for start in tqdm(starts, desc="objects", unit="batch", disable=None):
        yield np.stack([make(number) for number in range(start, min(start + FLAGS.batch_size, count))])


def _facts(found: Visualization) -> list[dict[str, Any]]:
    """Returns the units with their activations, and prints them."""
    lists = {name: value for name, value in found.options.items() if isinstance(value, list)}
    records = []
    cli.print_row(["unit", "activation", *(name for name in lists if name != "examples")])
    for unit, name in enumerate(found.names):
        facts = {key: values[unit] for key, values in lists.items()}
        records.append({"unit": name, "activation": float(found.activations[unit]), **facts})
        shown = [value for key, value in facts.items() if key != "examples"]
        cli.print_row([name, records[-1]["activation"], *shown])
    return records


def _filters(output_dir: Path) -> tuple[view.Gallery, list[dict[str, Any]]]:
    """Returns the filters of all models, and saves them."""
    layer, kernels = FLAGS.layer, {}
    for name, model in _columns():
        layer, kernels[name] = features.convolution_kernel(model, layer)
    channels = None
    if FLAGS.units is not None:
        if not FLAGS.units or not all(unit.isascii() and unit.isdigit() for unit in FLAGS.units):
            raise UserError(f"--units={','.join(FLAGS.units)}: filters are numbers from 0, such as 0,1,2")
        channels = [int(unit) for unit in FLAGS.units]
    gallery = view.filter_gallery(kernels, layer, channels=channels)
    records = [
        {"model": name, "layer": layer, "weights": kernel.size, "left": int(np.count_nonzero(kernel))}
        for name, kernel in kernels.items()
    ]
    for record in records:
        print("{model}: {left:,} of {weights:,} weights of {layer} left".format(**record))
    stacked = {"names": np.array(list(kernels)), "kernels": np.stack(list(kernels.values()))}
    storage.write_npz(output_dir / "features.npz", stacked)
    return gallery, records


def _columns() -> Iterator[tuple[str, keras.Model]]:
    """Yields the models of --filters by different names; the pruned one is the second."""
    names: set[str] = set()
    for number, given in enumerate(FLAGS.model):
        name = _unique_name(Path(given).name.removesuffix(".h5").removesuffix(".weights"), names)
        yield name, _weights(given) if number else models.from_preset(given)
        if number == 0 and FLAGS.prune:
            pruned = models.from_preset(given)
            pruning.prune_magnitude(pruned, FLAGS.prune)
            yield _unique_name(f"pruned to {FLAGS.prune:.3g}, not tuned", names), pruned


def _weights(given: str) -> keras.Model:
    """Returns the model of a preset, or the first one with the weights of a file."""
    path = Path(given)
    if path.suffix not in (".npz", ".h5"):
        return models.from_preset(given)
    if not path.is_file():
        raise UserError(f"--model={given}: no such file")
    model = models.from_preset(FLAGS.model[0])
    if path.suffix == ".npz":
        pruning.load_sparse(path, model)
        return model
    try:
        model.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"--model={given}: no weights of {FLAGS.model[0]} ({reason})") from error
    return model


def _unique_name(name: str, taken: set[str]) -> str:
    unique, number = name, 1
    while unique in taken:
        number += 1
        unique = f"{name}-{number}"
    taken.add(unique)
    return unique


if __name__ == "__main__":
    cli.run(main)
