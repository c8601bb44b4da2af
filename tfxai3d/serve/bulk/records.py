"""Clouds and volumes from files, one after the other; what cannot be read becomes a reason."""

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfxai3d import data
from tfxai3d.errors import UserError, reason_of
from tfxai3d.explain.engine.layout import Layout
from tfxai3d.serve.bulk.plan import ARRAYS, TFRECORD, Source
from tfxai3d.storage.hdf5 import dataset_shape, read_rows


class Record(NamedTuple):
    """A cloud or volume to explain."""

    id: str  # names the record, `<file>#<number>`; the same in every run
    points: np.ndarray  # float32 (N,3+F); of a volume (D,H,W,C) or as the network takes it


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

    def of_example(name: str, values: np.ndarray) -> Record | Rejected:
        if not len(values) or len(values) % columns:
            given = "x y z" if columns == 3 else f"{columns} columns"
            reason = f"its feature `points` has {len(values)} floats; give {given} of each point"
            return Rejected(name, reason)
        return of_array(name, values.reshape(-1, columns))

    def of_array(name: str, cloud: np.ndarray) -> Record | Rejected:
        if cloud.ndim != 2 or cloud.shape[1] < columns or not len(cloud):
            return Rejected(name, f"holds numbers {cloud.shape}; give points (N,{columns})")
        return _finite(name, cloud[:num_points, :columns])

    def of_file(path: str) -> np.ndarray:
        return data.load_points(path, num_points, normalize=normalize, features=columns - 3)

    return _read(source, _Reader("points", (2,), of_array, of_example, of_file))


def read_volumes(source: Source, layout: Layout) -> Iterator[Record | Rejected]:
    """Reads the volumes of a source as the network takes them, and keeps none.

    - H5 (dataset `data`) and NPY: volumes (M,D,H,W,C) or (M,D,H,W). An array (D,H,W) is one volume.
    - TFRecord: `tf.train.Example`s with a float list `voxels`, for networks of one size.
    - Other files hold one volume: scans and grids, with their values as they are.

    Args:
        source: Where they are.
        layout: What the network takes. An axis of one channel may be there or not.
    """

    def of_example(name: str, values: np.ndarray) -> Record | Rejected:
        shape = [size or 0 for size in layout.shape or (0,)]
        if len(values) != math.prod(shape):
            return Rejected(name, f"its feature `voxels` has {len(values)} floats; give {layout.words()}")
        return of_array(name, values.reshape(shape))

    def of_array(name: str, volume: np.ndarray) -> Record | Rejected:
        forms = [volume, volume[..., None], *([volume[..., 0]] if volume.shape[-1:] == (1,) else [])]
        for form in forms:
            if layout.fits(form.shape):
                return _finite(name, form)
        return Rejected(name, f"holds numbers {volume.shape}; give {layout.words()}")

    def of_file(path: str) -> np.ndarray:
        return data.load_volume(path).values

    return _read(source, _Reader("voxels", (3, 4), of_array, of_example, of_file))


_Checked = Callable[[str, np.ndarray], Record | Rejected]


class _Reader(NamedTuple):
    """How records are made of what files of each kind hold."""

    feature: str  # of a `tf.train.Example`
    ranks: tuple[int, ...]  # of one record in an array
    of_array: _Checked
    of_example: _Checked
    of_file: Callable[[str], np.ndarray]


def _read(source: Source, reader: _Reader) -> Iterator[Record | Rejected]:
    suffix = Path(source.path).suffix.lower()
    try:
        if suffix in TFRECORD:
            yield from _read_tfrecord(source, reader)
        elif suffix in ARRAYS:
            yield from _read_array(source, reader)
        else:
            yield reader.of_array(_id(source.path, 0), reader.of_file(source.path))
    except (UserError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        yield Rejected(source.path, reason_of(error, 300))


def _read_array(source: Source, reader: _Reader) -> Iterator[Record | Rejected]:
    if Path(source.path).suffix.lower() == ".npy":
        yield from _rows(np.load(source.path, mmap_mode="r", allow_pickle=False), source, reader)
        return
    rank = reader.ranks[0]
    if len(reader.ranks) > 1:  # volumes with or without an axis of channels
        rank = min(max(len(dataset_shape(source.path, "data")) - 1, rank), reader.ranks[-1])
    rows, reasons = read_rows(source.path, "data", source.start, source.stop, ndim=rank)
    whole = iter(rows)
    for number in range(source.start, source.start + len(rows) + len(reasons)):
        name = _id(source.path, number)
        if number in reasons:
            yield Rejected(name, " ".join(reasons[number].split())[:300])
        else:
            yield reader.of_array(name, next(whole))


def _rows(array: Any, source: Source, reader: _Reader) -> Iterator[Record | Rejected]:
    one = reader.ranks[0]
    kinds, give = ("iuf", "points (M,N,3)") if one == 2 else ("iufb", "volumes (M,D,H,W,C)")
    if array.dtype.kind not in kinds or not one <= array.ndim <= reader.ranks[-1] + 1:
        raise UserError(f"{source.path}: holds {array.dtype}{array.shape}; give {give}")
    for number in range(source.start, array.shape[0] if source.stop is None else source.stop):
        yield reader.of_array(_id(source.path, number), array if array.ndim == one else array[number])


def _read_tfrecord(source: Source, reader: _Reader) -> Iterator[Record | Rejected]:
    whole, cut_off = whole_records(source.path)
    number = 0
    try:
        records = tf.data.TFRecordDataset(source.path).take(whole)
        for number, raw in enumerate(records.as_numpy_iterator()):
            yield _parsed(_id(source.path, number), raw, reader)
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


def _parsed(name: str, raw: bytes, reader: _Reader) -> Record | Rejected:
    try:
        values = tf.train.Example.FromString(raw).features.feature[reader.feature].float_list.value
    except Exception:  # protobuf's decoders raise their own errors
        return Rejected(name, "no tf.train.Example")
    return reader.of_example(name, np.array(values, np.float32))


def _finite(name: str, values: np.ndarray) -> Record | Rejected:
    numbers = np.asarray(values, np.float32)
    if not np.isfinite(numbers).all():
        return Rejected(name, f"holds NaN or infinite {'coordinates' if numbers.ndim == 2 else 'values'}")
    return Record(name, numbers)


def _id(path: str, number: int) -> str:
    return f"{path}#{number}"
