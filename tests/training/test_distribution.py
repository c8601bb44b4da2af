"""Several devices and several workers train as one does that sees the whole batch."""

import contextlib
import csv
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.reference.precision import precision
from tests.training import worker


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    with precision():
        worker.train(tf.distribute.get_strategy(), folder)
    return folder


def run(strategy, folder, configs):
    """Runs a worker for each TF_CONFIG, all at once; returns what they print."""
    here = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "TF_CPP_MIN_LOG_LEVEL": "3"}
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.training.worker", strategy, folder],
            cwd=Path(__file__).parents[2],
            env=here | config,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for config in configs
    ]
    try:
        results = [one.communicate(timeout=600) for one in workers]
    finally:
        for one in workers:
            one.kill()
    assert [one.returncode for one in workers] == [0] * len(workers), results[0][1][-3000:]
    return [out for out, _ in results]


def assert_same(folder, alone):
    """Weights, moments and step of the optimiser, and what was logged, are those of one device."""
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoints", "log.csv"]
    for epoch in (1, 2):
        path = Path("checkpoints", f"epoch-{epoch:04d}.npz")
        with np.load(folder / path) as ours, np.load(alone / path) as theirs:
            assert ours.files == theirs.files
            for name in set(ours.files) - {"meta"}:
                assert np.allclose(ours[name], theirs[name], rtol=1e-6, atol=1e-9), name
    logs = []
    for one in (folder, alone):
        with (one / "log.csv").open(newline="") as file:
            logs.append(
                [{k: float(v) for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]
            )
    for ours, theirs in zip(*logs, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)


def test_two_devices(alone, tmp_path):
    run("mirrored", tmp_path, [{}])
    assert_same(tmp_path, alone)


def test_two_workers(alone, tmp_path):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        names = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    tasks = [{"cluster": {"worker": names}, "task": {"type": "worker", "index": i}} for i in range(2)]
    first, second = run("multi_worker", tmp_path, [{"TF_CONFIG": json.dumps(task)} for task in tasks])
    assert first.count("epoch") >= 2
    assert second == ""  # the first one writes and speaks
    assert_same(tmp_path, alone)


def test_batches_that_cannot_be_divided_and_callbacks(tmp_path):
    import keras

    from tfxai3d.errors import UserError
    from tfxai3d.training import Replicas, fit_resumable

    class Three:
        num_replicas_in_sync, cluster_resolver = 3, None

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model._distribute_strategy = Three()
    batches = tf.data.Dataset.from_tensor_slices((np.zeros((8, 3)), np.zeros((8, 2)))).batch(4, True)
    with pytest.raises(UserError, match="batches of 4 cannot be divided among 3 devices"):
        Replicas(model).fit(batches)
    with pytest.raises(UserError, match="callbacks, such as pruning, train on one device"):
        fit_resumable(model, lambda epoch: batches, 1, tmp_path, callbacks=[keras.callbacks.Callback()])
