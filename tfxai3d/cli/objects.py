"""The objects that an app explains, found by the flags of the group `OBJECTS`."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from absl import flags

from tfxai3d import data, explain
from tfxai3d.data.geometry import Volume
from tfxai3d.errors import UserError
from tfxai3d.results.explanation import DataKind
from tfxai3d.storage.writing import file_name

FLAGS = flags.FLAGS


@dataclasses.dataclass(frozen=True)
class Scan:
    """A file that a grid was made of, and where its voxels are.

    Attributes:
        path: The file, or the folder of a DICOM series.
        shape: Its voxels (D,H,W,C), before they were brought to the size that the network takes.
        affine: As `Explanation` says, float64 (4,4); None where the file does not say it.
    """

    path: Path
    shape: tuple[int, ...]
    affine: np.ndarray | None


@dataclasses.dataclass(frozen=True)
class Object:
    """One cloud or grid to explain.

    Attributes:
        name: Different for all objects, also where case is ignored: their folders are called so.
        inputs: float32, as the network takes it: points (N,3+F), y up, or voxels (D,H,W,C), z up.
        label: The class to explain; None for the predicted one.
        scan: What the inputs were made of, if it is a volume.
    """

    name: str
    inputs: np.ndarray
    label: str | None
    scan: Scan | None = None


def find_objects(net: explain.Network | None = None) -> list[Object]:
    """Returns what the flags of `OBJECTS` ask for, as the network takes it.

    Args:
        net: The network; without it clouds of --num_points, so that mistakes are found before it is loaded.

    Raises:
        UserError: If the flags contradict each other, ask for nothing, or for what is not there.
    """
    if FLAGS.input is not None and FLAGS.data_dir:
        raise UserError("give --input or --data_dir, not both")
    if FLAGS.data_dir:
        found = _of_data_set(net)
    elif FLAGS.input is not None:
        found = _of_files(net)
    else:
        found = _shapes(net)
    return with_unique_names(found)


def open_split(
    net: explain.Network | None,
    num_examples: int | None = None,
    split: Literal["train", "test"] = "test",
    class_names: Sequence[str] | None = None,
) -> data.Split:
    """Returns a split of --data_dir, of procedural shapes without it, as the network takes it.

    Args:
        net: The network; clouds of --num_points without it.
        num_examples: See `data.open_dataset`, as the others.
        split: Which.
        class_names: What the labels count; by default the classes of the set.
    """
    return data.open_dataset(
        FLAGS.data_dir,
        "points" if net is None else net.kind,
        split,
        num_points=num_points(net),
        num_examples=num_examples,
        class_names=class_names,
        seed=FLAGS.seed,
    )


def open_splits(
    kind: DataKind, num_points: int, class_names: tuple[str, ...] | None = None
) -> tuple[data.Split, data.Split]:
    """Opens both splits of --data_dir, or makes --num_train and --num_test procedural shapes."""
    options: dict[str, Any] = {"num_points": num_points, "class_names": class_names, "seed": FLAGS.seed}
    train, test = (None, None) if FLAGS.data_dir else (FLAGS.num_train, FLAGS.num_test)
    return (
        data.open_dataset(FLAGS.data_dir, kind, "train", num_examples=train, **options),
        data.open_dataset(FLAGS.data_dir, kind, "test", num_examples=test, **options),
    )


def open_validation(kind: DataKind, num_points: int) -> data.Split:
    """Opens the split val of --data_dir.

    Raises:
        UserError: If it has none.
    """
    return data.open_dataset(FLAGS.data_dir, kind, "val", num_points=num_points, seed=FLAGS.seed)


def open_labelled(
    net: explain.Network, num_examples: int | None = None, split: Literal["train", "test"] = "test"
) -> data.Split:
    """Returns a split, as `open_split` does, whose labels are classes of the network.

    Raises:
        UserError: If the network has fewer classes.
    """
    found = open_split(net, num_examples, split, net.class_names)
    check_labels(net, found)
    return found


def check_labels(net: explain.Network, split: data.Split) -> None:
    """Raises a UserError if a network names no classes and has not as many as the data set."""
    if net.class_names is None and net.classes not in (None, len(split.class_names)):
        raise UserError(
            f"{net.name} has {net.classes} classes and the data set {len(split.class_names)}: say which by "
            "--class_names"
        )


def num_points(net: explain.Network | None) -> int:
    """Returns --num_points, or the number that the network takes if it takes no other."""
    shape = None if net is None or net.kind == "voxels" else net.layout.last()
    return int((shape and shape[0]) or FLAGS.num_points)


def fitted(inputs: np.ndarray, net: explain.Network | None) -> np.ndarray:
    """Returns clouds (...,N,F) or grids (...,D,D,D,C) as coarse as the network takes them, in its format."""
    if net is None:
        return inputs
    shape, places = net.layout.last(), 1 if net.kind == "points" else 3
    if places == 3 and shape is not None and None not in shape:
        inputs = _coarse(inputs, shape)
    if net.shape is not None and len(net.shape) == places:
        return inputs[..., 0]
    return np.moveaxis(inputs, -1, -1 - places) if net.data_format == "channels_first" else inputs


def _coarse(inputs: np.ndarray, shape: tuple[int | None, ...]) -> np.ndarray:
    size, sides = int(shape[0] or 1), inputs.shape[-4:-1]
    if len({*shape[:3]}) > 1 or len({*sides}) > 1 or sides[0] == size or sides[0] % size:
        return inputs  # an error of the network's if it does not fit
    grids = np.asarray(data.coarsen(inputs.reshape((-1, *inputs.shape[-4:])), size))
    return grids.reshape((*inputs.shape[:-4], *grids.shape[1:]))


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


def class_numbers(objects: Iterable[Object], class_names: Sequence[str] | None) -> list[int | None]:
    """Returns the class of each object as the model counts it, None for the predicted one.

    A model that names no classes is asked why it predicts what it does, unless --label says otherwise.

    Raises:
        UserError: If the model does not know one.
    """
    if class_names is None and not FLAGS.label:
        return [None for _ in objects]
    return [None if item.label is None else explain.class_number(item.label, class_names) for item in objects]


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


def _of_files(net: explain.Network | None) -> Iterator[Object]:
    for path, index in itertools.product(FLAGS.input, indices()):
        stem = Path(re.sub(r"\.gz$", "", path, flags=re.IGNORECASE)).stem
        name = stem if FLAGS.index == ["0"] else f"{stem}_{index}"
        scan = None
        if net is not None and net.kind == "voxels":
            found = data.read(path, index, "voxels", array=FLAGS.array)
            inputs = data.to_grid(found, up=FLAGS.up, shape=_asked_shape(net))
            if isinstance(found, Volume) and (found.oriented or Path(path).suffix.lower() == ".npy"):
                scan = Scan(Path(path), found.values.shape, found.affine if found.oriented else None)
        else:
            options = {"features": _features(net), "up": FLAGS.up, "array": FLAGS.array}
            inputs = data.load_points(path, num_points(net), FLAGS.seed, index, **options)
        inputs = fitted(inputs, net)
        if net is not None and scan is not None and not net.layout.fits(inputs.shape):
            taken = net.layout.last() or (None,)
            remedy = "give --resample" if taken[-1] in (None, scan.shape[-1]) else "give its channels"
            raise UserError(f"{path}: is a volume {scan.shape}, the network takes {taken}; {remedy}")
        yield Object(name, inputs, _one_label(), scan)


def _features(net: explain.Network | None) -> int | Sequence[str]:
    """Returns --features, or how many columns the network takes after x y z."""
    shape = None if net is None else net.layout.last()
    if FLAGS.features or shape is None:
        return FLAGS.features or 0
    return (shape[-1] or 3) - 3


def _asked_shape(net: explain.Network) -> tuple[int, int, int] | None:
    """Returns the network's voxels along the axes if --resample asks for them."""
    if not FLAGS.resample:
        return None
    depth, height, width = (net.layout.last() or (None, None, None))[:3]
    if not (depth and height and width):
        raise UserError("--resample: the network takes grids of any size; leave it out")
    return depth, height, width


def _shapes(net: explain.Network | None) -> Iterator[Object]:
    for shape, seed in itertools.product(FLAGS.shape, indices()):
        mesh = data.shapes.make_shape(shape, seed)
        if net is not None and net.kind == "voxels":
            inputs = data.voxelize(mesh.z_up())[..., None].astype(np.float32)
        else:
            inputs = data.shapes.sample_shape(mesh, num_points(net), FLAGS.seed).points
        yield Object(f"{shape}_{seed}", fitted(inputs, net), _one_label() or shape)


def _one_label() -> str | None:
    if FLAGS.label and len(FLAGS.label) > 1:
        raise UserError(f"--label={','.join(FLAGS.label)}: give one class; several need --data_dir")
    return FLAGS.label[0] if FLAGS.label else None


def _of_data_set(net: explain.Network | None) -> Iterator[Object]:
    if not FLAGS.label:
        raise UserError("--data_dir needs --label, the class to explain, such as --label=chair")
    split = open_split(net)
    known = split.class_names
    for label, index in itertools.product(FLAGS.label, indices()):
        if label not in known:
            raise UserError(
                f"--label={label}: no class {label!r} in --data_dir; choose from {', '.join(known)}"
            )
        examples = np.flatnonzero(split.labels == known.index(label))
        if index >= len(examples):
            raise UserError(f"--index={index}: --data_dir has {len(examples)} test examples of {label!r}")
        (inputs,) = split[examples[[index]]].inputs
        yield Object(f"{label}_{index}", fitted(inputs.astype(np.float32), net), label)
