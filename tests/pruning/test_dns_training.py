"""Surgery inside training: accumulated gradients, precision, logs, and what goes wrong."""

import csv
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.reference.precision import precision
from tests.reference.small_networks import ALWAYS, X, Y, apply, fit, kernel, network
from tfxai3d.errors import UserError
from tfxai3d.pruning import DynamicNetworkSurgery

ROOT = Path(__file__).parents[2]


def test_gradient_accumulation_operates_once_an_update(float64):
    model, optimizer = kernel([[0.1, 1.0]]), keras.optimizers.SGD(1.0, gradient_accumulation_steps=2)
    with DynamicNetworkSurgery(c_rate=0.0, **ALWAYS).attached(model, optimizer):
        np.testing.assert_allclose(apply(model, optimizer, -0.2), [[0.1, 1.0]])
        np.testing.assert_allclose(apply(model, optimizer, -0.4), [[0, 1.3]])  # the mean of both


def test_a_skipped_step_of_mixed_precision_changes_nothing():
    model = kernel([[0.1, 1.0]])
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1.0), initial_scale=2.0)
    with DynamicNetworkSurgery(c_rate=0.0, **ALWAYS).attached(model, optimizer):
        np.testing.assert_allclose(apply(model, optimizer, np.inf), [[0.1, 1.0]], rtol=1e-6)
        np.testing.assert_allclose(apply(model, optimizer, -0.1), [[0, 1.1]], rtol=1e-6)  # scale 1 by now


@pytest.mark.parametrize(
    ("policy", "options"),
    [("mixed_float16", {}), ("mixed_bfloat16", {"jit_compile": True, "steps_per_execution": 2})],
    ids=["float16", "bfloat16-xla"],
)
def test_mixed_precision_and_accumulated_gradients(policy, options):
    optimizer = keras.optimizers.Adam(0.01, gradient_accumulation_steps=2)
    with precision(policy):
        model = network(optimizer, **options)
        surgery = DynamicNetworkSurgery(target=0.3, frequency=1)
        logs = fit(model, surgery, steps=12)
    assert logs["left"] == [0.3]
    # Not every second step is an update: the first ones may overflow in float16.
    updates = round(63 / (logs["cut"][0] - logs["spliced"][0]))
    assert 1 <= updates <= 6
    for masked, dense, mask in zip(
        model.get_weights(), surgery.dense_weights.values(), surgery.masks.values(), strict=True
    ):
        assert masked.dtype == "float32"
        assert np.isfinite(dense).all()
        np.testing.assert_array_equal(masked, dense * mask)


REPLICAS = """
import keras, numpy as np, tensorflow as tf
from tfxai3d.errors import UserError
from tfxai3d.pruning import DynamicNetworkSurgery

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    model.compile("sgd", "mse")
before = model.get_weights()
try:
    model.fit(np.ones((8, 3)), np.ones((8, 4)), verbose=0, callbacks=[DynamicNetworkSurgery(target=0.1)])
except UserError as error:
    print(f"UserError: {error}")
assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before))
"""


def test_several_replicas_are_refused_in_one_line():
    """In a process of its own: logical devices are made before TensorFlow starts."""
    done = subprocess.run(
        [sys.executable, "-c", REPLICAS], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "UserError: surgery does not work on several replicas; train on one device"


# --- logs


def test_progress_bar_and_csv_show_what_is_left(tmp_path, capsys):
    model = network(keras.optimizers.Adam(0.05))
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    surgery = DynamicNetworkSurgery(target=0.3, frequency=1, log_layers=True)
    model.fit(X[:40], Y[:40], 8, verbose=1, callbacks=[surgery, log])
    shown = capsys.readouterr().out
    assert shown.count("left: 0.3000") > 1  # the bar, in every step
    with (tmp_path / "log.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert float(row["left"]) == 0.3
    left = [60 * float(row["left/first/kernel"]), 30 * float(row["left/second/kernel"])]
    assert sum(left) == pytest.approx(27)
    assert float(row["cut"]) == pytest.approx(
        float(row["cut/first/kernel"]) + float(row["cut/second/kernel"])
    )


# --- mistakes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either c_rate or target"),
        ({"c_rate": 1.0, "target": 0.1}, "either c_rate or target"),
        ({"target": 0.0}, "target 0.0: the fraction of weights left must be above 0"),
        ({"target": 1.5}, r"target 1\.5"),
        ({"target": 0.1, "scope": "model"}, "scope 'model': must be one of global, layer"),
        ({"c_rate": 1.0, "importance": "gradient"}, "needs a target, give one"),
        ({"c_rate": 1.0, "importance": "lamp"}, "needs a target, give one"),
        ({"c_rate": 1.0, "iter_stop": 0}, "iter_stop 0"),
    ],
)
def test_wrong_settings(options, message):
    with pytest.raises(UserError, match=message):
        DynamicNetworkSurgery(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"c_rate": 9.0}, r"c_rate 9 cuts all 60 weights of first/kernel, whose largest is .*smaller c_rate"),
        ({"c_rate": [1.0]}, "1 values of c_rate for 2 layers"),
        ({"c_rate": {"first/kernel": 1.0}}, "check second/kernel"),
        ({"target": 0.1, "include": ["third"]}, "no kernel is called 'third'; there are first/kernel"),
        ({"target": 0.1, "exclude": ["*"]}, "no kernels are left"),
    ],
)
def test_settings_that_do_not_fit_the_model(options, message):
    model = network("sgd")
    with pytest.raises(UserError, match=message):
        DynamicNetworkSurgery(**options).set_model(model)


def test_layers_that_are_lost_in_training_are_named(caplog):
    """Weight decay alone takes all weights of a layer below the threshold of the start."""
    model = network(keras.optimizers.SGD(1e-9, weight_decay=3e8))
    with pytest.raises(UserError, match="no weight is left"):
        fit(model, DynamicNetworkSurgery(c_rate=0.0, **ALWAYS), steps=10)
    model = network(keras.optimizers.SGD(1e-9, weight_decay=3e8))
    fit(model, DynamicNetworkSurgery(c_rate=[0.0, -np.inf], **ALWAYS), steps=10)
    assert "no weight is left of first/kernel" in caplog.text
