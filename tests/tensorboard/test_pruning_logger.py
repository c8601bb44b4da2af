"""What TensorBoard gets of a callback that prunes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.pruning import DynamicNetworkSurgery, PruneAndRegrow, prune_magnitude
from tfxai3d.tensorboard import PruningLogger

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(32, 6)), RNG.normal(size=(32, 3))


def network():
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(10, "tanh", use_bias=False, name="first"),
            layers.Dense(3, use_bias=False, name="second"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.05), "mse", jit_compile=False)
    return model


def written(pruning, folder, model=None):
    """Trains for two epochs and returns the events by tag."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    pytest.importorskip("matplotlib")
    callbacks = [pruning, PruningLogger(pruning, folder)]
    (model or network()).fit(X, Y, 8, 2, 0, callbacks=callbacks, shuffle=False)
    events = accumulator.EventAccumulator(str(folder / "pruning")).Reload()
    return {tag: events.Tensors(tag) for tag in events.Tags()["tensors"]}


def test_masks_and_densities_of_every_layer(tmp_path):
    surgery = DynamicNetworkSurgery(target=0.3)
    tensors = written(surgery, tmp_path)
    assert {"left", "cut/first/kernel", "spliced/second/kernel", "mask/first/kernel"} <= set(tensors)
    assert [event.step for event in tensors["mask/first/kernel"]] == [1, 2]
    counts = tf.make_ndarray(tensors["mask/first/kernel"][-1].tensor_proto)[:, 2]
    assert counts[-1] == surgery.masks["first/kernel"].sum()
    assert counts.sum() == 60
    plots = [tf.io.decode_png(tf.make_ndarray(e.tensor_proto)[2]) for e in tensors["left_by_layer"]]
    assert [event.step for event in tensors["left_by_layer"]] == [1, 2]
    assert all(len(np.unique(plot.numpy().reshape(-1, 3), axis=0)) > 10 for plot in plots)  # bars, text


def test_weights_that_regrow(tmp_path):
    model = network()
    prune_magnitude(model, 0.5)
    tensors = written(PruneAndRegrow(1, 0.2), tmp_path, model)
    regrown = [float(tf.make_ndarray(event.tensor_proto)) for event in tensors["regrown"]]
    assert regrown == [9, 0]
    assert "left/second/kernel" in tensors


def test_tensorboard_that_is_not_installed(tmp_path, monkeypatch):
    surgery = DynamicNetworkSurgery(target=0.3)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs tensorboard: pip install 'tfxai3d\[tensorboard\]'"):
        PruningLogger(surgery, tmp_path / "logs")
    assert not (tmp_path / "logs").exists()
