"""What happens to a pruned model outside of its steps: weights replaced, files written, training on."""

import warnings

import keras
import numpy as np
import pytest

from tests.conformance.callbacks.cases import W, X, Y, fit, network
from tfxai3d.errors import UserError
from tfxai3d.pruning import DynamicNetworkSurgery, GradualTarget, KeepZeros, kernel_sparsity


class Worse(keras.callbacks.Callback):
    """Lets the first epoch be the best one."""

    def on_epoch_end(self, epoch, logs=None):
        logs["val"] = float(epoch)


def gradual():
    return DynamicNetworkSurgery(target=GradualTarget(0.1, 30, 40, 3))


@pytest.mark.parametrize("first", [True, False])
def test_weights_that_early_stopping_restores_are_noticed(first):
    model, surgery = network(), gradual()
    stopping = keras.callbacks.EarlyStopping("val", patience=9, restore_best_weights=True, mode="min")
    callbacks = [surgery, Worse(), stopping] if first else [Worse(), stopping, surgery]
    with pytest.warns(
        UserWarning, match=r"weights were replaced .*: .* are left, not 1\d.\d%. .* EarlyStopping"
    ):
        model.fit(X, Y, 8, 4, 0, callbacks=callbacks, shuffle=False)
    assert kernel_sparsity(model)["left"] > 90 * 0.2
    with pytest.raises(UserError, match="was changed since its surgery began"):
        fit(model, surgery)


def test_weights_that_are_masked_may_be_set():
    model, surgery = network(), gradual()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(model, surgery, epochs=4)
        model.set_weights([w * 2 for w in model.get_weights()])
        surgery.finalize()
    assert "set_weights" not in vars(model)
    model.set_weights(W)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
@pytest.mark.parametrize("when", ["while", "after"])
def test_files_keep_the_optimizer(tmp_path, when, policy):
    keras.config.set_dtype_policy(policy)
    try:
        model, surgery = network(keras.optimizers.Adam(0.01)), gradual()
        writing = keras.callbacks.ModelCheckpoint(tmp_path / "a.keras", save_freq=30)
        model.fit(
            X, Y, 8, 4, 0, callbacks=[surgery, writing] if when == "while" else [surgery], shuffle=False
        )
        if when == "after":
            model.save(tmp_path / "a.keras")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            loaded = keras.saving.load_model(tmp_path / "a.keras")
    finally:
        keras.config.set_dtype_policy("float32")
    plain = getattr(loaded.optimizer, "inner_optimizer", loaded.optimizer)
    assert 20 < int(plain.iterations) <= (30 if when == "while" else 48)  # some gradients overflow
    moment = next(v for v in plain.variables if "momentum" in v.path)
    assert np.abs(np.asarray(moment)).max() > 0
    if when == "after":
        surgery.finalize()
        own = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        for one, other in zip(plain.variables, own.variables, strict=True):
            np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
        assert not {"save_own_variables", "load_own_variables", "pruning_state"} & set(vars(own))


def test_a_backup_has_the_masks_as_well(float64, tmp_path):
    """Stopped after two epochs and begun again by Keras's own callback, it ends as one that was not."""
    whole, surgery = network(keras.optimizers.Adam(0.05)), gradual()
    fit(whole, surgery, epochs=4)
    for epochs in (2, 4):
        resumed, again = network(keras.optimizers.Adam(0.05), seed=epochs), gradual()
        again.set_model(resumed)
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup", delete_checkpoint=False)
        resumed.fit(X, Y, 8, epochs, 0, callbacks=[backup, again], shuffle=False)
    for got, expected in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-9)


def test_plain_training_fills_zeros_and_keep_zeros_does_not(tmp_path):
    model, surgery = network(), gradual()
    fit(model, surgery, epochs=4)
    surgery.finalize()
    model.save(tmp_path / "pruned.keras")
    left = kernel_sparsity(model)["left"]
    loaded = keras.saving.load_model(tmp_path / "pruned.keras")
    before = loaded.get_weights()
    fit(loaded, KeepZeros(), epochs=2)
    assert kernel_sparsity(loaded)["left"] == left
    assert any((a != b).any() for a, b in zip(before, loaded.get_weights(), strict=True))
    fit(model, None)
    assert kernel_sparsity(model)["left"] > left
    with pytest.raises(UserError, match="nothing is pruned yet, so there are no zeros to keep"):
        fit(network(weights=W), KeepZeros())
