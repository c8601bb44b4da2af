"""What a bulk run has to do: its records in shards, the same shards in every run."""

import dataclasses
import glob
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfxai3d.data.readers.reading import EXTENSIONS, extension
from tfxai3d.errors import UserError
from tfxai3d.models.saved_model.folder import FACTS
from tfxai3d.results.explanation import DataKind
from tfxai3d.storage.hdf5 import dataset_shape

TFRECORD = (".tfrecord", ".tfrecords")
ARRAYS = (".h5", ".hdf5", ".npy")
"""Files of several records from which any range can be read."""

_RANKS: dict[DataKind, tuple[int, ...]] = {"points": (3,), "voxels": (4, 5)}


@dataclasses.dataclass(frozen=True)
class Source:
    """Consecutive records of one file."""

    path: str  # the file, as every worker finds it
    start: int = 0  # number of the first record
    stop: int | None = None  # number after the last one; None for all there are


@dataclasses.dataclass(frozen=True)
class Shard:
    """What is explained at one go, into files of its own."""

    number: int  # its place among the shards, from 0
    sources: tuple[Source, ...]  # where its records are


def find_files(patterns: Iterable[str]) -> list[str]:
    """Returns the files, sorted, that match patterns such as `clouds/*.h5`; `**` goes through folders.

    A pattern that matches nothing, and an extension that is not known, are a UserError.
    """
    found: set[str] = set()
    for pattern in patterns:
        paths = [Path(name) for name in glob.glob(pattern, recursive=True)]
        files = [path.as_posix() for path in paths if path.is_file()]
        if not files:
            raise UserError(f"{pattern}: matches no file; give files or patterns such as clouds/*.h5")
        found.update(files)
    known = (*TFRECORD, *(extension for extension in EXTENSIONS if extension != ".npz"))
    for path in found:
        if extension(Path(path)) not in known:
            raise UserError(f"{path}: bulk runs read {' '.join(known)}")
    return sorted(found)


def make_shards(paths: Iterable[str], shard_size: int, data_kind: DataKind = "points") -> list[Shard]:
    """Divides the records of files, in their order, into shards of `shard_size`.

    Arrays (M,N,C) hold M clouds, arrays (M,D,H,W) and (M,D,H,W,C) M volumes; others are one record.
    A TFRecord file cannot be read from the middle and says nowhere how much it holds: it is one by itself.
    """
    return [
        Shard(number, sources)
        for number, sources in enumerate(_divided(paths, shard_size, _RANKS[data_kind]))
    ]


def _divided(paths: Iterable[str], shard_size: int, ranks: tuple[int, ...]) -> Iterator[tuple[Source, ...]]:
    sources: list[Source] = []
    room = shard_size
    for path in paths:
        if Path(path).suffix.lower() in TFRECORD:
            yield (Source(path),)
            continue
        start, count = 0, _count(path, ranks)
        while start < count:
            stop = min(start + room, count)
            sources.append(Source(path, start, stop))
            room -= stop - start
            start = stop
            if not room:
                yield tuple(sources)
                sources, room = [], shard_size
    if sources:
        yield tuple(sources)


def _count(path: str, ranks: tuple[int, ...]) -> int:
    """Returns the number of records, several in arrays of these ranks.

    It is 1 for what cannot be read, so that its reader says why.
    """
    suffix = Path(path).suffix.lower()
    try:
        if suffix == ".npy":
            shape = np.load(path, mmap_mode="r", allow_pickle=False).shape
        elif suffix in ARRAYS:
            shape = dataset_shape(path, "data")
        else:
            return 1
        clouds, *sizes = shape if len(shape) in ranks else (1,)
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return 1
    return clouds if all(sizes) else min(clouds, 1)  # clouds without points take no bytes, however many


def run_settings(saved_model: str, paths: Sequence[str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a folder's shards are made of, for a second run to go on with nothing else.

    That is the content of the SavedModel, the files with their sizes, and the settings that decide results.
    """
    files = [[path, os.path.getsize(path)] for path in paths]
    return {**settings, "saved_model": _fingerprint(Path(saved_model)), "files": files}


def _fingerprint(folder: Path) -> str:
    """Returns a digest of what decides a SavedModel's answers.

    Its weights and, of our own, the methods with their options, so that a model that is exported again counts
    as the same, although its graphs are never written twice alike. Graphs of others count as they are.
    """
    digest = hashlib.sha256()
    weights = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
    names = set(weights.get_variable_to_shape_map()) - {"_CHECKPOINTABLE_OBJECT_GRAPH"}
    values = (np.asarray(weights.get_tensor(name)).tobytes() for name in names)
    for one in sorted(hashlib.sha256(value).digest() for value in values):  # their order is not always one
        digest.update(one)
    facts = folder / FACTS
    for path in [facts] if facts.is_file() else sorted(folder.glob("saved_model.pb*")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
