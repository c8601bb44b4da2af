"""ModelNet40 in the HDF5 layout of `modelnet40_ply_hdf5_2048`."""

import os
from pathlib import Path

import numpy as np

from tfxai3d.data.datasets.listing import SplitName
from tfxai3d.errors import UserError, reason_of
from tfxai3d.storage.hdf5 import read_datasets

# fmt: off
MODELNET40_CLASSES: tuple[str, ...] = (
    "airplane", "bathtub", "bed", "bench", "bookshelf", "bottle", "bowl", "car", "chair", "cone", "cup",
    "curtain", "desk", "door", "dresser", "flower_pot", "glass_box", "guitar", "keyboard", "lamp", "laptop",
    "mantel", "monitor", "night_stand", "person", "piano", "plant", "radio", "range_hood", "sink", "sofa",
    "stairs", "stool", "table", "tent", "toilet", "tv_stand", "vase", "wardrobe", "xbox",
)
# fmt: on


def load_modelnet40(
    folder: str | os.PathLike[str], split: SplitName = "test", num_points: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Reads one split of ModelNet40 from its HDF5 shards, float16 or float32, any number of points.

    Args:
        folder: Folder with `train_files.txt`, `test_files.txt` and the shards they list.
        split: "train" or "test".
        num_points: How many points to keep of each cloud, the first ones; all by default.

    Returns:
        Points float32 (M,N,3) and labels int64 (M,), classes in the order of MODELNET40_CLASSES.

    Raises:
        UserError: If a file is missing or is not of this layout, or `num_points` cannot be had.
    """
    shards = [_read_shard(path) for path in modelnet40_shards(folder, split)]
    if len(sizes := sorted({shard[0].shape[1] for shard in shards})) > 1:
        raise UserError(f"{folder}: the shards differ in points a cloud: {', '.join(map(str, sizes))}")
    points = np.concatenate([shard[0] for shard in shards])
    labels = np.concatenate([shard[1] for shard in shards])
    if num_points is not None:
        if not 1 <= num_points <= sizes[0]:
            raise UserError(f"{folder}: clouds have {sizes[0]} points, {num_points} were asked for")
        points = np.ascontiguousarray(points[:, :num_points])
    return points, labels


def modelnet40_shards(folder: str | os.PathLike[str], split: SplitName = "test") -> list[Path]:
    """Lists the HDF5 shards of one split of ModelNet40.

    Raises:
        UserError: If the folder has no `{split}_files.txt`, or this lists nothing.
    """
    listing = Path(folder) / f"{split}_files.txt"
    if not listing.is_file():
        raise UserError(f"{listing}: no such file; give a ModelNet40 HDF5 folder")
    # The lists of the public set carry the paths of their authors: only the names count.
    lines = listing.read_text(encoding="utf-8", errors="replace").splitlines()
    names = [Path(line.strip()).name for line in lines if line.strip()]
    if not names:
        raise UserError(f"{listing}: lists no files")
    return [Path(folder) / name for name in names]


def _read_shard(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        stored = read_datasets(path, ("data", "label"))
        points, labels = stored["data"].astype(np.float32), stored["label"].astype(np.int64).reshape(-1)
    except (OSError, TypeError, ValueError) as error:
        reason = reason_of(error, 200)
        raise UserError(
            f"{path}: not a readable ModelNet40 shard with `data` and `label` ({reason})"
        ) from error
    if points.ndim != 3 or points.shape[-1] != 3 or len(points) != len(labels):
        raise UserError(f"{path}: `data` must be (B,N,3) with as many labels, it is {points.shape}")
    if not np.isfinite(points).all():
        raise UserError(f"{path}: `data` holds NaN or infinite coordinates")
    if ((labels < 0) | (labels >= len(MODELNET40_CLASSES))).any():
        raise UserError(f"{path}: `label` holds numbers outside 0..{len(MODELNET40_CLASSES) - 1}")
    return points, labels
