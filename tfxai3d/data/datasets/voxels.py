"""Voxel sets in the format of the VRN authors."""

import logging
import os
from pathlib import Path

import numpy as np

from tfxai3d.data.datasets.listing import SplitName
from tfxai3d.errors import UserError
from tfxai3d.storage.npz import open_npz

MODELNET10_CLASSES: tuple[str, ...] = (
    "bathtub", "bed", "chair", "desk", "dresser", "monitor", "night_stand", "sofa", "table", "toilet",
)  # fmt: skip

_SIZE = 32


def load_voxels(
    path: str | os.PathLike[str], keep_empty: bool = False, dtype: str = "float32"
) -> tuple[np.ndarray, np.ndarray]:
    """Reads a set of occupancy grids, `.npz` with `features` (N,1,32,32,32) and `targets` (N,).

    Empty grids, eight in ModelNet10, are left out, and a warning says how many and which.

    Args:
        path: The file.
        keep_empty: Whether to return empty grids as well, so that example i is number i of the file.
        dtype: Type of the grids; "uint8" takes a quarter of the memory.

    Returns:
        Grids (M,32,32,32,1) of 0 and 1, axes x, y, z (up) and the channel, and labels int64 (M,).

    Raises:
        UserError: If the file is missing or damaged, or its grids have another size or other values.
    """
    path = Path(path)
    with open_npz(path, "a readable .npz with features and targets") as store:
        grids, labels = store["features"], store["targets"]
    try:
        _check_grids(grids)
        _check_labels(labels, len(grids))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    labels = labels.astype(np.int64)
    grids = grids.reshape(-1, _SIZE, _SIZE, _SIZE, 1)
    empty = find_empty(grids)
    if empty.any() and not keep_empty:
        numbers = ", ".join(map(str, np.flatnonzero(empty)[:10]))
        logging.warning("%s: left out %d empty grids of %d: %s", path, empty.sum(), len(grids), numbers)
        grids, labels = grids[~empty], labels[~empty]
    return grids.astype(dtype, copy=False), labels


def load_modelnet10(
    folder: str | os.PathLike[str], split: SplitName = "test"
) -> tuple[np.ndarray, np.ndarray]:
    """Reads one split of ModelNet10's grids, `modelnet10_train.npz` or `modelnet10_test.npz`.

    Nothing is left out: example i is number i of the file, and `find_empty` tells which are empty.

    Args:
        folder: Folder of the two files.
        split: "train" or "test".

    Returns:
        Grids uint8 (M,32,32,32,1) of 0 and 1, and labels int64 (M,), classes in the order of
        MODELNET10_CLASSES.

    Raises:
        UserError: If the file is missing or not as `load_voxels` wants it, or has a label above 9.
    """
    path = Path(folder) / f"modelnet10_{split}.npz"
    grids, labels = load_voxels(path, keep_empty=True, dtype="uint8")
    if labels.max(initial=0) >= len(MODELNET10_CLASSES):
        raise UserError(f"{path}: targets reach {labels.max()}; ModelNet10's classes are 0 to 9")
    return grids, labels


def find_empty(grids: np.ndarray) -> np.ndarray:
    """Returns which of the grids (M,...) have no occupied voxel, bool (M,)."""
    return np.logical_not(grids.reshape(len(grids), -1).any(axis=1))


def _check_grids(grids: np.ndarray) -> None:
    if grids.ndim not in (4, 5) or grids.shape[-3:] != (_SIZE,) * 3 or grids.size != len(grids) * _SIZE**3:
        raise UserError(f"features are {grids.shape}; give grids of 32 voxels a side, (N,1,32,32,32)")
    if grids.dtype.kind not in "biuf":
        raise UserError(f"features are {grids.dtype}; save them as uint8")
    # By parts: a comparison of a whole rotated set would take several times its memory.
    for start in range(0, len(grids), 1024):
        part = grids[start : start + 1024]
        binary = ((part == 0) | (part == 1)).reshape(len(part), -1).all(axis=1)
        if not binary.all():
            raise UserError(
                f"grid {start + int(binary.argmin())} has values other than 0 and 1; make it occupancy"
            )


def _check_labels(labels: np.ndarray, count: int) -> None:
    if labels.shape != (count,) or labels.dtype.kind not in "iuf":
        raise UserError(
            f"targets are {labels.dtype}{labels.shape}; give one class number for each of {count} grids"
        )
    if (labels < 0).any() or (labels != np.round(labels)).any():
        raise UserError("targets hold negative or broken numbers; give class numbers from 0")
