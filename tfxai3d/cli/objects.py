"""The objects that an app explains, found by the flags of the group `OBJECTS`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from absl import flags

from tfxai3d import data, explain
from tfxai3d.cli import files
from tfxai3d.cli.files import indices, one_label
from tfxai3d.cli.fitting import Object, features, fitted, num_points, with_unique_names
from tfxai3d.cli.grids import grid_form
from tfxai3d.data.orientation import with_other_axis_up
from tfxai3d.errors import UserError
from tfxai3d.results import heads
from tfxai3d.results.explanation import DataKind

FLAGS = flags.FLAGS


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
        found = files.of_files(net)
    else:
        found = _shapes(net)
    return with_unique_names(found)


def open_split(
    net: explain.Network | None,
    num_examples: int | None = None,
    split: Literal["train", "test"] = "test",
    class_names: Sequence[str] | None = None,
    *,
    parts: bool = False,
) -> data.Split:
    """Returns a split of --data_dir, of procedural shapes without it, as the network takes it.

    Args:
        net: The network; clouds of --num_points without it.
        num_examples: See `data.open_dataset`, as the others.
        split: Which.
        class_names: What the labels count; by default the classes of the set.
        parts: Label each point.
    """
    found = data.open_dataset(
        FLAGS.data_dir,
        "points" if net is None else net.kind,
        split,
        num_points=num_points(net),
        num_examples=num_examples,
        class_names=class_names,
        features=features(net),
        seed=FLAGS.seed,
        parts=parts,
        grid=grid_form(net),
        normalize=FLAGS.normalize == "unit_sphere",
    )
    return found if net is None else turned(found, net)


def turned(split: data.Split, net: explain.Network) -> data.Split:
    """Returns a split of clouds with y up, or of grids, with the up axis that a network takes."""
    return split.mapped(_all_with_z_up) if net.kind == "points" and net.up == "z" else split


def open_splits(
    kind: DataKind,
    num_points: int,
    class_names: tuple[str, ...] | None = None,
    *,
    grid: data.GridForm,
    features: int | Sequence[str] = 0,
    parts: bool = False,
    normalize: bool = True,
) -> tuple[data.Split, data.Split]:
    """Opens both splits of --data_dir, or makes --num_train and --num_test procedural shapes."""
    options: dict[str, Any] = {"num_points": num_points, "class_names": class_names, "seed": FLAGS.seed}
    options |= {"parts": parts, "grid": grid, "features": features, "normalize": normalize}
    train, test = (None, None) if FLAGS.data_dir else (FLAGS.num_train, FLAGS.num_test)
    return (
        data.open_dataset(FLAGS.data_dir, kind, "train", num_examples=train, **options),
        data.open_dataset(FLAGS.data_dir, kind, "test", num_examples=test, **options),
    )


def open_validation(
    kind: DataKind, num_points: int, *, grid: data.GridForm, features: int | Sequence[str] = 0
) -> data.Split:
    """Opens the split val of --data_dir.

    Raises:
        UserError: If it has none.
    """
    options: dict[str, Any] = {"num_points": num_points, "seed": FLAGS.seed}
    options |= {"grid": grid, "features": features}
    return data.open_dataset(FLAGS.data_dir, kind, "val", **options)


def open_labelled(
    net: explain.Network,
    num_examples: int | None = None,
    split: Literal["train", "test"] = "test",
    *,
    parts: bool = False,
) -> data.Split:
    """Returns a split, as `open_split` does, whose labels are classes of the network, with `parts` of points.

    Raises:
        UserError: If the network has fewer classes, or classifies each point and the labels are not of them.
    """
    if not parts:
        check_classifies_whole(net)
    found = open_split(net, num_examples, split, net.class_names, parts=parts)
    check_labels(net, found)
    return found


def check_classifies_whole(net: explain.Network) -> None:
    """Raises a UserError if a network classifies each point or voxel."""
    if net.segments:
        raise UserError(
            f"{net.name} classifies each of the {net.kind}, and this is for classifiers of whole examples; "
            "the app evaluate measures it, and explain --target=chair/leg asks it about a class"
        )


def check_labels(net: explain.Network, split: data.Split) -> None:
    """Raises a UserError if a network has no classes, or names none and has not as many as the data set."""
    heads.check_classes(net.head)
    if net.class_names is None and net.classes not in (None, len(split.class_names)):
        raise UserError(
            f"{net.name} has {net.classes} classes and the data set {len(split.class_names)}: say which by "
            "--class_names"
        )


def _all_with_z_up(clouds: np.ndarray) -> np.ndarray:
    return np.stack([with_other_axis_up(cloud) for cloud in clouds])


def _shapes(net: explain.Network | None) -> Iterator[Object]:
    for shape, seed in itertools.product(FLAGS.shape, indices()):
        yield Object(f"{shape}_{seed}", made_shape(shape, seed, net), one_label() or shape)


def made_shape(shape: str, seed: int, net: explain.Network | None) -> np.ndarray:
    """Returns a procedural object as a network takes it."""
    mesh = data.shapes.make_shape(shape, seed)
    if net is not None and net.kind == "voxels":
        (inputs,) = grid_form(net).views(mesh.z_up(), 1)
        return fitted(inputs.astype(np.float32), net)
    inputs = data.shapes.sample_shape(mesh, num_points(net), FLAGS.seed).points
    return fitted(with_other_axis_up(inputs) if net is not None and net.up == "z" else inputs, net)


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
