"""Bulk runs: every record once, whatever happens."""

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("apache_beam")

import apache_beam as beam
import pyarrow.parquet
from apache_beam.testing.util import assert_that

from tests.reference import networks
from tests.reference.networks import assert_close
from tfxai3d import explain, serve
from tfxai3d.errors import UserError
from tfxai3d.serve.bulk.job import ExplainClouds, Job, Summary, explain_bulk
from tfxai3d.serve.bulk.plan import Source, find_files, make_shards
from tfxai3d.serve.bulk.records import Record, Rejected, read_records

CLOUDS = np.random.default_rng(3).uniform(-1, 1, (11, 12, 3)).astype("float32")
METHOD = "integrated_gradients"


@pytest.fixture(scope="module")
def model():
    return networks.pointnet()


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("served") / "1"
    methods = [explain.IntegratedGradients(model, steps=2, batch_size=4), "vanilla_gradient"]
    serve.export(model, path, methods)
    return str(path)


@pytest.fixture
def clouds(tmp_path):
    """Eleven clouds in an H5 file, in a folder of their own."""
    path = tmp_path / "in" / "clouds.h5"
    path.parent.mkdir()
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=CLOUDS, chunks=(3, 12, 3), compression="gzip")
    return path


@pytest.fixture
def job(saved, tmp_path):
    def make(**more):
        settings = {"batch_size": 4, "shard_size": 4} | more
        return Job(saved, str(tmp_path / "out"), **settings)

    return make


def write_examples(path, clouds):
    with tf.io.TFRecordWriter(str(path)) as file:
        for cloud in clouds:
            example = tf.train.Example()
            example.features.feature["points"].float_list.value.extend(np.ravel(cloud))
            file.write(example.SerializeToString())


def examples(folder):
    """The rows of all TFRecord files of a folder, by id; each id once."""
    rows = {}
    for path in sorted(Path(folder).glob("explanations-*.tfrecord")):
        for raw in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            feature = tf.train.Example.FromString(raw).features.feature
            row = {n: np.array(v.float_list.value) for n, v in feature.items() if v.HasField("float_list")}
            (name,) = feature["id"].bytes_list.value
            (row["target"],) = feature["target"].int64_list.value
            assert name.decode() not in rows
            rows[name.decode()] = row
    return rows


def rejected(folder):
    lines = [line for path in sorted(Path(folder).glob("*.jsonl")) for line in path.read_text().splitlines()]
    return {record["id"]: record["reason"] for record in map(json.loads, lines)}


def test_every_cloud_is_explained_as_by_the_explainer(clouds, job, model, tmp_path):
    assert explain_bulk(job(), [str(clouds)]) == Summary(explained=11, rejected=0, shards=3, skipped=0)
    rows = examples(tmp_path / "out")
    assert list(rows) == [f"{clouds.as_posix()}#{i}" for i in range(11)]
    expected = explain.IntegratedGradients(model, steps=2)(CLOUDS)
    for i, row in enumerate(rows.values()):
        assert_close(row["importance"], expected.importance[i])
        assert_close(row["attributions"], expected.attributions[i].ravel())
        assert_close(row["scores"], expected.scores[i])
        assert row["target"] == expected.target[i]
        assert row["delta"] == pytest.approx(expected.convergence_delta[i], abs=1e-5)


def test_parquet(clouds, job, model, tmp_path):
    explain_bulk(job(format="parquet", method="vanilla_gradient"), [str(clouds)])
    paths = sorted((tmp_path / "out").glob("explanations-*"))
    assert [path.name for path in paths] == [f"explanations-{i:05d}-of-00003.parquet" for i in range(3)]
    rows = [row for path in paths for row in pyarrow.parquet.read_table(path).to_pylist()]
    assert [row["id"] for row in rows] == [f"{clouds.as_posix()}#{i}" for i in range(11)]
    expected = explain.VanillaGradient(model)(CLOUDS)
    assert_close([row["importance"] for row in rows], expected.importance)
    assert_close([row["attributions"] for row in rows], expected.attributions.reshape(11, -1))
    assert [row["target"] for row in rows] == expected.target.tolist()
    assert all(row["delta"] is None for row in rows)


def test_what_cannot_be_explained_is_listed_with_its_reason(job, saved, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    bad = CLOUDS[:4].copy()
    bad[1, 2] = np.nan
    np.save(folder / "a.npy", bad)
    (folder / "b.h5").write_bytes(b"nothing of this kind")
    with h5py.File(folder / "c.h5", "w") as file:
        file["points"] = CLOUDS
    (folder / "d.xyz").write_text("1 2\n")
    np.savetxt(folder / "e.xyz", CLOUDS[0])
    write_examples(folder / "f.tfrecord", [CLOUDS[0], CLOUDS[0].ravel()[:-1], CLOUDS[1, :10]])
    raw = (folder / "f.tfrecord").read_bytes()
    (folder / "g.tfrecord").write_bytes(raw[:-5])
    summary = explain_bulk(job(), [f"{folder.as_posix()}/*"])
    reasons = {name.removeprefix(folder.as_posix()): why for name, why in rejected(tmp_path / "out").items()}
    expected = {
        "/a.npy#1": "holds NaN",
        "/b.h5": "is no HDF5 file",
        "/c.h5": "data",
        "/d.xyz": "d.xyz",
        "/f.tfrecord#1": "its feature `points` has 35 floats",
        "/g.tfrecord#1": "its feature `points` has 35 floats",
        "/g.tfrecord#2": "unreadable from here on",
    }
    assert reasons.keys() == expected.keys()
    assert all(part in reasons[name] for name, part in expected.items())
    good = ["a.npy#0", "a.npy#2", "a.npy#3", "e.xyz#0", "f.tfrecord#0", "f.tfrecord#2", "g.tfrecord#0"]
    rows = examples(tmp_path / "out")
    assert sorted(rows) == [f"{folder.as_posix()}/{name}" for name in good]
    assert len(rows[f"{folder.as_posix()}/f.tfrecord#2"]["importance"]) == 10
    assert (summary.explained, summary.rejected) == (7, 7)


KILLED = """
import os, sys
from tfxai3d.serve.bulk import job as beam
from tfxai3d.serve.bulk import sinks
write, calls = sinks._example, []
def dying(row):
    calls.append(row)
    if len(calls) == 7:  # in the middle of the second of three files
        os._exit(9)
    return write(row)
sinks._example = dying
beam.explain_bulk(beam.Job(sys.argv[1], sys.argv[2], batch_size=4, shard_size=4), sys.argv[3:])
"""


def test_a_killed_run_goes_on_and_explains_every_cloud_once(clouds, saved, job, tmp_path):
    clouds = [clouds.as_posix()]
    command = [sys.executable, "-c", KILLED, saved, str(tmp_path / "out"), *clouds]
    here = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    assert subprocess.run(command, env=here, timeout=600, check=False).returncode == 9
    left = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert [name for name in left if name[0] != "."] == ["explanations-00000-of-00003.tfrecord", "run.json"]
    assert any(name.startswith(".explanations-00001") for name in left)  # half a file, under another name
    first = (tmp_path / "out" / "explanations-00000-of-00003.tfrecord").stat().st_mtime_ns
    assert explain_bulk(job(), clouds) == Summary(explained=7, rejected=0, shards=3, skipped=1)
    assert list(examples(tmp_path / "out")) == [f"{clouds[0]}#{i}" for i in range(11)]  # each once
    assert (tmp_path / "out" / "explanations-00000-of-00003.tfrecord").stat().st_mtime_ns == first
    assert not list((tmp_path / "out").glob(".*"))
    assert explain_bulk(job(), clouds) == Summary(explained=0, rejected=0, shards=3, skipped=3)


def test_a_bundle_that_is_tried_again_writes_nothing_twice(clouds, job, tmp_path, monkeypatch):
    """The first attempt fails when its records have been written and before they are there."""
    from tfxai3d.serve.bulk import job as module

    attempts, write = [], module.write_rejected

    def failing(path, records):
        attempts.append(path)
        if len(attempts) == 2:
            raise OSError("the disk was away for a moment")
        write(path, records)

    monkeypatch.setattr(module, "write_rejected", failing)
    with pytest.raises(Exception, match="the disk was away"):
        explain_bulk(job(), [str(clouds)])
    assert [path.name for path in (tmp_path / "out").glob("*.tfrecord")] == [
        "explanations-00000-of-00003.tfrecord"
    ]
    # A runner that tries again, or one that holds an attempt for lost that was not.
    shards = make_shards([clouds.as_posix()], 4)
    do = module._ExplainShard(job(), 3)
    do.setup()
    for shard in (*shards, *shards):
        do.process(shard)
    assert list(examples(tmp_path / "out")) == [f"{clouds.as_posix()}#{i}" for i in range(11)]
    assert not list((tmp_path / "out").glob(".*"))


def test_reasons_that_have_passed_are_forgotten(clouds, job, tmp_path):
    """What an attempt that was lost rejected and the next one explained is not in both outputs."""
    stale = tmp_path / "out" / "rejected-00001-of-00003.jsonl"
    stale.parent.mkdir()
    stale.write_text('{"id": "x", "reason": "the disk was away"}\n')
    explain_bulk(job(), [str(clouds)])
    assert not stale.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"method": "vanilla_gradient"},
            "^method=vanilla_gradient: .* with integrated_gradients;",
        ),
        ({"shard_size": 5}, "^shard_size=5: .* holds a run with 4; give the same"),
        ({"more": True}, "^files=.* holds a run with .*; give the same"),
    ],
)
def test_a_folder_of_another_run_is_refused(clouds, job, change, message):
    patterns = [f"{clouds.parent.as_posix()}/*"]
    explain_bulk(job(), patterns)
    if change.pop("more", False):
        np.save(clouds.with_name("more.npy"), CLOUDS)
    with pytest.raises(UserError, match=message):
        explain_bulk(job(**change), patterns)


@pytest.mark.parametrize(
    ("change", "patterns", "message"),
    [
        ({}, ["nothing/*.h5"], "nothing/[*].h5: matches no file"),
        ({}, [__file__], "bulk runs read .tfrecord"),
        ({"batch_size": 0}, [], "batch_size must be at least 1"),
        ({"method": "grad_cam"}, None, "has no signature explain_grad_cam"),
        ({"method": "lemon"}, None, "unknown method 'lemon'"),
    ],
)
def test_mistakes(clouds, job, change, patterns, message, tmp_path):
    with pytest.raises(UserError, match=message):
        explain_bulk(job(**change), [str(clouds)] if patterns is None else patterns)
    assert not (tmp_path / "out").exists()


def test_shards_divide_the_records(tmp_path):
    for name, count in (("a", 5), ("c", 3)):
        np.save(tmp_path / f"{name}.npy", np.zeros((count, 12, 3)))
    np.save(tmp_path / "d.npy", np.zeros((12, 3)))
    (tmp_path / "b.tfrecord").touch()
    paths = find_files([f"{tmp_path.as_posix()}/*.npy", f"{tmp_path.as_posix()}/*"])
    assert [Path(path).name for path in paths] == ["a.npy", "b.tfrecord", "c.npy", "d.npy"]
    a, b, c, d = paths
    shards = make_shards(paths, 4)
    assert [shard.number for shard in shards] == list(range(4))
    assert [shard.sources for shard in shards] == [
        (Source(a, 0, 4),),
        (Source(b),),
        (Source(a, 4, 5), Source(c, 0, 3)),
        (Source(d, 0, 1),),
    ]


def test_an_array_of_one_cloud_and_only_the_first_points(tmp_path):
    np.save(tmp_path / "a.npy", np.hstack([CLOUDS[0], CLOUDS[1]]))
    (record,) = read_records(Source(str(tmp_path / "a.npy"), 0, 1), num_points=11)
    assert record.id == f"{tmp_path / 'a.npy'}#0"
    assert np.array_equal(record.points, CLOUDS[0][:11])


def test_clouds_of_any_pipeline(saved, model):
    expected = explain.IntegratedGradients(model, steps=2)(CLOUDS[:3]).importance

    def check(rows):
        assert [row["id"] for row in rows] == ["0", "1", "2"]
        assert_close([row["importance"] for row in rows], expected)

    def check_rejected(rows):
        assert [row.id for row in rows] == ["bad"]
        assert all(isinstance(row, Rejected) and "NaN" in row.reason for row in rows)

    records = [Record(str(i), cloud) for i, cloud in enumerate(CLOUDS[:3])]
    with beam.Pipeline("apache_beam.runners.portability.fn_api_runner.FnApiRunner") as pipeline:
        bad = Record("bad", np.full((12, 3), np.nan, "float32"))
        results = pipeline | beam.Create([*records, bad]) | ExplainClouds(saved, METHOD, batch_size=4)
        assert_that(results.explained, lambda rows: check(sorted(rows, key=lambda row: row["id"])))
        assert_that(results.rejected, check_rejected, label="rejected")
