"""Records of bulk runs have the columns and the coordinates that the network takes."""

import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("apache_beam")

from tfxai3d.serve.bulk.plan import Source
from tfxai3d.serve.bulk.records import read_records

CLOUD = np.random.default_rng(4).normal(size=(15, 5)).astype("float32")


def test_of_arrays(tmp_path):
    np.save(tmp_path / "a.npy", CLOUD[None])
    source = Source(str(tmp_path / "a.npy"), 0, 1)
    for columns in (3, 5):
        (record,) = read_records(source, 20, columns)
        np.testing.assert_array_equal(record.points, CLOUD[:, :columns])
    (rejected,) = read_records(source, 20, 6)
    assert rejected.reason == "holds numbers (15, 5); give points (N,6)"


def test_of_single_files(tmp_path):
    rows = "\n".join(" ".join(map(str, row)) for row in CLOUD)
    (tmp_path / "a.txt").write_text(f"x y z nx ny\n{rows}\n")
    source = Source(str(tmp_path / "a.txt"))
    (record,) = read_records(source, 20, 5, normalize=False)
    np.testing.assert_allclose(record.points, CLOUD, rtol=1e-6)
    (record,) = read_records(source, 20, 5)
    np.testing.assert_allclose(record.points[:, 3:], CLOUD[:, 3:], rtol=1e-6)
    assert np.linalg.norm(record.points[:, :3], axis=1).max() == pytest.approx(1)


def test_of_tfrecords(tmp_path):
    path = str(tmp_path / "a.tfrecord")
    floats = tf.train.FloatList(value=CLOUD.ravel())
    features = tf.train.Features(feature={"points": tf.train.Feature(float_list=floats)})
    with tf.io.TFRecordWriter(path) as file:
        file.write(tf.train.Example(features=features).SerializeToString())
    (record,) = read_records(Source(path), 20, 5)
    np.testing.assert_array_equal(record.points, CLOUD)
    (rejected,) = read_records(Source(path), 20, 4)
    assert rejected.reason == "its feature `points` has 75 floats; give 4 columns of each point"
