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

from tests.explain import networks
from tests.explain.networks import assert_close
from tfxai3d import explain, serve
from tfxai3d.errors import UserError
from tfxai3d.serve.beam import ExplainClouds, Job, Summary, explain_bulk
from tfxai3d.serve.beam_plan import Source, find_files, make_shards
from tfxai3d.serve.beam_records import Record, Rejected, read_records

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
        "/b.h5": "file signature not found",
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
