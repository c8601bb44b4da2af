"""Explanations in bulk with Apache Beam, on this machine or wherever Beam runs."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfxai3d.errors import UserError, missing_extra, reason_of
from tfxai3d.explain.explainer import Explainer
from tfxai3d.results.explanation import DataKind
from tfxai3d.serve.bulk.limited import LimitedExplainer, layout_of, load_explainer
from tfxai3d.serve.bulk.plan import Shard, Source, find_files, make_shards, run_settings
from tfxai3d.serve.bulk.records import Record, Rejected, read_records, read_volumes
from tfxai3d.storage.settings import run_folder

try:
    import apache_beam as beam
    from apache_beam.utils.shared import Shared

    from tfxai3d.serve.bulk.sinks import Format, Row, count_lines, count_rows, write_rejected, write_rows
    from tfxai3d.serve.bulk.workers import run
except ImportError as error:
    raise missing_extra("apache-beam", "beam") from error

_Described = tuple[str, str, int, bool, DataKind]
_AnyExplainer = Explainer | LimitedExplainer


@dataclasses.dataclass(frozen=True)
class Job:
    """What a bulk run explains, and how."""

    saved_model: str  # folder of the SavedModel, as every worker finds it
    output_dir: str  # folder of the results, as every worker finds it
    # A name of `explain.method_names`; in the file, or one that needs gradients alone.
    method: str = "integrated_gradients"
    format: Format = "tfrecord"  # "tfrecord" or "parquet"
    num_points: int = 1024  # the most points of a cloud, of networks that take any number
    batch_size: int = 32  # the most clouds at once
    shard_size: int = 256  # clouds of a file of results; a killed run loses the work on the file it was at
    normalize: bool = True  # bring clouds and meshes of single files into the unit sphere
    trust: bool = False  # load the SavedModel whatever operations it holds; see `serve.load`
    # That a cloud may take, or it is rejected; 0 for no limit. A limit needs a process of its own, with its
    # seconds to start and the memory of another TensorFlow: it is for SavedModels of strangers.
    record_seconds: float = 0
    data_kind: DataKind = "points"  # what it takes: clouds, or "voxels", volumes


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a bulk run did."""

    explained: int  # clouds that it explained
    rejected: int  # records that it could not explain
    shards: int  # files of results in all
    skipped: int  # those of them that were there before


def explain_bulk(job: Job, patterns: Iterable[str], options: Sequence[str] = ()) -> Summary:
    """Explains the clouds or volumes of many files, each record exactly once.

    Records are divided into shards, the same ones in every run. A shard's explanations appear, whole, as
    `explanations-00000-of-00007.tfrecord` (or `.parquet`), and those that cannot be explained as lines of
    `rejected-00000-of-00007.jsonl`, with the reason. So whatever attempts of a bundle Beam makes, and
    however often a run is killed and started again, each file has one content, and shards that are there are
    passed over.

    Args:
        job: What to do.
        patterns: Files or patterns; see `plan.find_files`, `records.read_records` and `read_volumes`.
        options: Options of Beam, such as `--runner=FlinkRunner`; without a runner this process does the work.

    Raises:
        UserError: If there are no such files, the SavedModel cannot do it, or the folder holds the results of
            another job.
    """
    for name in ("num_points", "batch_size", "shard_size"):
        if getattr(job, name) < 1:
            raise UserError(f"{name} must be at least 1, it is {getattr(job, name)}")
    paths = find_files(patterns)
    if job.record_seconds < 0:
        raise UserError(f"record_seconds must be 0 or more, it is {job.record_seconds}")
    decisive = {name: getattr(job, name) for name in ("method", "format", "num_points", "shard_size")}
    decisive |= {} if job.normalize else {"normalize": False}
    decisive |= {} if job.data_kind == "points" else {"data_kind": job.data_kind}
    shards = make_shards(paths, job.shard_size, job.data_kind)
    work = _ExplainShard(job, len(shards))
    work.setup()  # mistakes are found before any work, and workers in this process share what was loaded
    with run_folder(job.output_dir, run_settings(job.saved_model, paths, decisive), "explanations-*"):
        left = [shard for shard in shards if not work.is_done(shard)]
        run(work, left, work.is_done, options)
    # Counted in what is there: not every runner keeps counters, and none those of workers that died.
    explained = sum(count_rows(work.path(shard), job.format) for shard in left)
    rejected = sum(count_lines(work.path(shard, "rejected")) for shard in left)
    return Summary(explained, rejected, shards=len(shards), skipped=len(shards) - len(left))


class ExplainClouds(beam.PTransform):
    """Explains clouds or volumes of any PCollection: for pipelines with sources and sinks of their own.

    Takes `Record`s, pairs of an id and points (N,3). Returns two PCollections, `explained` of rows (see
    `sinks.Row`) and `rejected` of `Rejected`.

    Args:
        saved_model: Folder of the SavedModel, as every worker finds it.
        method: See `Job`.
        batch_size: The most clouds at once.
        trust: See `Job`.
        record_seconds: See `Job`.
        data_kind: See `Job`.
    """

    def __init__(
        self,
        saved_model: str,
        method: str = "integrated_gradients",
        batch_size: int = 32,
        trust: bool = False,
        record_seconds: float = 0,
        data_kind: DataKind = "points",
    ):
        super().__init__()
        self._size = batch_size
        self._explainer = (saved_model, method, batch_size, trust, data_kind), record_seconds

    def expand(self, clouds: beam.PCollection) -> Any:
        """Batches the clouds and explains batch after batch."""
        return (
            clouds
            | beam.BatchElements(min_batch_size=self._size, max_batch_size=self._size)
            | beam.ParDo(_ExplainBatch(*self._explainer)).with_outputs("rejected", main="explained")
        )


class _WithExplainer(beam.DoFn):
    """Loads the SavedModel once for all threads of a worker process."""

    def __init__(self, described: _Described, seconds: float):
        self._described, self._seconds, self._shared = described, seconds, Shared()

    def setup(self) -> None:
        """Gets the explainer."""
        self.explainer: _AnyExplainer = self._shared.acquire(self._load)

    def _load(self) -> _AnyExplainer:
        if self._seconds:
            return LimitedExplainer(self._described, self._seconds)
        return load_explainer(*self._described)

    def __getstate__(self) -> dict[str, Any]:
        """Leaves the explainer out: where this is unpickled, `setup` gets it."""
        return {name: value for name, value in vars(self).items() if name != "explainer"}


class _ExplainBatch(_WithExplainer):
    def process(self, batch: list[Any]) -> Iterator[Any]:  # Beam checks these types; any pair will do
        """Yields rows, and rejected records under their tag."""
        for result in explain_records(self.explainer, (Record(*one) for one in batch)):
            if isinstance(result, Rejected):
                yield beam.pvalue.TaggedOutput("rejected", result)
            else:
                yield result


class _ExplainShard(_WithExplainer):
    def __init__(self, job: Job, count: int):
        super().__init__(_described(job), job.record_seconds)
        self._job, self._count = job, count

    def process(self, shard: Shard) -> None:
        """Writes the shard's two files; the explanations last, for they say that the shard is done."""
        job, rejected = self._job, list[Rejected]()
        if self.is_done(shard):  # an attempt before this one was told to be lost and was not
            return
        records = (record for source in shard.sources for record in self._read(source))
        with write_rows(self.path(shard), job.format) as write:
            while some := list(itertools.islice(records, job.batch_size)):
                results = list(explain_records(self.explainer, some))
                rows = [result for result in results if not isinstance(result, Rejected)]
                rejected += [result for result in results if isinstance(result, Rejected)]
                write(rows)
            write_rejected(self.path(shard, "rejected"), rejected)

    def _read(self, source: Source) -> Iterator[Record | Rejected]:
        layout, job = layout_of(self.explainer), self._job
        if layout.kind == "voxels":
            return read_volumes(source, layout)
        size, columns = layout.usual()
        size = None if layout.data_format == "channels_first" else size
        return read_records(source, size or job.num_points, columns or 3, job.normalize)

    def is_done(self, shard: Shard) -> bool:
        """Returns whether the shard's files are there."""
        return self.path(shard).exists()

    def path(self, shard: Shard, kind: str = "explanations") -> Path:
        """Returns where the shard's explanations are, or its list of "rejected" records."""
        suffix = self._job.format if kind == "explanations" else "jsonl"
        return Path(self._job.output_dir) / f"{kind}-{shard.number:05d}-of-{self._count:05d}.{suffix}"


def _described(job: Job) -> _Described:
    return job.saved_model, job.method, job.batch_size, job.trust, job.data_kind


def explain_records(
    explainer: _AnyExplainer, records: Iterable[Record | Rejected]
) -> Iterator[Row | Rejected]:
    """Explains a batch of what `read_records` yields, clouds of one size together; rejected ones stay so."""
    sizes: dict[tuple[int, ...], list[Record]] = {}
    for record in records:
        if isinstance(record, Rejected):
            yield record
        else:
            sizes.setdefault(record.points.shape, []).append(record)
    for same in sizes.values():
        yield from _explained(explainer, same)


def _explained(explainer: _AnyExplainer, records: list[Record]) -> Iterator[Row | Rejected]:
    """Explains clouds of one size at once or, if one of them is at fault, one after the other."""
    try:
        found = explainer([record.points for record in records])
    except (UserError, tf.errors.InvalidArgumentError) as error:
        if len(records) == 1:
            yield Rejected(records[0].id, reason_of(error, 300))
            return
        for record in records:
            yield from _explained(explainer, [record])
        return
    for i, record in enumerate(records):
        row = {"id": record.id, "target": found.target[i], "scores": found.scores[i]}
        row |= {"importance": found.importance[i], "attributions": found.attributions[i]}
        if found.importance[i].ndim > 1:  # of a volume, which may have any size
            row["shape"] = found.importance[i].shape
        if found.convergence_delta is not None:
            row["delta"] = found.convergence_delta[i]
        yield row
