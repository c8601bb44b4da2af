"""Voxel sets in the format of the VRN authors, and binvox files."""

import logging
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from tfxai3d.data.datasets.modelnet import SplitName
from tfxai3d.data.geometry import VoxelGrid
from tfxai3d.errors import UserError
from tfxai3d.storage.limits import check_npz
from tfxai3d.storage.writing import atomic_path

MODELNET10_CLASSES: tuple[str, ...] = (
    "bathtub", "bed", "chair", "desk", "dresser", "monitor", "night_stand", "sofa", "table", "toilet",
)  # fmt: skip

_SIZE = 32
_MAX_BINVOX = 1024  # voxels along an axis, binvox's own limit


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
    if not path.is_file():
        raise UserError(f"{path}: no such file; give an .npz with features and targets")
    try:
        check_npz(path)
        with np.load(path, allow_pickle=False) as store:
            grids, labels = store["features"], store["targets"]
    except (
        OSError,
        KeyError,
        TypeError,
        ValueError,
        EOFError,
        MemoryError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{path}: not a readable .npz with features and targets ({reason})") from error
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


def read_binvox(path: str | os.PathLike[str]) -> VoxelGrid:
    """Reads a binvox file; its position and scale are left aside.

    Returns:
        The grid, axes x, y, z.

    Raises:
        UserError: If there is no such file, it is damaged, or its grid is empty.
    """
    from trimesh.exchange.binvox import parse_binvox

    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; give a binvox file")
    try:
        with path.open("rb") as file:
            parsed = parse_binvox(file)
        return VoxelGrid(_unpack(parsed.rle_data, tuple(int(n) for n in parsed.shape)))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except Exception as error:  # trimesh raises nearly anything on a damaged header
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(f"{path}: not a readable binvox file ({reason}); fetch it again") from error


def write_binvox(path: str | os.PathLike[str], occupancy: np.ndarray) -> None:
    """Writes a grid (D,H,W), axes x, y, z, as a binvox file whose box is the unit cube.

    Raises:
        UserError: If it is not a grid of 0 and 1, or empty.
    """
    from trimesh.exchange.binvox import binvox_bytes
    from trimesh.voxel.runlength import dense_to_rle

    grid = VoxelGrid(occupancy).occupancy
    runs = dense_to_rle(grid.transpose(0, 2, 1).reshape(-1), np.uint8)
    with atomic_path(path) as temporary:
        temporary.write_bytes(binvox_bytes(np.asarray(runs, np.uint8), grid.shape))


def _unpack(runs: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Unpacks pairs of value and length; y runs fastest, then z, then x."""
    if len(shape) != 3 or not all(0 < n <= _MAX_BINVOX for n in shape):
        raise UserError(f"declares dimensions {shape}; give three, of at most {_MAX_BINVOX}")
    values, lengths = runs[0::2], runs[1::2]
    x, y, z = shape
    if len(values) != len(lengths) or lengths.sum(dtype=np.int64) != x * y * z:
        raise UserError(f"does not hold {x * y * z:,} voxels as it declares; it is cut off, fetch it again")
    return np.repeat(values, lengths).reshape(x, z, y).transpose(0, 2, 1)


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
