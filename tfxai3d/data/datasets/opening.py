"""Any labelled set with one call, whatever its folder holds."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np

from tfxai3d.data import shapes
from tfxai3d.data.datasets.listing import Listed, SplitName, choose_split, list_table, list_tree
from tfxai3d.data.datasets.modelnet import MODELNET40_CLASSES, load_modelnet40
from tfxai3d.data.datasets.parts import open_parts, seed_of
from tfxai3d.data.datasets.split import Made, Split, Stored, relabel
from tfxai3d.data.datasets.stored import Examples3D, load_h5, load_medmnist
from tfxai3d.data.datasets.voxels import MODELNET10_CLASSES, load_modelnet10
from tfxai3d.data.gridding import GridForm
from tfxai3d.data.orientation import rotated_grids, rotated_points
from tfxai3d.data.readers.columns import column_name, column_names, wanted
from tfxai3d.data.readers.loading import load_points
from tfxai3d.data.readers.reading import read
from tfxai3d.data.sampling import filled
from tfxai3d.errors import UserError
from tfxai3d.results.explanation import DataKind

_NUM_SHAPES = 1000
_EXAMPLES = Path(__file__).parents[1] / "examples"


@dataclasses.dataclass(frozen=True)
class _Asked:
    """What is to be opened; see `open_dataset`."""

    kind: DataKind
    split: SplitName
    num_points: int
    features: int | Sequence[str]
    seed: int
    grid: GridForm
    normalize: bool


def open_dataset(
    source: str | os.PathLike[str] | None,
    kind: DataKind,
    split: SplitName = "test",
    *,
    num_points: int = 1024,
    num_examples: int | None = None,
    class_names: Sequence[str] | None = None,
    features: int | Sequence[str] = 0,
    seed: int = 0,
    parts: bool = False,
    grid: GridForm = GridForm(),  # noqa: B008 - it is frozen
    normalize: bool = True,
) -> Split:
    """Opens one split of a labelled set; what the folder holds tells which set it is.

    - None: procedural shapes. The shapes of a test split differ from those of the train split of any seed.
    - `{split}_files.txt`: ModelNet40 as HDF5 shards, for points; see `load_modelnet40`.
    - `modelnet10_{split}.npz`: ModelNet10 as voxels, empty grids included; see `load_modelnet10`.
    - `<class>/{split}/*` or `{split}/<class>/*`: files that `read` knows, such as ModelNet's; meshes and
      clouds have z up and are sampled or voxelised. In `<class>/*` every fifth file is for testing.
    - A CSV file with the columns path, label and split (optional): the same for the files that it names.
    - `adrenalmnist3d_examples`: eight volumes that come with the package, all of them for testing.
    - An NPZ file of MedMNIST, for voxels, see `load_medmnist`; an H5 file, see `load_h5`.

    Clouds of fewer than `num_points` points are filled up with copies, which a max does not see.

    Args:
        source: The folder or file, the name of the embedded examples, or None.
        kind: "points" or "voxels": what the network takes.
        split: "train", "test" or "val"; few sets have the last.
        num_points: Points of a cloud.
        num_examples: The most examples to take, spread evenly over the split, or how many procedural shapes
            to make. The default is all examples, or 1,000 shapes.
        class_names: The classes that a model knows. The labels then count these, and procedural shapes are
            of these only. By default the labels count the classes of the set.
        features: Columns of clouds that the network takes after x y z, by name, or how many there are; see
            `load_points`. Those of arrays without names are called column_4 and so on.
        seed: Seed of the points on meshes and of the procedural shapes, 0 or more.
        parts: Label each point with the part that it lies on, such as "chair/leg", rather than each example
            with its class, see `shapes.draw_parts`. Procedural shapes alone have such labels.
        grid: What grids the network takes, of voxels.
        normalize: Whether clouds of single files are moved and scaled into the unit sphere.

    Returns:
        The split; its inputs are read, sampled or voxelised when they are asked for.

    Raises:
        UserError: If the folder holds no such split or is damaged, the model lacks one of its classes, or an
            argument is none of what it can be.
    """
    if kind not in get_args(DataKind):
        raise UserError(f"kind is {kind!r}: it must be points or voxels")
    if split not in get_args(SplitName):
        raise UserError(f"split is {split!r}: it must be train, val or test")
    if num_examples is not None and num_examples < 1:
        raise UserError(f"num_examples is {num_examples}: it must be at least 1")
    if features and (kind == "voxels" or source is None):
        raise UserError(f"features: {'voxels' if source else 'procedural shapes'} have none; leave them out")
    if parts:
        if source is not None or kind != "points":
            raise UserError("parts are known of points of procedural shapes alone; leave data_dir out")
        return open_parts(split, num_points, num_examples or _NUM_SHAPES, class_names, seed)
    asked = _Asked(kind, split, num_points, features, seed, grid, normalize)
    if source is None:
        return _procedural(asked, num_examples, class_names)
    opened = _open(Path(source), asked)
    if class_names is not None:
        labels = relabel(opened.labels, opened.class_names, class_names)
        opened = dataclasses.replace(opened, labels=labels, class_names=tuple(class_names))
    return opened if num_examples is None else opened.spread(num_examples)


def _open(source: Path, asked: _Asked) -> Split:
    """Opens a split of the set that a file or folder holds."""
    kind, split = asked.kind, asked.split
    packed = f"modelnet10_{split}.npz" if kind == "voxels" else f"{split}_files.txt"
    if source.is_dir():
        if (source / packed).exists():
            if asked.features:
                raise UserError(f"{source / packed}: features: these clouds have none; leave them out")
            return _packed(source, asked)
        if listed := list_tree(source):
            return _of_files(source, listed, asked)
        raise UserError(
            f"{source / packed}: no such file, nor is {source} a tree <class>/{split}/* or "
            f"{split}/<class>/* of files; give a folder that holds one of them, or a CSV, NPZ or H5 file"
        )
    if not source.exists() and (embedded := _EXAMPLES / f"{source}.npz").is_file():
        source = embedded
    if not source.is_file():
        raise UserError(f"{source}: no such file or folder; check the path")
    suffix = source.suffix.lower()
    if suffix in (".csv", ".tsv", ".txt"):
        return _of_files(source, list_table(source), asked)
    if suffix == ".npz" and kind == "voxels":
        return _volumes(source, load_medmnist(source, split), asked)
    if suffix in (".h5", ".hdf5"):
        found = load_h5(source, kind, split)
        if kind == "voxels":
            return _volumes(source, found, asked)
        return _clouds(source, found, asked)
    raise UserError(f"{source}: is no data set of {kind}; give a folder, or a CSV, MedMNIST NPZ or H5 file")


def known_shapes(class_names: Sequence[str] | None) -> tuple[str, ...]:
    """Returns the procedural classes that a model knows; all of them for None.

    Raises:
        UserError: If it knows none.
    """
    known = tuple(name for name in shapes.SHAPE_CLASSES if class_names is None or name in class_names)
    if not known:
        raise UserError("the model knows none of the procedural classes; give a data set")
    return known


def _procedural(asked: _Asked, num_examples: int | None, class_names: Sequence[str] | None) -> Split:
    """Opens procedural shapes."""
    known = known_shapes(class_names)
    seed = seed_of(asked.split, asked.seed)
    labels = shapes.draw_labels(num_examples or _NUM_SHAPES, len(known), seed)

    def make(number: int, count: int) -> Iterable[np.ndarray]:
        name = known[labels[number]]
        if asked.kind == "points":
            cloud = shapes.draw_cloud(name, asked.num_points, seed, number)
            return rotated_points(cloud.points, count)
        return asked.grid.views(shapes.draw_shape(name, seed, number).z_up(), count)

    where = [{"index": i, "dataset": f"shapes, seed {seed}"} for i in range(len(labels))]
    names = known if class_names is None else tuple(class_names)
    return Split(relabel(labels, known, names), names, where, Made(np.arange(len(labels)), make))


def _packed(folder: Path, asked: _Asked) -> Split:
    voxels, split = asked.kind == "voxels", asked.split
    names = MODELNET10_CLASSES if voxels else MODELNET40_CLASSES
    if voxels:
        inputs, labels = load_modelnet10(folder, split)
        inputs = asked.grid.of_volumes(inputs)
    else:
        inputs, labels = load_modelnet40(folder, split, asked.num_points)
    where = [{"index": i, "dataset": str(folder), "split": split} for i in range(len(labels))]
    examples = Stored(inputs, rotated_grids if voxels else rotated_points)
    return Split(labels, names, where, examples)


def _of_files(source: Path, listed: list[Listed], asked: _Asked) -> Split:
    """Opens files one by one; what has no up axis by its nature is taken to have z up."""
    classes, splits = [one.class_name for one in listed], [one.split for one in listed]
    chosen = choose_split(source, classes, splits, asked.split)
    paths = [listed[number].path for number in chosen.numbers]

    def make(number: int, count: int) -> Iterable[np.ndarray]:
        if asked.kind == "points":
            given: Any = {"normalize": asked.normalize, "up": "z", "features": asked.features}
            points = load_points(paths[number], asked.num_points, asked.seed, **given)
            return rotated_points(filled(points, asked.num_points, asked.seed), count)
        return asked.grid.views(read(paths[number], kind="voxels"), count)

    where = [{"index": i, "file": str(path)} for i, path in enumerate(paths)]
    if source.is_file():
        where = [place | {"dataset": str(source)} for place in where]
    names = () if isinstance(asked.features, int) else tuple(map(column_name, asked.features))
    return Split(chosen.labels, chosen.class_names, where, Made(np.arange(len(paths)), make), names)


def _volumes(source: Path, found: Examples3D, asked: _Asked) -> Split:
    examples = Stored(asked.grid.of_volumes(found.inputs), rotated_grids)
    return Split(found.labels, found.class_names, _places(source, found, asked.split), examples)


def _clouds(source: Path, found: Examples3D, asked: _Asked) -> Split:
    """Opens stored clouds (M,N,C), x y z first."""
    num_points, count, known = asked.num_points, found.inputs.shape[1], column_names(found.inputs.shape[2])
    if count < num_points:
        raise UserError(f"{source}: clouds have {count} points, {num_points} were asked for")
    try:
        names = wanted(known[3:], asked.features)
    except UserError as error:
        raise UserError(f"{source}: {error}") from error
    columns = [known.index(name) for name in ("x", "y", "z", *names)]
    points = np.ascontiguousarray(found.inputs[:, :num_points, columns])
    where = _places(source, found, asked.split)
    return Split(found.labels, found.class_names, where, Stored(points, rotated_points), tuple(names))


def _places(source: Path, found: Examples3D, split: SplitName) -> list[dict[str, Any]]:
    return [{"index": int(i), "dataset": str(source), "split": split} for i in found.numbers]
