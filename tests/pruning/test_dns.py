"""Surgery against its equations, step by step."""

import keras
import numpy as np
import pytest

from tests.reference import surgery as reference
from tests.reference.small_networks import ALWAYS, OPTIMIZERS, RNG, W, X, Y, apply, fit, kernel, network
from tfxai3d.pruning import DynamicNetworkSurgery, GradualTarget, kernel_sparsity

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
