"""LRP: against its formulas, and what must hold of relevance whatever the rule."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.reference import networks, slow_lrp
from tests.reference.networks import POINTS, assert_close
from tests.reference.precision import precision
from tfxai3d import explain
from tfxai3d.errors import UserError

L = keras.layers
RNG = np.random.default_rng(0)
CLOUDS = RNG.normal(size=(2, 9, 3))
ZERO = explain.Composite(explain.EpsilonRule(0), explain.EpsilonRule(0))


def total(explanation):
    return explanation.attributions.reshape(len(explanation), -1).sum(axis=1, dtype=float)


def of_points(bias=True, activation="relu", middle=lambda x: x):
    """Two shared layers, a max, two dense layers."""
    options = {"use_bias": bias, "bias_initializer": "normal"}
    with precision():
        cloud = keras.Input((9, 3))
        x = middle(L.Dense(6, activation, **options)(cloud))
        x = L.GlobalMaxPooling1D()(L.Dense(8, activation, **options)(x))
        return keras.Model(cloud, L.Dense(4, **options)(L.Dense(7, activation, **options)(x)))


RULES = {
    "epsilon": (explain.EpsilonRule(0.1), slow_lrp.epsilon(0.1)),
    "z+": (explain.AlphaBetaRule(1), slow_lrp.alpha_beta(1)),
    "alpha-beta": (explain.AlphaBetaRule(2), slow_lrp.alpha_beta(2)),
    "gamma": (explain.GammaRule(0.5), slow_lrp.gamma(0.5)),
}


@pytest.mark.parametrize("name", [*RULES, "box"])
def test_two_layers_as_the_formulas_say(name):
    rule, slow = RULES["alpha-beta" if name == "box" else name]
    with precision():
        cloud = keras.Input((1, 3))
        hidden = L.Dense(5, "elu", bias_initializer="normal")(L.Reshape((3,))(cloud))
        model = keras.Model(cloud, L.Dense(4, bias_initializer="normal")(hidden))
    bounds = (-3.0, 2.5) if name == "box" else None
    for x in RNG.uniform(-1, 1, (4, 3)):
        w1, b1, w2, b2 = map(np.asarray, model.weights)
        z = x @ w1 + b1
        a = np.where(z > 0, z, np.expm1(z))
        relevance = slow_lrp.passed(a, w2, b2, np.eye(4)[2] * (a @ w2 + b2), slow)
        if bounds:
            expected = slow_lrp.box(x, *bounds, w1, relevance)
        else:
            expected = slow_lrp.passed(x, w1, b1, relevance, slow)
        found = explain.LRP(model, explain.Composite(rule, rule), bounds, data_kind="points")(
            x[None, None], 2
        )
        assert_close(found.attributions[0, 0], expected)


def test_z_plus_is_the_deep_taylor_term_at_the_root():
    """One ReLU neuron: R = f(x), developed at the root that lies where inputs of positive weight shrink."""
    x, w = RNG.uniform(0.1, 1, 3), np.array([0.7, -0.4, 0.9])
    shrink = (x @ w) / (x @ np.maximum(w, 0))
    root = np.where(w > 0, x * (1 - shrink), x)
    assert abs(root @ w) < 1e-12
    with precision():
        cloud = keras.Input((1, 3))
        model = keras.Model(cloud, L.Dense(2, "relu", use_bias=False)(L.Reshape((3,))(cloud)))
    model.set_weights([np.stack([w, w], axis=1)])
    found = explain.LRP(model, "deep_taylor", data_kind="points")(x[None, None], 0)
    assert_close(found.attributions[0, 0], w * (x - root))


def test_lrp_0_of_a_relu_network_without_bias_is_gradient_times_input():
    model = of_points(bias=False)
    found = explain.LRP(model, ZERO, data_kind="points")(CLOUDS, 1)
    product = explain.GradientTimesInput(model, data_kind="points")(CLOUDS, 1)
    assert_close(found.attributions, product.attributions, 1e-5)


@pytest.mark.parametrize(
    ("composite", "activation", "pools"),
    [
        (ZERO, "relu", "winner"),
        (ZERO, "tanh", "proportion"),
        ("epsilon_plus", "relu", "proportion"),  # below 0 there may be no positive contribution
        ("epsilon_gamma", "elu", "winner"),
    ],
)
def test_relevance_is_conserved_where_there_are_no_biases(composite, activation, pools):
    model = of_points(False, activation)
    found = explain.LRP(model, composite, pools=pools, data_kind="points")(CLOUDS, 2)
    np.testing.assert_allclose(total(found), found.scores[:, 2], rtol=1e-4)


def test_z_plus_of_a_positive_score_is_nowhere_negative():
    model = of_points()
    scores = np.asarray(model(CLOUDS))
    assert (scores.max(axis=1) > 0).all()
    for composite, bounds in (("deep_taylor", None), ("deep_taylor", (-4.0, 4.0))):
        found = explain.LRP(model, composite, bounds, data_kind="points")(CLOUDS)
        assert found.attributions.max() > 0
        assert found.attributions.min() >= 0


@pytest.mark.parametrize("composite", ["epsilon_plus", "epsilon_gamma"])
def test_points_in_another_order_get_the_same(composite):
    model = networks.pointnet("full")
    order = np.random.default_rng(1).permutation(POINTS.shape[1])
    explainer = explain.LRP(model, composite)
    assert_close(explainer(POINTS[:2, order], 1).importance, explainer(POINTS[:2], 1).importance[:, order])


def folded(norm, kernel, bias, before):
    """Returns kernel and bias that do a BatchNorm's work as well."""
    gamma, beta, mean, variance = map(np.asarray, norm.weights)
    scale = gamma / np.sqrt(variance + norm.epsilon)
    shift = beta - mean * scale
    return (
        [kernel * scale[:, None], bias + shift @ kernel] if before else [kernel * scale, bias * scale + shift]
    )


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("name", ["z+", "gamma"])
def test_batch_norm_folds_into_the_layer_after_or_before(name, before):
    norm = L.BatchNormalization(dtype="float64")

    def build(normed):
        with precision():
            cloud, dense = keras.Input((9, 3)), L.Dense(6, bias_initializer="normal")
            x = norm(cloud) if normed and before else cloud
            x = dense(x)
            x = norm(x) if normed and not before else x
            x = L.GlobalMaxPooling1D()(L.ReLU()(x))
            return keras.Model(cloud, L.Dense(4, bias_initializer="normal")(x)), dense

    model, dense = build(True)
    width = 3 if before else 6
    signs = RNG.choice([-1, 1], width)
    norm.set_weights([signs * RNG.uniform(0.5, 2, width), *RNG.normal(size=(2, width)), np.full(width, 0.5)])
    plain, other = build(False)
    plain.set_weights([np.asarray(one) for one in model.weights if "batch" not in one.path])
    other.set_weights(folded(norm, *map(np.asarray, dense.weights), before))
    rule = RULES[name][0]
    found, expected = (
        explain.LRP(one, explain.Composite(rule, rule), data_kind="points")(CLOUDS, 1)
        for one in (model, plain)
    )
    assert_close(found.scores, expected.scores)
    assert_close(found.attributions, expected.attributions)


def test_channels_first_and_last_are_one_network():
    def build(form):
        with precision():
            shape = (2, 4, 4, 4) if form == "channels_first" else (4, 4, 4, 2)
            grid, axis = keras.Input(shape), 1 if form == "channels_first" else -1
            x = L.Conv3D(5, 3, data_format=form, bias_initializer="normal")(grid)
            x = L.ReLU()(L.BatchNormalization(axis=axis)(x))
            x = L.GlobalAveragePooling3D(data_format=form)(x)
            return keras.Model(grid, L.Dense(3)(x))

    first, last = build("channels_first"), build("channels_last")
    last.set_weights(first.get_weights())
    grids = RNG.normal(size=(2, 4, 4, 4, 2))
    ours = explain.LRP(last, "epsilon_gamma", data_kind="voxels")(grids, 1)
    theirs = explain.LRP(first, "epsilon_gamma", data_kind="voxels")(np.moveaxis(grids, -1, 1), 1)
    assert_close(np.moveaxis(theirs.attributions, 1, -1), ours.attributions)


def test_a_max_in_proportion():
    with precision():
        cloud = keras.Input((None, 3))
        model = keras.Model(cloud, L.GlobalMaxPooling1D()(cloud))
    points = np.array([[[3.0, -1, 0], [1, -2, 0], [-5, -3, 0]]])
    expected = {0: [3 * 3 / 4, 3 * 1 / 4, 0], 1: [-1, 0, 0]}  # of no positive values the winner takes all
    for target, shares in expected.items():
        found = explain.LRP(model, pools="proportion", data_kind="points")(points, target)
        assert_close(found.attributions[0, :, target], shares)
        assert np.count_nonzero(found.attributions) == np.count_nonzero(shares)


class Gated(L.Layer):
    def call(self, x, held=None):
        gate = tf.reduce_mean(tf.sigmoid(x), axis=1, keepdims=True)
        return x * (gate if held is None else held)


def test_a_gate_gets_nothing_and_equal_factors_half_each():
    gated = of_points(middle=Gated())
    found = explain.LRP(gated, "epsilon", data_kind="points")(CLOUDS[:1], 1)
    hidden = keras.Model(gated.input, gated.layers[1].output)(CLOUDS[:1])
    gate = tf.reduce_mean(tf.sigmoid(hidden), axis=1, keepdims=True)
    constant = of_points(middle=lambda x: Gated()(x, held=tf.constant(gate)))
    constant.set_weights(gated.get_weights())
    expected = explain.LRP(constant, "epsilon", data_kind="points")(CLOUDS[:1], 1)
    assert_close(found.attributions, expected.attributions)
    squared = of_points(bias=False, middle=lambda x: x * x)
    kept = explain.LRP(squared, "epsilon", data_kind="points")(CLOUDS, 1)
    np.testing.assert_allclose(total(kept), kept.scores[:, 1], rtol=1e-4)


def test_a_matrix_product_of_two_features_gives_half_to_each():
    with precision():
        cloud = keras.Input((4, 3))
        left, right = L.Dense(3, use_bias=False)(cloud), L.Dense(3, use_bias=False)(cloud)
        product = keras.ops.matmul(left, keras.ops.transpose(right, (0, 2, 1)))
        model = keras.Model(cloud, L.Dense(2, use_bias=False)(L.Flatten()(product)))
    points = RNG.normal(size=(2, 4, 3))
    found = explain.LRP(model, ZERO, data_kind="points")(points, 1)
    np.testing.assert_allclose(total(found), found.scores[:, 1], rtol=1e-4)
    # A form of degree two: the gradient times the inputs is twice its value.
    product = explain.GradientTimesInput(model, data_kind="points")(points, 1)
    assert_close(2 * found.attributions, product.attributions)


class Cumulative(L.Layer):
    def call(self, x):
        return tf.cumsum(x, axis=1)


class Inverse(L.Layer):
    def call(self, x):
        return 1 / x


@pytest.mark.parametrize(
    ("layer", "said"), [(Cumulative, "operation Cumsum"), (Inverse, "inputs of RealDiv")]
)
def test_what_has_no_rule_is_named(layer, said):
    with pytest.raises(UserError, match=f"lrp has no rule for the {said}, '.*own.*' of model") as caught:
        explain.LRP(of_points(middle=layer(name="own")), data_kind="points")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"composite": "lemon"}, "composite 'lemon': must be one of .*epsilon_plus"),
        ({"pools": "lemon"}, "pools 'lemon': must be one of winner"),
        ({"bounds": (1.0, 0.0)}, "bounds must be two numbers, the lower first"),
        ({"bounds": (1.0,)}, "bounds must be two numbers, the lower first"),
    ],
)
def test_mistakes(options, message):
    with pytest.raises(UserError, match=message):
        explain.LRP(of_points(), data_kind="points", **options)
    for rule, value in (
        (explain.EpsilonRule, -1.0),
        (explain.GammaRule, -0.1),
        (explain.AlphaBetaRule, 0.5),
    ):
        with pytest.raises(UserError, match="must be a number from"):
            rule(value)


def test_bounded_inputs_must_go_to_weights():
    with precision():
        cloud = keras.Input((None, 3))
        model = keras.Model(cloud, L.GlobalMaxPooling1D()(L.ReLU()(cloud)))
    with pytest.raises(UserError, match=r"bounds: the inputs must go to weights, .* not to Relu, '"):
        explain.LRP(model, bounds=(0.0, 1.0), data_kind="points")
