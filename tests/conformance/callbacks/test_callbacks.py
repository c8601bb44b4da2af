"""What every callback that prunes must keep: see `tfxai3d.pruning.callback.PruningCallback`."""

import keras
import numpy as np
import pytest

from tests.conformance.callbacks.cases import CALLBACKS, LEFT, W, X, Y, batches, fit, network, steps
from tests.reference.precision import precision
from tfxai3d.errors import UserError
from tfxai3d.pruning import kernel_sparsity, prune_magnitude
from tfxai3d.training import fit_resumable

pytestmark = pytest.mark.parametrize("make", CALLBACKS.values(), ids=CALLBACKS)


def assert_masked(model, callback):
    """The model holds zeros where the masks are false, and is finite."""
    kernels = dict(zip(("first/kernel", "second/kernel"), model.get_weights(), strict=True))
    assert all(np.isfinite(kernel).all() for kernel in kernels.values())
    for path, mask in callback.kernel_masks.items():
        assert mask.shape == kernels[path].shape
        assert not kernels[path][~mask].any()
    left = sum(mask.sum() for mask in callback.masks.values())
    assert left == sum(callback.left())
    assert sum(callback.sizes) == (10 if callback.structure == "channel" else 90)
    assert callback.report()["left"] == left / sum(callback.sizes)


def test_masked_weights_are_zero_and_the_logs_say_how_many(make):
    model, callback = network(), make()
    history = fit(model, callback, epochs=3)
    assert_masked(model, callback)
    report = callback.report()
    assert {name for name in report if "/" not in name} == set(history) - {"loss"}
    assert all(history[name][-1] == report[name] for name in set(history) - {"loss"})
    layers = [
        report[f"left/{path}"] * size for path, size in zip(callback.paths, callback.sizes, strict=True)
    ]
    assert sum(layers) == pytest.approx(report["left"] * sum(callback.sizes))
    assert 0 < report["left"] < 1


def test_it_goes_on_with_the_next_fit_and_finalize_leaves_an_ordinary_model(make):
    model, callback = network(), make()
    fit(model, callback)
    own = model.train_function
    fit(model, callback)
    assert model.train_function is own
    model.compile(keras.optimizers.SGD(0.01), "mse", jit_compile=False)
    fit(model, callback)
    assert_masked(model, callback)
    left = kernel_sparsity(model)["left"]
    assert len(model.optimizer.variables) > 2
    callback.finalize()
    assert kernel_sparsity(model)["left"] == left < 90
    assert len(model.optimizer.variables) == 2
    assert "apply" not in vars(model.optimizer)
    with pytest.raises(UserError, match="no model is under surgery yet"):
        _ = callback.masks
    fit(model, None)
    assert kernel_sparsity(model)["left"] > left
    model.set_weights([w * m for w, m in zip(W, LEFT, strict=True)])
    again = make()
    fit(model, again)
    assert_masked(model, again)


@pytest.mark.parametrize(
    "options", [{"steps_per_execution": 4}, {"run_eagerly": True}, {"jit_compile": True}]
)
def test_every_way_to_run_the_step_gives_the_same(float64, make, options):
    models, histories = [network(), network(**options)], []
    for model in models:
        histories.append(fit(model, make()))
    for got, expected in zip(models[1].get_weights(), models[0].get_weights(), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-9)
    for name in set(histories[0]) - {"loss"}:
        assert histories[1][name] == histories[0][name]


@pytest.mark.parametrize(
    ("policy", "options"),
    [
        ("float32", {}),
        ("mixed_float16", {}),
        ("mixed_bfloat16", {"jit_compile": True, "steps_per_execution": 2}),
    ],
)
def test_mixed_precision_and_accumulated_gradients(make, policy, options):
    with precision(policy):
        model = network(keras.optimizers.Adam(0.01, gradient_accumulation_steps=2), **options)
        callback = make()
        fit(model, callback)
    assert all(kernel.dtype == "float32" for kernel in model.get_weights())
    assert_masked(model, callback)


def test_resuming_is_exact(float64, tmp_path, make):
    def untrained(seed=0):
        return network(keras.optimizers.Adam(0.05), seed=seed)

    whole, callback = untrained(), make()
    history = fit_resumable(whole, batches, 4, tmp_path / "whole", callbacks=[callback])
    assert 0 < history[-1]["left"] < 0.9
    assert "spliced" not in history[-1] or any(record["spliced"] > 0 for record in history)
    fit_resumable(untrained(), batches, 2, tmp_path / "parts", callbacks=[make()])
    resumed, again = untrained(seed=7), make()
    rest = fit_resumable(resumed, batches, 4, tmp_path / "parts", callbacks=[again])
    for name in callback.report().keys() & set(history[0]):
        assert [record[name] for record in rest] == [record[name] for record in history]
    for got, expected in zip(
        (*resumed.weights, *resumed.optimizer.variables),
        (*whole.weights, *whole.optimizer.variables),
        strict=True,
    ):
        np.testing.assert_allclose(np.asarray(got), np.asarray(expected), rtol=1e-12, atol=1e-14)
    for got, expected in zip(again.masks.values(), callback.masks.values(), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_loops_of_ones_own(float64, make):
    model, optimizer, callback = network(), keras.optimizers.SGD(0.05), make()
    with callback.attached(model, optimizer):
        for _ in steps(model, optimizer):
            assert_masked(model, callback)
        callback.end_epoch()
        assert_masked(model, callback)
    assert "apply" not in vars(optimizer)


# --- mistakes


def test_weights_that_become_nan_stop_the_training_with_one_line(make):
    model, callback = network(), make()
    plain = model.optimizer.apply
    path = "second/kernel" if callback.structure == "channel" else "first/kernel"
    with pytest.raises(UserError, match=rf"{path} holds .* lower learning rate"):
        model.fit(X, Y * np.nan, callbacks=[callback], verbose=0)
    assert model.optimizer.apply == plain


def test_weights_changed_behind_the_callback_are_noticed(make):
    model, callback = network(), make()
    fit(model, callback, epochs=1)
    model.set_weights(W)
    path = "second/kernel" if callback.structure == "channel" else "first/kernel"
    with pytest.raises(UserError, match=f"{path} was changed since its surgery began"):
        fit(model, callback)


def test_models_that_cannot_be_pruned(make):
    callback = make()
    with pytest.raises(UserError, match="no model is under surgery yet"):
        _ = callback.masks
    empty = keras.Sequential([keras.Input((3,)), keras.layers.ReLU()])
    empty.compile("sgd", "mse")
    with pytest.raises(UserError, match="no kernels"):
        callback.set_model(empty)
    with pytest.raises(UserError, match="not compiled"):
        callback.set_model(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]))
    with pytest.raises(UserError, match="use_ema"):
        callback.set_model(network(keras.optimizers.SGD(0.1, use_ema=True)))
    broken = network(weights=[np.where(W[0] > 1, np.nan, 0), W[1]])
    with pytest.raises(UserError, match=r"first/kernel holds .* NaN"):
        callback.set_model(broken)
    callback.set_model(network())
    with pytest.raises(UserError, match="another model"):
        callback.set_model(network())


def test_a_checkpoint_of_another_architecture_is_refused_and_nothing_overwritten(tmp_path, make):
    fit_resumable(network(), batches, 1, tmp_path, callbacks=[make()])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    wider = network(units=11)
    prune_magnitude(wider, 0.5, structure=make().structure)
    for other, callbacks in ((wider, [make()]), (network(), [])):
        with pytest.raises(UserError, match="of another model or optimiser"):
            fit_resumable(other, batches, 2, tmp_path, callbacks=callbacks)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
