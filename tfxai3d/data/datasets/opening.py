"""Any labelled set with one call, whatever its folder holds."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from tfxai3d.data import shapes
from tfxai3d.data.datasets.modelnet import MODELNET40_CLASSES, SplitName, load_modelnet40, modelnet_files
from tfxai3d.data.datasets.split import Made, Split, Stored, relabel
from tfxai3d.data.datasets.voxels import MODELNET10_CLASSES, load_modelnet10
from tfxai3d.data.geometry import Mesh
from tfxai3d.data.orientation import rotated_grids, rotated_points, z_up_to_y_up
from tfxai3d.data.readers.loading import load_points
from tfxai3d.data.readers.reading import read
from tfxai3d.data.voxelization import poses, voxelize
from tfxai3d.errors import UserError
from tfxai3d.results.explanation import DataKind

_NUM_SHAPES = 1000


def open_dataset(
    source: str | os.PathLike[str] | None,
    kind: DataKind,
    split: SplitName = "test",
    *,
    num_points: int = 1024,
    num_examples: int | None = None,
    class_names: Sequence[str] | None = None,
    seed: int = 0,
) -> Split:
    """Opens one split of a labelled set; what the folder holds tells which set it is.

    - None: procedural shapes. The shapes of a test split differ from those of the train split of any seed.
    - `{split}_files.txt`: ModelNet40 as HDF5 shards, for points; see `load_modelnet40`.
    - `modelnet10_{split}.npz`: ModelNet10 as voxels, empty grids included; see `load_modelnet10`.
    - `<class>/{split}/*.off`: a ModelNet tree of meshes, z up, which are sampled or voxelised.

    Args:
        source: The folder, or None.
        kind: "points" or "voxels": what the network takes.
        split: "train" or "test".
        num_points: Points of a cloud.
        num_examples: The most examples to take, spread evenly over the split, or how many procedural shapes
            to make. The default is all examples, or 1,000 shapes.
        class_names: The classes that a model knows. The labels then count these, and procedural shapes are
            of these only. By default the labels count the classes of the set.
        seed: Seed of the points on meshes and of the procedural shapes, 0 or more.

    Returns:
        The split; its inputs are read, sampled or voxelised when they are asked for.

    Raises:
        UserError: If the folder holds no such split or is damaged, the model lacks one of its classes, or an
            argument is none of what it can be.
    """
    if kind not in get_args(DataKind):
        raise UserError(f"kind is {kind!r}: it must be points or voxels")
    if split not in get_args(SplitName):
        raise UserError(f"split is {split!r}: it must be train or test")
    if num_examples is not None and num_examples < 1:
        raise UserError(f"num_examples is {num_examples}: it must be at least 1")
    if source is None:
        return _procedural(kind, split, num_points, num_examples, class_names, seed)
    folder = Path(source)
    packed = f"modelnet10_{split}.npz" if kind == "voxels" else f"{split}_files.txt"
    if (folder / packed).exists():
        opened = _packed(folder, kind, split, num_points)
    elif any(folder.glob(f"*/{split}")):
        opened = _tree(folder, kind, split, num_points, seed)
    else:
        raise UserError(
            f"{folder / packed}: no such file, nor is {folder} a ModelNet tree <class>/{split}/*.off; give a "
            "folder that holds one of them"
        )
    if class_names is not None:
        labels = relabel(opened.labels, opened.class_names, class_names)
        opened = Split(labels, tuple(class_names), opened.where, opened.examples)
    return opened if num_examples is None else opened.spread(num_examples)


def known_shapes(class_names: Sequence[str] | None) -> tuple[str, ...]:
    """Returns the procedural classes that a model knows; all of them for None.

    Raises:
        UserError: If it knows none.
    """
    known = tuple(name for name in shapes.SHAPE_CLASSES if class_names is None or name in class_names)
    if not known:
        raise UserError("the model knows none of the procedural classes; give a data set")
    return known


def _procedural(
    kind: DataKind,
    split: SplitName,
    num_points: int,
    num_examples: int | None,
    class_names: Sequence[str] | None,
    seed: int,
) -> Split:
    """Opens procedural shapes. Training takes the even seeds and tests take the odd ones: none is in both."""
    known = known_shapes(class_names)
    seed = 2 * seed + (split == "test")
    labels = shapes.draw_labels(num_examples or _NUM_SHAPES, len(known), seed)

    def make(number: int, count: int) -> Iterable[np.ndarray]:
        name = known[labels[number]]
        if kind == "points":
            cloud = shapes.draw_cloud(name, num_points, seed, number)
            return rotated_points(cloud.points, count)
        return _voxelized(shapes.draw_shape(name, seed, number).z_up(), count)

    where = [{"index": i, "dataset": f"shapes, seed {seed}"} for i in range(len(labels))]
    names = known if class_names is None else tuple(class_names)
    return Split(relabel(labels, known, names), names, where, Made(np.arange(len(labels)), make))


def _packed(folder: Path, kind: DataKind, split: SplitName, num_points: int) -> Split:
    names = MODELNET10_CLASSES if kind == "voxels" else MODELNET40_CLASSES
    if kind == "voxels":
        inputs, labels = load_modelnet10(folder, split)
    else:
        inputs, labels = load_modelnet40(folder, split, num_points)
    where = [{"index": i, "dataset": str(folder), "split": split} for i in range(len(labels))]
    examples = Stored(inputs, rotated_grids if kind == "voxels" else rotated_points)
    return Split(labels, names, where, examples)


def _tree(folder: Path, kind: DataKind, split: SplitName, num_points: int, seed: int) -> Split:
    paths, labels, names = modelnet_files(folder, split)

    def make(number: int, count: int) -> Iterable[np.ndarray]:
        path = paths[number]
        if kind == "points":
            return rotated_points(z_up_to_y_up(load_points(path, num_points, seed)), count)
        geometry = read(path)
        if not isinstance(geometry, Mesh):
            raise UserError(f"{path}: has no faces; export it as a mesh")
        return _voxelized(geometry, count)

    where = [{"index": i, "file": str(path)} for i, path in enumerate(paths)]
    return Split(labels, names, where, Made(np.arange(len(labels)), make))


def _voxelized(mesh: Mesh, count: int) -> Iterator[np.ndarray]:
    """Yields the grids (32,32,32,1) of a mesh, z up, rotated about the up axis to `count` positions."""
    for rotated in poses(mesh, count):
        yield voxelize(rotated)[..., None]
