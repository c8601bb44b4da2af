import csv
import logging

import keras
import numpy as np
import pytest

from tfxai3d import data
from tfxai3d.errors import UserError
from tfxai3d.models import PointNet
from tfxai3d.storage.tables import write_csv
from tfxai3d.training import compile_classifier, fit_resumable
from tfxai3d.training.checkpoint import restore_checkpoint, save_checkpoint

POINTS = np.random.default_rng(0).uniform(-1, 1, (16, 24, 3)).astype("float32")
LABELS = np.arange(16) % 3


def network(seed=0, variant="basic", classes=3):
    keras.utils.set_random_seed(seed)
    model = PointNet(classes, variant)
    compile_classifier(model, steps=6, warmup_steps=2)
    model.jit_compile = False
    return model


def batches(epoch):
    return data.training_batches(
        POINTS,
        LABELS,
        num_classes=3,
        batch_size=8,
        num_points=16,
        augment=data.augmentation(["jitter"]),
        seed=(0, epoch),
    )


def arrays(model):
    return [np.asarray(v) for v in (*model.weights, *model.optimizer.variables)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model, its history and its folder after three epochs without interruption."""
    folder = tmp_path_factory.mktemp("trained")
    model = network()
    return model, fit_resumable(model, batches, 3, folder), folder


@pytest.fixture
def copy(trained, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    for path in (trained[2] / "checkpoints").iterdir():
        (tmp_path / "checkpoints" / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_log_and_checkpoints(trained):
    _, history, folder = trained
    assert sorted(p.name for p in (folder / "checkpoints").iterdir()) == ["epoch-0002.npz", "epoch-0003.npz"]
    with (folder / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [float(row["loss"]) for row in rows] == [record["loss"] for record in history]
    assert set(rows[0]) == {"epoch", "accuracy", "loss", "learning_rate", "seconds"}


def test_what_a_kill_before_the_removal_leaves_is_removed(copy):
    folder = copy / "checkpoints"
    (folder / "epoch-0001.npz").write_bytes((folder / "epoch-0002.npz").read_bytes())
    fit_resumable(network(seed=1), batches, 3, copy)
    assert sorted(p.name for p in folder.iterdir()) == ["epoch-0002.npz", "epoch-0003.npz"]


def test_everything_is_restored(trained):
    model, history, folder = trained
    other = network(seed=5)
    done, meta = restore_checkpoint(folder / "checkpoints", other)
    assert (done, meta["history"]) == (3, history)
    for a, b in zip(arrays(model), arrays(other), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(model.non_trainable_variables, other.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_interrupted_training_ends_where_the_uninterrupted_one_does(trained, copy):
    """Also with the newest file truncated, as a full disk or a crash of the machine may leave it."""
    newest = copy / "checkpoints" / "epoch-0003.npz"
    newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])
    model = network(seed=7)
    history = fit_resumable(model, batches, 3, copy)
    assert [record["epoch"] for record in history] == [1, 2, 3]
    assert history[-1]["loss"] == pytest.approx(trained[1][-1]["loss"], rel=1e-4)
    for a, b in zip(arrays(model), arrays(trained[0]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("content", [b"", b"PK", b"text"])
def test_a_damaged_newest_checkpoint_is_reported_and_passed_over(copy, caplog, content):
    (copy / "checkpoints" / "epoch-0003.npz").write_bytes(content)
    with caplog.at_level(logging.WARNING):
        done, _ = restore_checkpoint(copy / "checkpoints", network())
    assert done == 2
    assert "epoch-0003.npz: damaged" in caplog.text


def test_a_run_that_is_killed_at_its_checkpoint_has_told_tensorboard(tmp_path, monkeypatch):
    """What comes after the checkpoint is not done again, and what is not written dies with the process."""
    pytest.importorskip("tensorboard")
    import tensorflow as tf

    told = []

    def killed(*_):
        (file,) = (tmp_path / "tensorboard").iterdir()
        for raw in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(raw)
            told.extend((event.step, value.tag) for value in event.summary.value)
        raise SystemExit

    monkeypatch.setattr("tfxai3d.training.fit.save_checkpoint", killed)
    with pytest.raises(SystemExit):
        fit_resumable(network(), batches, 1, tmp_path, tensorboard=True)
    assert {step for step, _ in told} == {1}
    assert {tag for _, tag in told} >= {"loss", "accuracy"}


def test_no_readable_checkpoint_is_a_fresh_start(tmp_path):
    assert restore_checkpoint(tmp_path, network()) is None
    (tmp_path / "epoch-0001.npz").write_bytes(b"nothing")
    assert restore_checkpoint(tmp_path, network()) is None


@pytest.mark.parametrize("other", [{"variant": "full"}, {"classes": 4}])
def test_a_checkpoint_of_another_model_is_a_user_error(copy, other):
    with pytest.raises(UserError, match="another model"):
        restore_checkpoint(copy / "checkpoints", network(**other))


def test_a_failing_write_leaves_the_folder_as_it_was(copy, monkeypatch):
    before = sorted(p.name for p in (copy / "checkpoints").iterdir())

    def full_disk(file, **arrays):
        file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(UserError, match="No space"):
        save_checkpoint(copy / "checkpoints", 4, network(), {})
    assert sorted(p.name for p in (copy / "checkpoints").iterdir()) == before


def test_the_log_survives_a_change_of_its_columns(tmp_path):
    write_csv(tmp_path / "log.csv", [{"epoch": 1}, {"epoch": 2, "validation_accuracy": 0.5}])
    assert (tmp_path / "log.csv").read_text().split() == ["epoch,validation_accuracy", "1,", "2,0.5"]


def test_vectors_do_not_decay():
    model = network()
    model.optimizer.build(model.trainable_variables)
    for variable in model.trainable_variables:
        assert model.optimizer._use_weight_decay(variable) == (len(variable.shape) > 1), variable.path


def test_a_log_that_was_not_written_any_more_is_written_by_the_next_run(tmp_path):
    """Killed between the last checkpoint and its line in the log."""
    import tensorflow as tf

    def run():
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        batches = tf.data.Dataset.from_tensors((tf.ones((4, 2)), tf.ones((4, 1))))
        return fit_resumable(model, lambda epoch: batches, 1, tmp_path)

    history = run()
    written = (tmp_path / "log.csv").read_bytes()
    (tmp_path / "log.csv").unlink()
    assert run() == history
    assert (tmp_path / "log.csv").read_bytes() == written
