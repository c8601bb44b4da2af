"""Activations that no attribute of a layer holds, gates and PReLU, under the rules of both methods."""

import re
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.reference.backward_rules import HIDDEN, METHODS, OfItsOwn, rule, summed
from tests.reference.networks import POINTS, assert_close
from tests.reference.precision import precision
from tfxai3d import explain, serve


@pytest.mark.parametrize("hidden", ["hidden_relu", "hidden_elu", "hidden_relu6"])
@pytest.mark.parametrize("name", METHODS)
def test_an_activation_in_a_layers_code_is_found_in_the_graph(name, hidden, tmp_path):
    with precision():
        points = keras.Input((None, 3))
        x = keras.layers.Dense(5, "relu")(OfItsOwn(name=hidden)(keras.layers.Dense(5)(points)))
        x = keras.layers.Dense(2, tf.nn.softmax)(keras.ops.sum(x, axis=1))
        model = keras.Model(points, x)
    first, second, last = model.layers[1], model.layers[3], model.layers[-1]
    explainer = METHODS[name](keras.Model(points, _logits(model)), data_kind="points")
    found = explainer(POINTS[:2], 1)
    before = np.asarray(first(POINTS[:2]))
    active = np.asarray(second(np.asarray(HIDDEN[hidden](before)))) > 0
    gradient = rule(name, np.broadcast_to(last.kernel.numpy()[:, 1], active.shape), active)
    inside = (before > 0) & (before < 6 / 4) if hidden == "hidden_relu6" else before > 0
    gradient = rule(name, gradient @ second.kernel.numpy().T, inside)
    gradient = 4 * gradient if hidden == "hidden_relu6" else gradient
    assert_close(found.attributions, gradient @ first.kernel.numpy().T)
    if hidden == "hidden_relu":
        serve.export(model, tmp_path / "saved", [name_of(name)], data_kind="points")
        again = serve.load(tmp_path / "saved").explainer(name_of(name))(POINTS[:2], 1)
        assert np.isfinite(again.attributions).all()


def name_of(name):
    return METHODS[name].method


def _logits(model):
    """Returns the same network without the softmax, as another last layer with the same weights."""
    with precision():
        plain = keras.layers.Dense(2)
        logits = plain(model.layers[-1].input)
    plain.set_weights(model.layers[-1].get_weights())
    return logits


@pytest.mark.parametrize("name", METHODS)
def test_prelu_passes_by_its_slope(name):
    with precision():
        model = summed(keras.layers.PReLU(keras.initializers.Constant(0.25), shared_axes=[1]))
    upstream = np.broadcast_to(model.get_layer("logits").kernel.numpy()[:, 1], POINTS.shape)
    slope = np.where(POINTS > 0, 1, 0.25) if name == "guided" else 1
    explained = METHODS[name](model, data_kind="points")(POINTS, 1)
    assert_close(explained.attributions, rule("deconvnet", upstream, True) * slope)


@pytest.mark.parametrize("operation", [False, True])
@pytest.mark.parametrize("gate", ["sigmoid", "hard_sigmoid"])
def test_a_gate_keeps_its_derivative_and_is_named_once(gate, operation):
    with precision():
        points = keras.Input((None, 3))
        x = keras.layers.Dense(4)(points)
        mean = keras.ops.mean(x, axis=1, keepdims=True)
        weight = keras.layers.Dense(4, None if operation else gate, name="gate")(mean)
        weight = getattr(keras.ops, gate)(weight) if operation else weight
        model = keras.Model(points, keras.layers.Dense(2)(keras.ops.sum(x * weight, axis=1)))
    # Without a ReLU nothing but the gate's derivative is left: the plain gradient.
    plain = explain.VanillaGradient(model, data_kind="points")(POINTS, 1)
    for method in METHODS.values():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = method(model, data_kind="points")(POINTS, 1)
        assert_close(found.attributions, plain.attributions)
        said = [str(one.message) for one in caught]
        assert len(said) == 1
        (path,) = re.findall(r"the sigmoids of (\S+) in model", said[0])
        assert (gate if operation else "gate") in path
        assert all(one.filename == __file__ for one in caught)
