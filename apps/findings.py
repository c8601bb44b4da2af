"""Puts the claims of the papers into numbers: where importance lies, and whether it survives pruning.

  python apps/findings.py                        # procedural objects, nothing to download
  python apps/findings.py --modelnet40=.../modelnet40_ply_hdf5_2048 --modelnet10=.../modelnet10_voxels

* Edges and corners matter, planes do not: the share of each method's importance that lies on points near
  creases and corners, known exactly for procedural objects, against their share of the points; and on the
  fifth of ModelNet40's points where the surface varies most.
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
from typing import TYPE_CHECKING, Any

import numpy as np
from absl import flags
from tqdm import tqdm

from tfxai3d import cli, data, evaluate, explain, models, storage
from tfxai3d.data.geometry import Mesh
from tfxai3d.data.voxelization import voxelize
from tfxai3d.errors import UserError

if TYPE_CHECKING:
    import keras

FLAGS = flags.FLAGS
flags.DEFINE_list("points_models", ["pointnet_shapes"], "Presets of point networks.")
flags.DEFINE_list("voxel_models", ["vrn_half_modelnet10"], "Presets of voxel networks.")
flags.DEFINE_list("pruned", [], "Pairs original=pruned of presets or folders whose maps are compared.")
flags.DEFINE_list(
    "methods",
    [
        "vanilla_gradient",
        "gradient_times_input",
        "guided_backprop",
        "deconvnet",
        "integrated_gradients",
        "smooth_grad",
        "grad_cam",
        "p_grad_cam",
        "critical_points",
        "point_saliency",
    ],
    "Methods for point networks.",
)
flags.DEFINE_string("modelnet40", None, "ModelNet40 HDF5 folder, for its test split as well.")
flags.DEFINE_string("modelnet10", None, "Folder of modelnet10_test.npz; else procedural objects in voxels.")
flags.DEFINE_integer("examples", 100, "Objects of each data set, spread over it evenly.", lower_bound=2)
flags.DEFINE_integer("num_points", 1024, "Points of an object.", lower_bound=20)
flags.DEFINE_integer("batch_size", 16, "The most examples the network sees at once.", lower_bound=1)
flags.DEFINE_integer("seed", 0, "Seed of the random methods and the bootstrap.", lower_bound=0)
flags.DEFINE_string("output_dir", "out/findings", "Folder of the results.")

_VOXEL_METHODS = ("vanilla_gradient", "gradient_times_input", "integrated_gradients")


def main(argv: list[str]) -> None:
    """Measures and prints section by section."""
    output_dir = Path(FLAGS.output_dir)
    cli.check_output_dir(output_dir)
    cli.load_tensorflow()
    for method in FLAGS.methods:
        explain.get(method)
    pairs = [_pair(text) for text in FLAGS.pruned]
    sections = [*_on_edges(), *_on_varied_surface(), *_in_empty_space(), *_after_pruning(pairs)]
    text = "\n\n".join(["# Findings", *sections]) + "\n"
    with storage.atomic_path(output_dir / "findings.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
    cli.write_report(__name__, output_dir, {})
    print(text, end="")


def _on_edges() -> Iterator[str]:
    for name in FLAGS.points_models:
        model = _model(name, "points")
        made, labels = _procedural(f"--points_models={name}", model)
        chosen = made.features != data.shapes.FLAT
        rows = [
            _share_row(method, importance, chosen)
            for method, importance in _maps(model, FLAGS.methods, made.points, labels)
        ]
        yield (
            f"## Points near edges and corners: `{name}`, {len(labels)} procedural objects\n\n"
            f"{chosen.mean():.1%} of the points lie there.\n\n" + _shares(rows)
        )


def _on_varied_surface() -> Iterator[str]:
    if not FLAGS.modelnet40:
        return
    points, labels = data.load_modelnet40(FLAGS.modelnet40, "test", FLAGS.num_points)
    points, labels = _spread(points), _spread(labels)
    variation = np.stack([evaluate.surface_variation(cloud) for cloud in points])
    distance = np.linalg.norm(points, axis=-1)
    chosen = variation >= np.quantile(variation, 0.8, axis=1, keepdims=True)
    for name in FLAGS.points_models:
        model = _model(name, "points")
        if model.class_names != data.MODELNET40_CLASSES:
            continue
        rows = []
        for method, importance in _maps(model, FLAGS.methods, points, labels):
            found = [evaluate.rank_correlation(np.abs(importance), other) for other in (variation, distance)]
            correlations = [_interval(correlation, "{:+.2f}") for correlation in found]
            rows.append([*_share_row(method, importance, chosen), *correlations])
        yield (
            f"## Where the surface varies: `{name}`, {len(labels)} objects of ModelNet40's test split\n\n"
            "The fifth of each object's points with the largest surface variation (20 neighbours), and rank "
            "correlations over all points: of importance and variation, and of importance and the distance "
            "from the centre.\n\n" + _shares(rows, "with the variation", "with the distance")
        )


def _in_empty_space() -> Iterator[str]:
    for name in FLAGS.voxel_models:
        model = _model(name, "voxels")
        grids, labels, source = _grids(model)
        empty = grids[..., 0] <= 0
        maps = dict(_maps(model, _VOXEL_METHODS, grids, labels))
        rows = [
            [f"`{method}`", _interval(evaluate.importance_fraction(importance, empty))]
            for method, importance in maps.items()
        ]
        agreement = []
        for one, other in (_VOXEL_METHODS[:2], _VOXEL_METHODS[1:], _VOXEL_METHODS[::2]):
            everywhere = evaluate.rank_correlation(np.abs(maps[one]), np.abs(maps[other]))
            occupied = _correlation_within(~empty, maps[one], maps[other])
            agreement.append(
                [f"`{one}`, `{other}`", _interval(everywhere, "{:+.2f}"), _interval(occupied, "{:+.2f}")]
            )
        yield (
            f"## Importance in empty voxels: `{name}`, {len(labels)} {source}\n\n"
            f"{empty.mean():.1%} of the voxels are empty.\n\n"
            + _table(["method", "share in empty voxels"], rows)
            + "\n\nRank correlations of the maps of two methods:\n\n"
            + _table(["methods", "all voxels", "occupied voxels"], agreement)
        )


def _after_pruning(pairs: list[tuple[str, str]]) -> Iterator[str]:
    for original, pruned in pairs:
        nets = [models.from_preset(name) for name in (original, pruned)]
        kind = nets[0].data_kind
        if kind == "voxels":
            inputs, labels, source = _grids(nets[0])
            methods: tuple[str, ...] = _VOXEL_METHODS
        else:
            inputs, labels, source = _clouds(nets[0])
            methods = tuple(FLAGS.methods)
        there = np.ones(inputs.shape[:-1], bool) if kind == "points" else inputs[..., 0] > 0
        part = "points" if kind == "points" else "occupied voxels"
        rows = []
        for (method, before), (_, after) in zip(
            *(_maps(net, methods, inputs, labels) for net in nets), strict=True
        ):
            correlation = _correlation_within(there, before, after)
            rows.append([f"`{method}`", _interval(correlation, "{:+.2f}")])
            rows[-1] += _deletion(nets, inputs, labels, before, after)
        chance = np.random.default_rng(FLAGS.seed).random(inputs.shape[:-1])
        rows.append(["random", "-", *_deletion(nets, inputs, labels, chance, chance)])
        columns = ["rank correlation of the maps", "original", "pruned", "pruned, by the original's map"]
        names = " and ".join(f"`{Path(name).name}`" for name in (original, pruned))
        yield (
            f"## Before and after pruning: {names}, {len(labels)} {source}\n\n"
            f"Correlations are over the {part}; the last three columns are confidence in the true class "
            f"without the most important 5, 10, 15 and 20 % of the {part}, mean of the four: the less, the "
            "better the map.\n\n" + _table(["method", *columns], rows)
        )


def _deletion(
    nets: list[keras.Model], inputs: np.ndarray, labels: np.ndarray, before: np.ndarray, after: np.ndarray
) -> list[str]:
    """Returns the deletion scores of the original and the pruned network, and of this by the other's map."""
    cases = ((nets[0], before), (nets[1], after), (nets[1], before))
    return [_interval(evaluate.deletion_score(net, inputs, labels, by), "{:.2f}") for net, by in cases]


def _maps(
    model: keras.Model, methods: Any, inputs: np.ndarray, labels: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """Yields each method's importance of the true classes."""
    for method in methods:
        options: dict[str, Any] = {"batch_size": FLAGS.batch_size}
        if method in ("smooth_grad", "var_grad"):
            options["seed"] = FLAGS.seed
        explainer = explain.get(method)(model, **options)
        some = [slice(i, i + FLAGS.batch_size) for i in range(0, len(inputs), FLAGS.batch_size)]
        bar = tqdm(some, desc=f"{model.name} {method}", unit="batch", disable=None)
        yield method, np.concatenate([explainer(inputs[part], labels[part]).importance for part in bar])


def _clouds(model: keras.Model) -> tuple[np.ndarray, np.ndarray, str]:
    """Returns clouds, labels as `model` counts them, and what they are."""
    if model.class_names == data.MODELNET40_CLASSES and FLAGS.modelnet40:
        points, labels = data.load_modelnet40(FLAGS.modelnet40, "test", FLAGS.num_points)
        return _spread(points), _spread(labels), "objects of ModelNet40's test split"
    made, labels = _procedural(model.name, model)
    return made.points, labels, "procedural objects"


def _procedural(name: str, model: keras.Model) -> tuple[data.shapes.ShapesDataset, np.ndarray]:
    """Returns clouds of the procedural classes that the model `name` knows, and labels as it counts them."""
    known = tuple(shape for shape in data.shapes.SHAPE_CLASSES if shape in model.class_names)
    if not known:
        raise UserError(f"{name} knows none of the procedural classes")
    # Seed 1 is the test set of pointnet_shapes; no shipped network was trained on it.
    made = data.shapes.make_dataset(FLAGS.examples, FLAGS.num_points, 1, known)
    return made, data.relabel(made.labels, known, model.class_names)


def _grids(model: keras.Model) -> tuple[np.ndarray, np.ndarray, str]:
    """Returns grids that are not empty, labels as `model` counts them, and what they are."""
    if FLAGS.modelnet10:
        if model.class_names != data.MODELNET10_CLASSES:
            raise UserError(f"{model.name}: not a network of ModelNet10's classes; leave --modelnet10 out")
        grids, labels = data.load_modelnet10(FLAGS.modelnet10, "test")
        full = grids.any(axis=(1, 2, 3, 4))
        grids, labels = _spread(grids[full]), _spread(labels[full])
        return grids.astype(np.float32), labels, "grids of ModelNet10's test split"
    known = [shape for shape in data.shapes.SHAPE_CLASSES if shape in model.class_names]
    shapes = [(known[i % len(known)], 10_000 + i) for i in range(FLAGS.examples)]
    meshes = [data.shapes.make_shape(*shape) for shape in shapes]
    upright = [Mesh(data.z_up_to_y_up(mesh.vertices), mesh.faces) for mesh in meshes]
    grids = np.stack([voxelize(mesh) for mesh in upright])[..., None].astype(np.float32)
    labels = data.relabel(np.arange(len(grids)) % len(known), known, model.class_names)
    return grids, labels, "procedural objects"


def _correlation_within(part: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Rank correlation of the absolute maps over a part of each example alone, bool like them; (B,)."""
    return np.concatenate(
        [
            evaluate.rank_correlation(np.abs(first[here])[None], np.abs(second[here])[None])
            for first, second, here in zip(one, other, part, strict=True)
        ]
    )


def _spread(array: np.ndarray) -> np.ndarray:
    """Takes --examples of the rows, evenly."""
    return array[np.linspace(0, len(array) - 1, min(FLAGS.examples, len(array))).astype(int)]


def _share_row(method: str, importance: np.ndarray, chosen: np.ndarray) -> list[str]:
    share = evaluate.importance_fraction(importance, chosen)
    return [f"`{method}`", _interval(share), _interval(share / chosen.mean(axis=1), "{:.2f}")]


def _shares(rows: list[list[str]], *more: str) -> str:
    return _table(["method", "share of importance", "share / share of points", *more], rows)


def _interval(values: np.ndarray, form: str = "{:.1%}") -> str:
    found = evaluate.bootstrap_mean(values, FLAGS.seed)
    mean, low, high = (form.format(value) for value in found)
    return f"{mean} ({low} to {high})"


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def _model(name: str, kind: str) -> keras.Model:
    model = models.from_preset(name)
    if model.data_kind != kind:
        raise UserError(f"{name} is a network of {model.data_kind}, not of {kind}")
    return model


def _pair(text: str) -> tuple[str, str]:
    original, equals, pruned = text.partition("=")
    if not (original and equals and pruned):
        raise UserError(f"--pruned={text}: give pairs original=pruned")
    return original, pruned


if __name__ == "__main__":
    cli.run(main)
