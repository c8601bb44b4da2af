"""Models of several inputs and outputs: one is explained, the others are held."""

import keras
import numpy as np
import pytest

from tests.reference.networks import POINTS, assert_close
from tests.reference.precision import precision
from tfxai3d import evaluate, explain, serve
from tfxai3d.errors import UserError

CATEGORIES = np.eye(4)[[0, 2, 0, 3, 2]]


@pytest.fixture(scope="module", params=["list", "dict"])
def model(request):
    """PointNet with a category, as for the segmentation of parts; it returns two things."""
    with precision():
        points, category = keras.Input((None, 3), name="points"), keras.Input((4,), name="category")
        x = keras.layers.Dense(8, "relu", bias_initializer="normal", name="rows")(points)
        x = keras.ops.concatenate([keras.layers.GlobalMaxPooling1D()(x), category], axis=-1)
        x = keras.layers.Dense(8, "elu")(x)
        outputs = keras.layers.Dense(3, name="kind")(x), keras.layers.Dense(2, name="pose")(x)
    if request.param == "list":
        return keras.Model([points, category], list(outputs))
    named = {"points": points, "category": category}
    return keras.Model(named, dict(zip(("kind", "pose"), outputs, strict=True)))


def only(model, category, output):
    """Returns the function of the points that is left when the category is held."""

    def function(points):
        points = keras.ops.convert_to_tensor(points)
        held = keras.ops.repeat(keras.ops.convert_to_tensor(category[None]), len(points), axis=0)
        if isinstance(model._inputs_struct, dict):
            return model({"points": points, "category": held})[output]
        return model([points, held])[0 if output == "kind" else 1]

    return function


METHODS = {
    "vanilla_gradient": {}, "integrated_gradients": {"steps": 5}, "expected_gradients": {"samples": 3},
    "mean_field_shapley": {}, "grad_cam": {"layer": "rows"}, "p_grad_cam": {"layer": "rows"},
    "guided_backprop": {}, "smooth_grad": {"samples": 3}, "point_saliency": {},
}  # fmt: skip


def test_each_example_has_its_own_held_input(model):
    for method, options in METHODS.items():
        explainer = explain.get(method)(
            model, data_kind="points", output_name="kind", batch_size=2, **options
        )
        found = explainer(POINTS, 1, fixed={"category": CATEGORIES})
        for row in range(len(POINTS)):
            alone = explainer(POINTS[row : row + 1], 1, fixed={"category": CATEGORIES[row]})
            assert_close(found.attributions[row], alone.attributions[0])
        other = explainer(POINTS, 1, fixed={"category": CATEGORIES[1]})
        assert not np.allclose(other.scores[0], found.scores[0])
        if method == "vanilla_gradient":
            direction = np.random.default_rng(0).normal(size=POINTS[:1].shape)
            function = only(model, CATEGORIES[0], "kind")
            ahead, behind = (np.asarray(function(POINTS[:1] + step * direction)) for step in (1e-7, -1e-7))
            along = np.sum(found.attributions[0] * direction)
            np.testing.assert_allclose(along, (ahead - behind)[0, 1] / 2e-7, rtol=1e-4)
            assert_close(found.scores[0], function(POINTS[:1])[0])
        if method == "integrated_gradients":
            base = np.stack([np.asarray(only(model, c, "kind")(0 * POINTS[:1]))[0, 1] for c in CATEGORIES])
            total = found.attributions.sum(axis=(1, 2)) - found.convergence_delta
            np.testing.assert_allclose(total, found.scores[:, 1] - base, rtol=1e-4, atol=1e-5)


def test_the_other_output(model):
    explainer = explain.VanillaGradient(model, data_kind="points", output_name="pose")
    found = explainer(POINTS, fixed={"category": CATEGORIES})
    assert_close(found.scores[1], only(model, CATEGORIES[1], "pose")(POINTS[1:2])[0])
    with pytest.raises(UserError, match="has the outputs kind, pose: give output_name"):
        explain.VanillaGradient(model, data_kind="points")


def test_mistakes(model):
    explainer = explain.VanillaGradient(model, data_kind="points", output_name="kind", input_name="points")
    for fixed, message in (
        (None, r"fixed must give the inputs that are held, category \(None, 4\)"),
        ({"kind": 1}, "it gives kind"),
        ({"category": np.eye(4)}, r"category must be numbers \(None, 4\), one row an example, here 5"),
        ({"category": "chair"}, "category must be numbers"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            explainer(POINTS, fixed=fixed)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="none is called 'cloud'"):
        explain.VanillaGradient(model, data_kind="points", output_name="kind", input_name="cloud")


def test_which_input_is_explained_is_never_guessed():
    with precision():
        first, second = keras.Input((None, 3), name="a"), keras.Input((None, 3), name="b")
        model = keras.Model(
            [first, second], keras.layers.GlobalMaxPooling1D()(first - 2 * second), name="two"
        )
    with pytest.raises(UserError, match=r"'two' takes a .*, b .*, of which several .*: give input_name"):
        explain.VanillaGradient(model, data_kind="points")
    other = POINTS[::-1]
    b = explain.VanillaGradient(model, data_kind="points", input_name="b")(POINTS, 1, fixed={"a": other})
    winner = (other - 2 * POINTS)[..., 1].argmax(axis=1)
    expected = np.zeros_like(POINTS)
    expected[range(5), winner, 1] = -2
    assert_close(b.attributions, expected)


def test_one_input_needs_none():
    points = keras.Input((None, 3), name="points")
    model = keras.Model(points, keras.layers.GlobalMaxPooling1D()(points))
    with pytest.raises(UserError, match="has one input, which is explained"):
        explain.VanillaGradient(model, data_kind="points")(POINTS, fixed={"category": 1})
    with pytest.raises(UserError, match="has one input, it is not called 'cloud'"):
        explain.VanillaGradient(model, data_kind="points", input_name="cloud")


def test_held_once_and_for_all_it_is_a_network_of_one_input(model, tmp_path):
    options = {"output_name": "kind", "class_names": ("a", "b", "c")}
    net = explain.network(model, "points", fixed={"category": CATEGORIES[1]}, **options)
    each = explain.network(model, "points", **options)
    function = only(model, CATEGORIES[1], "kind")
    for method, options in METHODS.items():
        found = explain.get(method)(net, batch_size=2, **options)(POINTS, 1)
        expected = explain.get(method)(each, batch_size=2, **options)
        assert_close(found.attributions, expected(POINTS, 1, fixed={"category": CATEGORIES[1]}).attributions)
    scores = np.asarray(function(POINTS))
    result = evaluate.classify(net, POINTS, np.zeros(5, int))
    assert_close(result.logits, scores)
    turned = evaluate.RotationTest(net, np.eye(3)[None]).scores(POINTS[0])
    np.testing.assert_allclose(turned, scores[:1], rtol=1e-4, atol=1e-5)
    serve.export(net, tmp_path / "1", ["vanilla_gradient"])
    loaded = serve.load(tmp_path / "1").explainer("vanilla_gradient")(POINTS, 1)
    assert_close(loaded.attributions, explain.VanillaGradient(net)(POINTS, 1).attributions)
    with pytest.raises(UserError, match="has one input, which is explained, or all others are held"):
        explain.VanillaGradient(net)(POINTS, fixed={"category": CATEGORIES})
    with pytest.raises(UserError, match="is read already: give input_name, output_name and fixed to its net"):
        explain.network(net, fixed={"category": CATEGORIES[1]})


def test_without_what_is_held_nothing_else_takes_it(model):
    net = explain.network(model, "points", output_name="kind")
    for ask in (
        lambda: evaluate.classify(net, POINTS, np.zeros(5, int)),
        lambda: evaluate.RotationTest(net, np.eye(3)[None])(POINTS[0], 1),
        lambda: evaluate.least_points(net, POINTS[0]),
    ):
        with pytest.raises(UserError, match="the model takes several inputs: give fixed") as caught:
            ask()
        assert "\n" not in str(caught.value)
