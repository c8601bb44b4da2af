"""Volumes in bulk, and what comes of it read by pandas and TensorFlow."""

import functools

import h5py
import nibabel
import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("apache_beam")

import pyarrow.parquet

from tests.reference import networks
from tests.reference.networks import assert_close
from tfxai3d import explain, serve
from tfxai3d.explain.engine.layout import Layout
from tfxai3d.serve.bulk.job import Job, Summary, explain_bulk
from tfxai3d.serve.bulk.plan import Source, make_shards
from tfxai3d.serve.bulk.records import Record, Rejected, read_volumes

METHOD = "gradient_times_input"
CUBE = Layout("voxels", (4, 4, 4, 1))
VOLUMES = np.random.default_rng(5).normal(size=(3, 4, 4, 4, 1)).astype("float32")


@pytest.fixture(scope="module")
def model():
    return networks.resnet3d()


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("served") / "1"
    serve.export(model, path, [METHOD])
    return str(path)


@pytest.fixture(scope="module")
def volumes(model):
    shape = [side or 8 for side in model.input_shape[1:]]
    return np.random.default_rng(6).normal(size=(5, *shape)).astype("float32")


@pytest.fixture(scope="module")
def run(saved, volumes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("volumes")
    np.save(folder / "a.npy", volumes[:3])
    with h5py.File(folder / "b.h5", "w") as file:
        file["data"] = volumes[3:, ..., 0]  # without an axis of channels

    @functools.cache
    def run(format):
        job = Job(saved, str(folder / format), METHOD, format, shard_size=2, data_kind="voxels")
        summary = explain_bulk(job, [f"{folder.as_posix()}/*.*"])
        assert summary == Summary(explained=5, rejected=0, shards=3, skipped=0)
        return sorted((folder / format).glob("explanations-*"))

    return run


def assert_as_explained(rows, model, volumes):
    expected = explain.GradientTimesInput(model)(volumes)
    for row, importance, attributions in zip(rows, expected.importance, expected.attributions, strict=True):
        assert_close(np.reshape(row["importance"], row["shape"]), importance)
        assert_close(np.reshape(row["attributions"], volumes.shape[1:]), attributions)
    assert [row["target"] for row in rows] == expected.target.tolist()


def test_parquet_is_read_by_pandas(run, model, volumes):
    pandas = pytest.importorskip("pandas")
    table = pandas.concat([pandas.read_parquet(path) for path in run("parquet")])
    assert [name.split("/")[-1] for name in table["id"]] == [
        "a.npy#0",
        "a.npy#1",
        "a.npy#2",
        "b.h5#0",
        "b.h5#1",
    ]
    assert_as_explained(table.to_dict("records"), model, volumes)


def test_parquet_is_read_into_tensorflow(run, model, volumes):
    paths = run("parquet")

    names = ["importance", "attributions", "target", "shape"]

    def rows():
        for path in paths:
            yield from pyarrow.parquet.read_table(path, columns=names).to_pylist()

    floats, one, whole = (tf.TensorSpec(*spec) for spec in (([None],), ([], tf.int64), ([None], tf.int64)))
    signature = dict(zip(names, (floats, floats, one, whole), strict=True))
    read = tf.data.Dataset.from_generator(rows, output_signature=signature).as_numpy_iterator()
    assert_as_explained(list(read), model, volumes)


def test_tfrecord_is_read_by_tensorflow(run, model, volumes):
    many = tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True)
    whole = tf.io.FixedLenSequenceFeature([], tf.int64, allow_missing=True)
    features = {
        "importance": many,
        "attributions": many,
        "shape": whole,
        "target": tf.io.FixedLenFeature([], tf.int64),
    }
    paths = [str(path) for path in run("tfrecord")]
    read = tf.data.TFRecordDataset(paths).map(lambda raw: tf.io.parse_single_example(raw, features))
    assert_as_explained(list(read.as_numpy_iterator()), model, volumes)


def test_volumes_of_files_and_what_is_none(tmp_path):
    nibabel.save(nibabel.Nifti1Image(VOLUMES[0, ..., 0], np.eye(4)), tmp_path / "a.nii.gz")
    np.save(tmp_path / "b.npy", VOLUMES[1, ..., 0])
    broken = VOLUMES.copy()
    broken[1, 0, 0, 0, 0] = np.nan
    np.save(tmp_path / "c.npy", broken)
    np.save(tmp_path / "d.npy", np.zeros((2, 4, 4, 5)))
    with tf.io.TFRecordWriter(str(tmp_path / "e.tfrecord")) as file:
        for values in (VOLUMES[2].ravel(), VOLUMES[2].ravel()[1:]):
            example = tf.train.Example()
            example.features.feature["voxels"].float_list.value.extend(values)
            file.write(example.SerializeToString())
    np.savetxt(tmp_path / "f.xyz", VOLUMES[0].reshape(-1, 1)[:60].reshape(-1, 3))
    paths = [str(tmp_path / name) for name in ("a.nii.gz", "b.npy", "c.npy", "d.npy", "e.tfrecord", "f.xyz")]
    shards = make_shards(paths, 100, "voxels")
    found = [record for shard in shards for source in shard.sources for record in read_volumes(source, CUBE)]
    volumes = {r.id.split("/")[-1]: r.points for r in found if isinstance(r, Record)}
    expected = {"a.nii.gz#0": 0, "b.npy#0": 1, "c.npy#0": 0, "c.npy#2": 2, "e.tfrecord#0": 2}
    assert volumes.keys() == expected.keys()
    for name, number in expected.items():
        np.testing.assert_array_equal(volumes[name], VOLUMES[number])
    reasons = {r.id.split("/")[-1]: r.reason for r in found if isinstance(r, Rejected)}
    assert reasons["c.npy#1"] == "holds NaN or infinite values"
    assert reasons["d.npy#0"] == reasons["d.npy#1"] == f"holds numbers (4, 4, 5); give {CUBE.words()}"
    assert "its feature `voxels` has 63 floats" in reasons["e.tfrecord#1"]
    assert "holds no volume" in reasons["f.xyz"]
    assert len(reasons) == 5


def test_networks_without_an_axis_of_channels(tmp_path):
    np.save(tmp_path / "a.npy", VOLUMES)
    (record, *_) = read_volumes(Source(str(tmp_path / "a.npy"), 0, 3), Layout("voxels", (4, 4, 4)))
    np.testing.assert_array_equal(record.points, VOLUMES[0, ..., 0])
