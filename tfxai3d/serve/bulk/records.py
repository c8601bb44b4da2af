"""Clouds from files, one after the other; what cannot be read becomes a reason."""

import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfxai3d import data
from tfxai3d.errors import UserError, reason_of
from tfxai3d.serve.bulk.plan import ARRAYS, TFRECORD, Source
from tfxai3d.storage.hdf5 import read_rows


class Record(NamedTuple):
    """A cloud to explain."""

    id: str  # names the record, `<file>#<number>`; the same in every run
    points: np.ndarray  # float32 (N,3+F)


class Rejected(NamedTuple):
    """A record that cannot be explained."""

    id: str  # as of `Record`; of a file that cannot be read, its path
    reason: str  # one line


def read_records(
    source: Source, num_points: int, columns: int = 3, normalize: bool = True
) -> Iterator[Record | Rejected]:
    """Reads the clouds of a source and keeps none.

    - H5 (dataset `data`) and NPY: clouds (M,N,C), x y z first, taken as they are; of each the first
      `num_points`. An array (N,C) is one cloud.
    - TFRecord: `tf.train.Example`s with a float list `points`, the columns of one point after the other; the
      same.
    - Other files hold one object: meshes are sampled, clouds thinned out.

    Args:
        source: Where they are.
        num_points: The most points of a cloud.
        columns: Columns of a point, 3+F; of arrays that have more the first.
        normalize: Whether to bring the objects of other files into the unit sphere.
    """
    suffix = Path(source.path).suffix.lower()
    of_one = functools.partial(_read_object, normalize=normalize)
    read = _read_tfrecord if suffix in TFRECORD else _read_array if suffix in ARRAYS else of_one
    try:
        yield from read(source, num_points, columns)
    except (UserError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        yield Rejected(source.path, reason_of(error, 300))


def _read_object(source: Source, num_points: int, columns: int, normalize: bool) -> Iterator[Record]:
    points = data.load_points(source.path, num_points, normalize=normalize, features=columns - 3)
    yield Record(_id(source.path, 0), points)


def _read_array(source: Source, num_points: int, columns: int) -> Iterator[Record | Rejected]:
    if Path(source.path).suffix.lower() == ".npy":
        yield from _rows(np.load(source.path, mmap_mode="r", allow_pickle=False), source, num_points, columns)
        return
    clouds, reasons = read_rows(source.path, "data", source.start, source.stop, ndim=2)
    whole = iter(clouds)
    for number in range(source.start, source.start + len(clouds) + len(reasons)):
        name = _id(source.path, number)
        if number in reasons:
            yield Rejected(name, " ".join(reasons[number].split())[:300])
        else:
            yield _checked(name, next(whole), num_points, columns)


def _rows(array: Any, source: Source, num_points: int, columns: int) -> Iterator[Record | Rejected]:
    if array.dtype.kind not in "iuf" or array.ndim not in (2, 3):
        raise UserError(f"{source.path}: holds {array.dtype}{array.shape}; give points (M,N,3)")
    for number in range(source.start, array.shape[0] if source.stop is None else source.stop):
        yield _checked(
            _id(source.path, number), array if array.ndim == 2 else array[number], num_points, columns
        )


def _read_tfrecord(source: Source, num_points: int, columns: int) -> Iterator[Record | Rejected]:
    whole, cut_off = whole_records(source.path)
    number = 0
    try:
        records = tf.data.TFRecordDataset(source.path).take(whole)
        for number, raw in enumerate(records.as_numpy_iterator()):
            yield _parsed(_id(source.path, number), raw, num_points, columns)
            number += 1  # should the next one be unreadable
    except tf.errors.OpError as error:
        yield Rejected(_id(source.path, number), f"unreadable from here on ({reason_of(error, 300)})")
    else:
        if cut_off:
            yield Rejected(_id(source.path, whole), "unreadable from here on (longer than the file)")


def whole_records(path: str) -> tuple[int, bool]:
    """Returns how many records are there by their declared lengths, and whether part of another follows.

    TensorFlow takes memory for any length before it finds that the file is shorter, and may crash.
    """
    count, place, size = 0, 0, os.path.getsize(path)
    with open(path, "rb") as file:
        while place < size:
            file.seek(place)
            place += 16 + int.from_bytes(file.read(8), "little")  # length, its checksum; bytes, theirs
            if place > size:
                return count, True
            count += 1
    return count, False


def _parsed(name: str, raw: bytes, num_points: int, columns: int) -> Record | Rejected:
    try:
        values = tf.train.Example.FromString(raw).features.feature["points"].float_list.value
    except Exception:  # protobuf's decoders raise their own errors
        return Rejected(name, "no tf.train.Example")
    if not values or len(values) % columns:
        given = "x y z" if columns == 3 else f"{columns} columns"
        return Rejected(name, f"its feature `points` has {len(values)} floats; give {given} of each point")
    return _checked(name, np.array(values, np.float32).reshape(-1, columns), num_points, columns)


def _checked(name: str, cloud: np.ndarray, num_points: int, columns: int) -> Record | Rejected:
    if cloud.shape[1] < columns or not len(cloud):
        return Rejected(name, f"holds numbers {cloud.shape}; give points (N,{columns})")
    points = np.asarray(cloud[:num_points, :columns], np.float32)
    if not np.isfinite(points).all():
        return Rejected(name, "holds NaN or infinite coordinates")
    return Record(name, points)


def _id(path: str, number: int) -> str:
    return f"{path}#{number}"
