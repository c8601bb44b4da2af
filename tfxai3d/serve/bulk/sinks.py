"""What a bulk run writes: explanations as TFRecord or Parquet, rejected records as lines of JSON."""

import collections
import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow
import pyarrow.parquet
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.serve.bulk.records import Rejected, whole_records
from tfxai3d.storage import AnyPath
from tfxai3d.storage.writing import atomic_path, write_text

Format = Literal["tfrecord", "parquet"]
Row = dict[str, Any]
"""`id`, `target`, `importance` (N,), `attributions` (N,3+F), `scores` (C,) and, of path methods, `delta`.

Of volumes `importance` (D,H,W), `attributions` as the inputs, and `shape`, that of `importance`."""

_FLOATS = pyarrow.list_(pyarrow.float32())
_SCHEMA = pyarrow.schema({
    "id": pyarrow.string(), "target": pyarrow.int64(), "scores": _FLOATS, "importance": _FLOATS,
    "attributions": _FLOATS, "delta": pyarrow.float32(), "shape": pyarrow.list_(pyarrow.int64()),
})  # fmt: skip


@contextlib.contextmanager
def write_rows(path: Path, format: Format) -> Iterator[Callable[[list[Row]], None]]:
    """Yields a function that writes rows into a file, which appears at `path` when the block succeeds.

    TFRecord: `tf.train.Example`s, arrays as flat float lists. Parquet: columns of the same names.
    """
    open_file = {"tfrecord": _tfrecord, "parquet": _parquet}[format]
    with atomic_path(path) as temporary, open_file(temporary) as write:
        yield write


def count_rows(path: Path, format: Format) -> int:
    """Returns how many rows a file of `write_rows` holds, without reading them."""
    if format == "parquet":
        return int(pyarrow.parquet.read_metadata(path).num_rows)
    return whole_records(str(path))[0]


def count_lines(path: Path) -> int:
    """Returns how many records `write_rejected` has listed in a file, 0 where there is none."""
    if not path.exists():
        return 0
    with open(path, encoding="utf-8") as file:
        return sum(1 for _ in file)


def commonest_reason(output_dir: AnyPath) -> str:
    """Returns the reason of most of the records that a run could not explain; it must have rejected one.

    Raises:
        UserError: If a file is damaged.
    """
    reasons: collections.Counter[str] = collections.Counter()
    for path in sorted(Path(output_dir).glob("rejected-*.jsonl")):
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
            reasons.update(str(json.loads(line)["reason"]) for line in lines)
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
            raise UserError(f"{path}: no list of rejected records; give another folder") from error
    return reasons.most_common(1)[0][0]


def write_rejected(path: Path, rejected: Iterable[Rejected]) -> None:
    """Writes a line `{"id": ..., "reason": ...}` for each, atomically; without any there is no file."""
    lines = [json.dumps(one._asdict()) + "\n" for one in rejected]
    if not lines:  # and none of an earlier attempt, whose reasons were passing ones
        path.unlink(missing_ok=True)
        return
    write_text(path, "".join(lines))


@contextlib.contextmanager
def _tfrecord(path: Path) -> Iterator[Callable[[list[Row]], None]]:
    with tf.io.TFRecordWriter(str(path)) as file:

        def write(rows: list[Row]) -> None:
            for row in rows:
                file.write(_example(row).SerializeToString())

        yield write


def _example(row: Row) -> tf.train.Example:
    example = tf.train.Example()
    feature = example.features.feature
    for name, value in row.items():
        if name == "id":
            feature[name].bytes_list.value.append(value.encode())
        elif name in ("target", "shape"):
            feature[name].int64_list.value.extend(np.ravel(value).tolist())
        else:
            feature[name].float_list.value.extend(np.ravel(value))
    return example


@contextlib.contextmanager
def _parquet(path: Path) -> Iterator[Callable[[list[Row]], None]]:
    with pyarrow.parquet.ParquetWriter(path, _SCHEMA) as file:

        def write(rows: list[Row]) -> None:
            flat = [{k: np.ravel(v) if np.ndim(v) else v for k, v in row.items()} for row in rows]
            file.write_table(pyarrow.Table.from_pylist(flat, _SCHEMA))

        yield write
