"""Surgery against its equations, step by step and inside model.fit."""

import csv
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.reference import surgery as reference
from tfxai3d.errors import UserError
from tfxai3d.pruning import DynamicNetworkSurgery, GradualTarget, kernel_sparsity

OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.05),
    "momentum": lambda: keras.optimizers.SGD(0.05, momentum=0.9),
    "adam": lambda: keras.optimizers.Adam(0.05, 0.875, 0.984375),
    "adamw": lambda: keras.optimizers.AdamW(0.05, 0.02, 0.875, 0.984375),
}
ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(50 * 8, 6)), RNG.normal(size=(50 * 8, 3))
W = [RNG.normal(size=(6, 10)), RNG.normal(size=(10, 3))]
ALWAYS = {"power": 0}  # operate at every step


def network(optimizer, **options):
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(10, "tanh", use_bias=False, name="first"),
            keras.layers.Dense(3, use_bias=False, name="second"),
        ]
    )
    model.set_weights(W)
    model.compile(optimizer, "mse", **{"jit_compile": False, **options})
    return model


def fit(model, surgery=None, steps=50, epochs=1):
    callbacks = [] if surgery is None else [surgery]
    return model.fit(X[: 8 * steps], Y[: 8 * steps], 8, epochs, 0, callbacks=callbacks, shuffle=False).history


def kernel(values):
    """Returns a model of one kernel of these weights, for optimisers that are called by hand."""
    values = np.asarray(values, "float64")
    model = keras.Sequential(
        [keras.Input(values.shape[:1]), keras.layers.Dense(values.shape[1], use_bias=False, name="layer")]
    )
    model.set_weights([values])
    return model


def apply(model, optimizer, *gradients):
    for gradient in gradients:
        gradient = np.broadcast_to(gradient, model.weights[0].shape)
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], model.trainable_variables)
    return np.asarray(model.weights[0])


# --- equations


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fifty_steps_equal_the_equations(float64, name):
    batches = [(X[i : i + 8], Y[i : i + 8]) for i in range(0, len(X), 8)]
    weights, masks, spliced = reference.run(batches, W, name, c=0.4)
    assert spliced > 0
    model = network(OPTIMIZERS[name]())
    surgery = DynamicNetworkSurgery(c_rate=0.4, **ALWAYS)
    fit(model, surgery)
    for got, expected in zip(surgery.dense_weights.values(), weights, strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-6)
    for got, expected in zip(surgery.masks.values(), masks, strict=True):
        np.testing.assert_array_equal(got, expected)
    pruned = [w * mask for w, mask in zip(weights, masks, strict=True)]
    for got, expected in zip(model.get_weights(), pruned, strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-6)
    np.testing.assert_allclose(model.predict(X, 400, 0), reference.forward(X, pruned), atol=1e-6)


def test_without_c_rate_training_is_bit_identical():
    plain, watched = (network(keras.optimizers.AdamW(0.05)) for _ in range(2))
    history = fit(plain, steps=20)
    surgery = DynamicNetworkSurgery(c_rate=-np.inf)
    assert fit(watched, surgery, steps=20)["loss"] == history["loss"]
    for got, expected in zip(watched.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)
    surgery.finalize()
    for got, expected in zip(watched.optimizer.variables, plain.optimizer.variables, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_a_pruned_weight_grows_back(float64):
    model, optimizer = kernel([[0.1, 1.0], [1.0, 1.0]]), keras.optimizers.SGD(0.1)
    surgery = DynamicNetworkSurgery(c_rate=-1.0, **ALWAYS)  # t = 0.775 - 0.39
    with surgery.attached(model, optimizer):
        gradient = np.array([[-1.0, 0.0], [0.0, 0.0]])
        seen = [apply(model, optimizer, gradient)[0, 0] for _ in range(4)]
    # Cut while its dense weight grows by 0.1 a step, until that passes 1.1 t = 0.42.
    np.testing.assert_allclose(seen, [0, 0, 0, 0.5], atol=1e-12)
    np.testing.assert_allclose(surgery.dense_weights["layer/kernel"], model.get_weights()[0])


def test_hysteresis_leaves_the_weights_in_between_as_they_are(float64):
    t = 1.0
    start = np.array([[0.89, 0.91], [1.09, 1.11]])
    model, optimizer = kernel(start), keras.optimizers.SGD(1.0)
    surgery = DynamicNetworkSurgery(c_rate=0.0, **ALWAYS)
    with surgery.attached(model, optimizer):
        assert list(surgery.thresholds.values()) == [pytest.approx(t)]
        first = apply(model, optimizer, 0.0)
        np.testing.assert_array_equal(first, [[0, 0.91], [1.09, 1.11]])
        up_and_down = apply(model, optimizer, np.array([[-0.19, 0.1], [0.0, 0.0]]))
        np.testing.assert_allclose(up_and_down, [[0, 0], [1.09, 1.11]])  # 1.08 is not spliced, 0.81 cut
        np.testing.assert_allclose(surgery.dense_weights["layer/kernel"][0], [1.08, 0.81])
        np.testing.assert_allclose(apply(model, optimizer, -0.03), [[1.11, 0], [1.12, 1.14]])


# --- c_rates, targets, schedules


def test_one_c_rate_a_layer(float64):
    by_name = DynamicNetworkSurgery(c_rate={"first/kernel": -np.inf, "second/kernel": 1.0}, **ALWAYS)
    in_order = DynamicNetworkSurgery(c_rate=[-np.inf, 1.0], **ALWAYS)
    for surgery in (by_name, in_order):
        model = network(keras.optimizers.SGD(0.0))
        with surgery.attached(model, model.optimizer):
            model.optimizer.apply([np.zeros(w.shape) for w in W], model.trainable_variables)
        first, second = model.get_weights()
        assert first.all()
        size = np.abs(W[1])
        np.testing.assert_array_equal(second != 0, size >= 0.9 * (size.mean() + size.std()))


@pytest.mark.parametrize("importance", ["magnitude", "lamp", "gradient"])
@pytest.mark.parametrize("scope", ["global", "layer"])
def test_the_share_left_is_the_target(float64, scope, importance):
    model = network(keras.optimizers.Adam(0.05))
    surgery = DynamicNetworkSurgery(target=0.3, scope=scope, importance=importance, log_layers=True)
    logs = fit(model, surgery, steps=15)
    report = kernel_sparsity(model)
    if scope == "layer":
        assert [layer["left"] for layer in report["layers"].values()] == [18, 9]
    assert report["left"] == 27
    assert report["total"] == 90
    assert logs["left"] == [0.3]
    assert logs["left/first/kernel"] == [report["layers"]["first/kernel"]["left"] / 60]
    assert logs["cut"][0] - logs["spliced"][0] == pytest.approx(63 / 15)


def test_importance_from_gradients_keeps_the_weights_that_matter(float64):
    """The largest weights have no gradient: only magnitude would keep them."""
    model, optimizer = kernel([[5.0, 5.0], [1.0, 1.0]]), keras.optimizers.SGD(0.0)
    with DynamicNetworkSurgery(target=0.5, importance="gradient").attached(model, optimizer):
        np.testing.assert_array_equal(apply(model, optimizer, [[0.0], [1.0]]), [[0, 0], [1, 1]])


def test_pruning_while_training_from_scratch_finds_the_weights_that_matter(float64):
    """From random weights, none of which says anything yet."""
    rng = np.random.default_rng(3)
    x, truth = rng.normal(size=(512, 30)), rng.normal(size=(30, 4))
    truth[np.abs(truth) < 0.8] = 0
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((30,)), keras.layers.Dense(4, use_bias=False)])
    model.compile(keras.optimizers.Adam(0.03), "mse", jit_compile=False)
    share = np.count_nonzero(truth) / truth.size
    assert 0.1 < share < 0.6
    surgery = DynamicNetworkSurgery(target=GradualTarget(share, 300, 500, 5))
    model.fit(x, x @ truth, 8, 10, 0, callbacks=[surgery])
    np.testing.assert_array_equal(model.get_weights()[0] != 0, truth != 0)
    np.testing.assert_allclose(model.get_weights()[0], truth, atol=0.02)


class LikeTfmot:
    """Cuts at steps 1 and 3, as the schedules of tensorflow_model_optimization say it."""

    def __call__(self, step):
        return step % 2 == 1, keras.ops.cast(step, "float32") / 4


def test_any_schedule_decides_when_and_how_much(float64):
    model, optimizer = kernel([[1.0, 2.0, 3.0, 4.0]]), keras.optimizers.SGD(0.0)
    with DynamicNetworkSurgery(target=LikeTfmot(), iter_stop=1).attached(model, optimizer):
        left = [np.count_nonzero(apply(model, optimizer, 0.0)) for _ in range(5)]
    assert left == [4, 3, 3, 1, 1]


def test_gradual_target():
    schedule = GradualTarget(density=0.1, ramp_steps=20, stop_step=34, frequency=9)
    due, cut = zip(*(map(float, schedule(step)) for step in range(40)), strict=True)
    assert [step for step in range(40) if due[step]] == [0, 9, 18, 20, 27, 33]
    assert cut[0] == 0
    assert cut[10] == pytest.approx(0.9 * (1 - 0.5**3))
    assert cut[20:] == pytest.approx([0.9] * 20)
    assert [float(x) for x in GradualTarget(0.1, 0, 1)(0)] == [1, pytest.approx(0.9)]
    again = GradualTarget(density=0.1, ramp_steps=20, stop_step=34, start_density=0.5)
    assert [float(again(step)[1]) for step in (0, 10, 20)] == pytest.approx([0.5, 0.9 - 0.4 / 8, 0.9])


def test_probability_of_surgery_decays_until_iter_stop(float64):
    """At gamma 1, power 1 step i operates with probability 1 / (1 + i); the first one always."""

    def operated(seed, **options):
        model, optimizer = kernel(RNG.normal(size=(20, 20))), keras.optimizers.SGD(1.0)
        steps = []
        surgery = DynamicNetworkSurgery(c_rate=0.0, gamma=1.0, seed=seed, **options)
        with surgery.attached(model, optimizer):
            for i in range(12):
                before = surgery.masks["layer/kernel"]
                apply(model, optimizer, RNG.normal(size=(20, 20)))
                if (surgery.masks["layer/kernel"] != before).any():
                    steps.append(i)
        return steps

    runs = [operated(seed) for seed in range(6)]
    assert all(run[0] == 0 for run in runs)
    assert len({tuple(run) for run in runs}) > 1
    assert 6 <= sum(map(len, runs)) <= 36  # of 72; expected 18.6 with a deviation of 3
    assert operated(3) == runs[3]
    assert max(operated(3, power=0, iter_stop=5)) == 4


# --- inside model.fit


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
    keras.config.set_dtype_policy(policy)
    try:
        model = network(optimizer, **options)
        surgery = DynamicNetworkSurgery(target=0.3, frequency=1)
        logs = fit(model, surgery, steps=12)
    finally:
        keras.config.set_dtype_policy("float32")
    assert logs["left"] == [0.3]
    # Not every second step is an update: the first ones may overflow in float16.
    updates = round(63 / (logs["cut"][0] - logs["spliced"][0]))
    assert 1 <= updates <= 6
    for kernel, dense, mask in zip(
        model.get_weights(), surgery.dense_weights.values(), surgery.masks.values(), strict=True
    ):
        assert kernel.dtype == "float32"
        assert np.isfinite(dense).all()
        np.testing.assert_array_equal(kernel, dense * mask)


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
