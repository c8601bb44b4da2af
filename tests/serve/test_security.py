"""Files that mean harm are refused; names that mean harm stay names."""

import pickle
import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.reference.harmful_npz import ABSURD, npy_header, write_members
from tests.reference.precision import precision
from tfxai3d import data
from tfxai3d.cli import Object, with_unique_names
from tfxai3d.errors import UserError
from tfxai3d.evaluate import DropTable
from tfxai3d.explain import Explanation


class Bomb:
    """Says when it is unpickled."""

    exploded = False

    def __reduce__(self):
        return setattr, (Bomb, "exploded", True)


@pytest.fixture(scope="module")
def readers():
    """Every function that reads an NPZ file, and what it wants to find in it."""
    import keras

    from tfxai3d import models, pruning

    with precision("float32"):
        tiny = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    tiny.compile("sgd", "mse")

    def preset(path):
        folder = path.parent / "preset"
        folder.mkdir(exist_ok=True)
        config = '{"model": "PointNet", "config": {"num_classes": 2, "variant": "basic"}}'
        (folder / "config.json").write_text(config)
        path.replace(folder / "weights.npz")
        models.from_preset(folder)

    return {
        "cloud": (data.load_points, ["points"]),
        "voxels": (data.load_voxels, ["features", "targets"]),
        "explanation": (Explanation.load, ["meta", "inputs"]),
        "sparse store": (lambda path: pruning.load_sparse(path, tiny), ["0000", "0001"]),
        "preset": (preset, ["mlp1_0/kernel"]),
    }


READERS = ("cloud", "voxels", "explanation", "sparse store", "preset")


@pytest.mark.parametrize("reader", READERS)
def test_an_absurd_npz_is_refused_before_memory_is_taken(readers, reader, tmp_path):
    read, names = readers[reader]
    path = tmp_path / "a.npz"
    write_members(path, dict.fromkeys(names, npy_header((ABSURD, 3)) + b"0" * 64))
    with pytest.raises(UserError) as caught:
        read(path)
    assert "declares" in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize("reader", READERS)
def test_no_pickle_is_opened(readers, reader, tmp_path):
    read, names = readers[reader]
    path = tmp_path / "a.npz"
    write_members(path, dict.fromkeys(names, npy_header((), "|O") + pickle.dumps(Bomb())))
    with pytest.raises(UserError):
        read(path)
    assert not Bomb.exploded
    path.write_bytes(pickle.dumps(Bomb()))  # no ZIP at all: np.load would try to unpickle it
    with pytest.raises(UserError):
        read(path)
    assert not Bomb.exploded


def test_a_checkpoint_is_not_trusted_either(tmp_path):
    from tfxai3d.training.checkpoint import restore_checkpoint

    for number, raw in enumerate((npy_header((ABSURD,)), npy_header((), "|O") + pickle.dumps(Bomb()))):
        write_members(tmp_path / f"epoch-{number:04d}.npz", {"meta": raw})
    assert restore_checkpoint(tmp_path, None) is None  # damaged, both of them
    assert not Bomb.exploded


def test_absurd_h5_files_are_refused(tmp_path):
    (tmp_path / "test_files.txt").write_text("shard.h5\n")
    with h5py.File(tmp_path / "shard.h5", "w") as file:
        file.create_dataset("data", (ABSURD, 2048, 3), "f4", chunks=(1, 2048, 3))
        file.create_dataset("label", (ABSURD, 1), "u1", chunks=(1024, 1))
    with pytest.raises(UserError, match=r"shard\.h5"):
        data.load_modelnet40(tmp_path)
    with h5py.File(tmp_path / "table.h5", "w") as file:
        for name in ("steps", "sizes", "dropped_at"):
            file.create_dataset(name, (ABSURD,), "i4", chunks=(1024,))
    with pytest.raises(UserError, match=r"table\.h5"):
        DropTable.load(tmp_path / "table.h5")


@pytest.fixture
def bulk(tmp_path):
    """Plans and reads what a function writes into an H5 file, as a bulk run does."""
    from tfxai3d.serve.bulk.plan import make_shards
    from tfxai3d.serve.bulk.records import read_records

    def run(write):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            write(file)
        (shard,) = make_shards([str(tmp_path / "a.h5")], 4)
        return [record for source in shard.sources for record in read_records(source, 10)]

    return run


def virtual(file):
    layout = h5py.VirtualLayout((ABSURD, 4, 3), "f4")
    layout[:4] = h5py.VirtualSource("other.h5", "data", (4, 4, 3))
    file.create_virtual_dataset("data", layout)


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda file: file.create_dataset("data", (ABSURD, 4, 3), "f4", chunks=(1, 4, 3)), "but holds 0"),
        (lambda file: file.create_dataset("data", (ABSURD, 0, 3), "f4"), "give points"),
        (lambda file: file.create_dataset("data", (4, 2**20, 2**20), "f4", chunks=(1, 8, 8)), "declares"),
        (lambda file: file.create_dataset("data", data=h5py.Empty("f4")), "has no data set `data`"),
        (lambda file: file.create_group("data"), "has no data set `data`"),
        (virtual, "is a virtual dataset"),
    ],
)
def test_a_bulk_run_is_not_planned_by_what_a_file_declares(bulk, write, reason):
    """Neither billions of shards nor billions of clouds of zeros: one line says why."""
    (rejected,) = bulk(write)
    assert reason in rejected.reason


def test_a_bulk_run_lives_on_after_a_file_that_crashes(monkeypatch):
    from tfxai3d.serve.bulk.plan import make_shards
    from tfxai3d.serve.bulk.records import read_records

    path = str(Path(__file__).parents[1] / "files" / "hostile" / "segfault.h5")
    (shard,) = make_shards([path], 4)
    (rejected,) = [record for source in shard.sources for record in read_records(source, 10)]
    assert "ends the process that reads it" in rejected.reason


def test_a_bulk_run_takes_no_memory_for_a_record_that_is_not_there(tmp_path):
    """TensorFlow would; where the checksum of an absurd length is right, that ends the process."""
    import tensorflow as tf

    from tfxai3d.serve.bulk.plan import Source
    from tfxai3d.serve.bulk.records import read_records

    path = tmp_path / "a.tfrecord"
    example = tf.train.Example()
    example.features.feature["points"].float_list.value.extend(range(12))
    with tf.io.TFRecordWriter(str(path)) as file:
        file.write(example.SerializeToString())
    length, checksum = (2**40).to_bytes(8, "little"), (0xE46B3DAA).to_bytes(4, "little")
    path.write_bytes(path.read_bytes() + length + checksum + bytes(50))
    whole, cut = read_records(Source(str(path)), 10)
    assert whole.points.tolist() == np.arange(12).reshape(4, 3).tolist()
    assert cut == (f"{path}#1", "unreadable from here on (longer than the file)")


def test_a_bulk_run_reads_well_packed_files(bulk):
    clouds = np.zeros((4, 1000, 3), "float32")
    records = bulk(
        lambda file: file.create_dataset("data", data=clouds, chunks=True, compression=9, shuffle=True)
    )
    assert [record.points.shape for record in records] == [(10, 3)] * 4


def test_objects_are_written_into_the_output_folder(tmp_path):
    points = np.zeros((1, 3), np.float32)
    # The stem of "...ply" is "..", and a table of mistakes may name any class.
    found = with_unique_names(
        Object(name, points, None) for name in ("..", ".", "desk_as_/../../x_3", "chair")
    )
    assert [item.name for item in found] == ["_", "_-2", "desk_as__.._.._x_3", "chair"]


def test_every_promise_has_its_test():
    """SECURITY.md names them; a test that is renamed or removed must not leave its promise behind."""
    root = Path(__file__).parents[2]
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (root / "SECURITY.md").read_text(encoding="utf-8"))
    assert len(named) > 15
    for file, name in named:
        found = re.search(
            rf"^ *(def|class) {name}\b", (root / file).read_text(encoding="utf-8"), re.MULTILINE
        )
        assert found, f"{file}::{name}"
