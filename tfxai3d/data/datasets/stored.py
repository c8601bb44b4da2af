"""Labelled sets of arrays in one file: MedMNIST's NPZ files, and HDF5."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tfxai3d.data.datasets.listing import SplitName, choose_split
from tfxai3d.data.readers.arrays import choose
from tfxai3d.errors import UserError
from tfxai3d.results.explanation import DataKind
from tfxai3d.storage.hdf5 import call_reader, datasets
from tfxai3d.storage.limits import check_h5
from tfxai3d.storage.npz import open_npz

_MEDMNIST = {
    "adrenalmnist3d": "normal,hyperplasia",
    "fracturemnist3d": "buckle rib fracture,nondisplaced rib fracture,displaced rib fracture",
    "nodulemnist3d": "benign,malignant",
    "organmnist3d": "liver,kidney-right,kidney-left,femur-right,femur-left,bladder,heart,lung-right,"
    "lung-left,spleen,pancreas",
    "synapsemnist3d": "inhibitory,excitatory",
    "vesselmnist3d": "vessel,aneurysm",
}
_LABELS = {"label", "labels", "y", "target", "targets"}
_DIMENSIONS = {"points": (3,), "voxels": (4, 5)}  # with that of the examples


class Examples3D(NamedTuple):
    """The arrays of a split: inputs, labels as positions in the names of the classes, and these names."""

    inputs: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    numbers: np.ndarray


def load_medmnist(path: Path, split: SplitName) -> Examples3D:
    """Reads a split of MedMNIST's three-dimensional sets, `{split}_images` and `{split}_labels`.

    Returns:
        Occupancy, uint8 (N,D,H,W,1), of images that are black and white, else float32 from 0 to 1.

    Raises:
        UserError: If it is no such file.
    """
    with open_npz(path, f"an .npz with {split}_images and {split}_labels") as arrays:
        images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"].reshape(-1)
    if images.ndim != 4 or images.dtype != np.uint8 or len(images) != len(labels):
        raise UserError(f"{path}: holds images {images.dtype}{images.shape}; give uint8 (N,D,H,W)")
    binary = all(np.isin(image, (0, 255)).all() for image in images)
    images = images // 255 if binary else images.astype(np.float32) / 255
    known = next((names for name, names in _MEDMNIST.items() if path.stem.lower().startswith(name)), "")
    names = known.split(",") if known else [str(number) for number in range(int(labels.max(initial=0)) + 1)]
    labels = _checked(path, labels, len(names))
    return Examples3D(images[..., None], labels, tuple(names), np.arange(len(labels)))


def load_h5(path: Path, kind: DataKind, split: SplitName, name: str | None = None) -> Examples3D:
    """Reads a split of an HDF5 file with examples and a class number for each.

    Arrays whose names hold that of the split are the split's, as in `train_data` or `train/data`. Where there
    are none, every fifth example of a class is for testing. The classes' names are lines of `shape_names.txt`
    or `class_names.txt` beside the file, else they are called by their numbers.

    Args:
        path: The file.
        kind: What the network takes.
        split: The split.
        name: The array of the examples, without the split; by default `data`, or the only one that fits.

    Raises:
        UserError: If the file holds no such arrays.
    """
    try:
        stored = call_reader(_labelled, path, kind, split, name)
    except (UserError, OSError, ValueError) as error:
        raise UserError(f"{path}: {' '.join(str(error).split())}") from error
    labels = stored["labels"].reshape(-1)
    names = _names_beside(path) or tuple(map(str, range(int(labels.max(initial=0)) + 1)))
    labels = _checked(path, labels, len(names))
    numbers = np.arange(len(labels))
    if not stored["is_split"]:
        numbers = choose_split(path, [f"{label}" for label in labels], [None] * len(labels), split).numbers
    inputs = stored["inputs"][numbers]
    inputs = inputs.astype(np.float32) if kind == "points" else inputs
    inputs = inputs[..., None] if kind == "voxels" and inputs.ndim == 4 else inputs
    if not np.isfinite(inputs).all():
        raise UserError(f"{path}: holds values that are NaN or infinite")
    return Examples3D(inputs, labels[numbers], names, numbers)


def _labelled(path: str, kind: DataKind, split: SplitName, name: str | None) -> Mapping[str, np.ndarray]:
    """Returns the examples and labels of an HDF5 file, and whether they are all of the split."""
    import h5py

    with h5py.File(path, "r") as file:
        held = datasets(file)
        parts = {key: set(re.split(r"[_/\-. ]", key.lower())) for key in held}
        of_split = [key for key in held if split in parts[key]] or list(held)
        labels = [key for key in of_split if parts[key] & _LABELS]
        if len(labels) != 1:
            raise UserError(f"holds {len(labels)} arrays of labels for {split}; call one of them label")
        count = held[labels[0]].shape[:1]
        fitting = {
            key: held[key].shape for key in of_split if key not in labels and held[key].shape[:1] == count
        }
        fitting = {key: shape for key, shape in fitting.items() if len(shape) in _DIMENSIONS[kind]}
        asked = next((key for key in fitting if name in (key, *parts[key])), name) if name else None
        inputs = choose(fitting, kind, asked, [key for key in fitting if "data" in parts[key]])
        for key in (inputs, labels[0]):
            check_h5(held[key])
        is_split = np.array(any(split in parts[key] for key in held))
        return {"inputs": held[inputs][()], "labels": held[labels[0]][()], "is_split": is_split}


def _names_beside(path: Path) -> tuple[str, ...]:
    for name in ("shape_names.txt", "class_names.txt"):
        if (path.parent / name).is_file():
            lines = (path.parent / name).read_text(encoding="utf-8", errors="replace").split("\n")
            return tuple(line.strip() for line in lines if line.strip())
    return ()


def _checked(path: Path, labels: np.ndarray, count: int) -> np.ndarray:
    """Returns labels as integers.

    Raises:
        UserError: If they are none of `count` classes.
    """
    if labels.dtype.kind not in "iuf" or not len(labels) or not np.isin(labels, np.arange(count)).all():
        raise UserError(f"{path}: has labels that are not one of the class numbers 0 to {count - 1}")
    return labels.astype(np.int64)
