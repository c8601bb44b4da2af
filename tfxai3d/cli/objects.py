"""The objects that an app explains, found by the flags that several apps share."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from tfxai3d import data
from tfxai3d.data.geometry import Mesh, PointCloud
from tfxai3d.data.voxelization import voxelize, voxelize_points
from tfxai3d.errors import UserError
from tfxai3d.storage.writing import file_name

flags.disclaim_key_flags()  # the flags belong to the app that calls `define_flags`
FLAGS = flags.FLAGS


@dataclasses.dataclass(frozen=True)
class Object:
    """One cloud or grid to explain.

    Attributes:
        name: Different for all objects, also where case is ignored: their folders are called so.
        inputs: float32 points (N,3), y up, or voxels (D,H,W,1), z up.
        label: The class to explain; None for the predicted one.
    """

    name: str
    inputs: np.ndarray
    label: str | None


def define_flags(shapes: Sequence[str]) -> None:
    """Defines the flags that `find_objects` reads; `shapes` is what is explained without any of them."""
    flags.DEFINE_list(
        "shape", list(shapes), "Procedural objects, used when neither --input nor --data_dir is given."
    )
    flags.DEFINE_list("input", None, "Files to explain: meshes, clouds or arrays.")
    flags.DEFINE_string(
        "data_dir",
        None,
        "ModelNet40 HDF5 folder, ModelNet tree of OFF files or, for voxel networks, folder of "
        "modelnet10_test.npz; its test split is used.",
    )
    flags.DEFINE_list(
        "label", None, "True class, by default the predicted one; with --data_dir one or several, needed."
    )
    flags.DEFINE_list(
        "index", ["0"], "Which examples of --label, of --shape, or of --input files with several."
    )
    flags.DEFINE_enum("up", "y", ["y", "z"], "Up axis of the --input files; ModelNet's OFF files have z.")
    flags.DEFINE_integer("num_points", 1024, "Points of an object.", lower_bound=10)


def find_objects(kind: str = "points") -> list[Object]:
    """Returns what the flags of `define_flags` and the flag --seed ask for.

    Args:
        kind: "points" or "voxels".

    Raises:
        UserError: If the flags contradict each other, ask for nothing, or for what is not there.
    """
    if FLAGS.input is not None and FLAGS.data_dir:
        raise UserError("give --input or --data_dir, not both")
    if FLAGS.data_dir:
        found = _of_data_set(kind)
    elif FLAGS.input is not None:
        found = _of_files(kind)
    else:
        found = _shapes(kind)
    return with_unique_names(found)


def load_test_split(kind: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Returns the inputs of --data_dir's test split, their labels and the class names these count."""
    folder = FLAGS.data_dir
    if kind == "voxels":
        return *data.load_modelnet10(folder, "test"), data.MODELNET10_CLASSES
    if (Path(folder) / "test_files.txt").exists():
        return *data.load_modelnet40(folder, "test", FLAGS.num_points), data.MODELNET40_CLASSES
    return data.load_modelnet_tree(folder, "test", FLAGS.num_points, seed=FLAGS.seed)


def with_unique_names(objects: Iterable[Object]) -> list[Object]:
    """Makes names that folders can have, and numbers objects of the same name, also where only case differs.

    Raises:
        UserError: If there is no object.
    """
    apart: dict[str, Object] = {}
    for item in objects:
        own = file_name(item.name)  # it comes from a file, a label or a table: "..", "a/b"
        names = itertools.chain([own], (f"{own}-{number}" for number in itertools.count(2)))
        name = next(name for name in names if name.casefold() not in apart)
        apart[name.casefold()] = dataclasses.replace(item, name=name)
    if not apart:
        raise UserError("nothing to explain: give --shape, --input or --data_dir")
    return list(apart.values())


def indices() -> list[int]:
    """Returns --index as numbers.

    Raises:
        UserError: If it holds anything but numbers from 0.
    """
    try:
        numbers = [int(text) for text in FLAGS.index]
    except ValueError:
        numbers = [-1]
    if min(numbers, default=-1) < 0:
        raise UserError(f"--index={','.join(FLAGS.index)}: give numbers from 0, such as 0,1,2")
    return numbers


def class_number(name: str | None, names: Sequence[str] | None, flag: str = "") -> int | None:
    """Returns the number of a class, None for None.

    Raises:
        UserError: If the model does not know it; `flag` says where it came from.
    """
    if name is None:
        return None
    if name not in (names or ()):
        raise UserError(
            f"{flag}{name!r} is no class of the model {FLAGS.model!r}; it knows {', '.join(names or ())}"
        )
    return list(names or ()).index(name)


def _of_files(kind: str) -> Iterator[Object]:
    read = _file_voxels if kind == "voxels" else _file_points
    for path, index in itertools.product(FLAGS.input, indices()):
        name = Path(path).stem if FLAGS.index == ["0"] else f"{Path(path).stem}_{index}"
        yield Object(name, read(path, index), _one_label())


def _file_points(path: str, index: int) -> np.ndarray:
    points = data.load_points(path, FLAGS.num_points, FLAGS.seed, index)
    return data.z_up_to_y_up(points) if FLAGS.up == "z" else points


def _file_voxels(path: str, index: int) -> np.ndarray:
    geometry = data.read(path, index)
    turned: Callable[[np.ndarray], np.ndarray] = data.z_up_to_y_up if FLAGS.up == "y" else np.asarray
    if isinstance(geometry, Mesh):
        return _grid(voxelize(Mesh(turned(geometry.vertices), geometry.faces)))
    if isinstance(geometry, PointCloud):
        return _grid(voxelize_points(turned(geometry.points)))
    return _grid(geometry.occupancy)


def _shapes(kind: str) -> Iterator[Object]:
    for shape, seed in itertools.product(FLAGS.shape, indices()):
        mesh = data.shapes.make_shape(shape, seed)
        if kind == "voxels":
            inputs = _grid(voxelize(Mesh(data.z_up_to_y_up(mesh.vertices), mesh.faces)))
        else:
            inputs = data.shapes.sample_shape(mesh, FLAGS.num_points, FLAGS.seed).points
        yield Object(f"{shape}_{seed}", inputs, _one_label() or shape)


def _one_label() -> str | None:
    if FLAGS.label and len(FLAGS.label) > 1:
        raise UserError(f"--label={','.join(FLAGS.label)}: give one class; several need --data_dir")
    return FLAGS.label[0] if FLAGS.label else None


def _of_data_set(kind: str) -> Iterator[Object]:
    if not FLAGS.label:
        raise UserError("--data_dir needs --label, the class to explain, such as --label=chair")
    numbers = indices()
    for label, inputs in _examples(kind, max(numbers) + 1):
        for index in numbers:
            if index >= len(inputs):
                raise UserError(f"--index={index}: --data_dir has {len(inputs)} test examples of {label!r}")
            yield Object(f"{label}_{index}", inputs[index].astype(np.float32), label)


def _examples(kind: str, limit: int) -> Iterator[tuple[str, np.ndarray | list[np.ndarray]]]:
    """Yields each class of --label and its first examples: at least `limit`, or all there are."""
    stored = "modelnet10_test.npz" if kind == "voxels" else "test_files.txt"
    if (Path(FLAGS.data_dir) / stored).exists():
        known = data.MODELNET10_CLASSES if kind == "voxels" else data.MODELNET40_CLASSES
        for label in FLAGS.label:
            if label not in known:
                raise UserError(f"--label={label}: choose from {', '.join(known)}")
        inputs, labels, _ = load_test_split(kind)
        yield from ((label, inputs[labels == known.index(label)]) for label in FLAGS.label)
        return
    for label in FLAGS.label:
        wanted: dict[str, Any] = {"classes": [label], "limit": limit}
        if kind == "voxels":
            paths, _, _ = data.modelnet_files(FLAGS.data_dir, "test", **wanted)
            meshes = map(data.read, paths)
            yield label, [_grid(voxelize(mesh)) for mesh in meshes if isinstance(mesh, Mesh)]
        else:
            tree = data.load_modelnet_tree(
                FLAGS.data_dir, "test", FLAGS.num_points, seed=FLAGS.seed, **wanted
            )
            yield label, tree[0]


def _grid(occupancy: np.ndarray) -> np.ndarray:
    return occupancy[..., None].astype(np.float32)
