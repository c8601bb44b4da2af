"""Signatures of segmentations and of models of several inputs: what Python answers, in one request."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.explainers.any_network import POINTS, VOLUMES, segments, segments_voxels, two_inputs
from tests.reference.precision import precision
from tfxai3d import explain, models, serve
from tfxai3d.errors import UserError

CLOUDS = POINTS.astype(np.float32)
CATEGORIES = np.eye(4, dtype=np.float32)


def assert_same(one, other):
    for name in ("attributions", "importance", "scores"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(one.target, other.target)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A model of points and a category, the folder of its export, and that of Keras's own."""
    with precision("float32"):
        model = two_inputs()
    ours, theirs = (str(tmp_path_factory.mktemp(name)) for name in ("ours", "theirs"))
    methods = [explain.VanillaGradient(model, data_kind="points", batch_size=2)]
    serve.export(model, ours, [*methods, "integrated_gradients"], data_kind="points")
    model.export(theirs, verbose=False)
    return model, ours, theirs


class TestSeveralInputs:
    def test_the_others_are_inputs_of_the_signatures(self, two):
        model, ours, _ = two
        signatures = tf.saved_model.load(ours).signatures
        clouds, held = np.tile(CLOUDS, (3, 1, 1)), CATEGORIES[[0, 0, 0, 1, 1, 2]]
        answer = signatures["serving_default"](points=clouds, category=held)
        np.testing.assert_allclose(answer["logits"], model([clouds, held]), rtol=1e-4, atol=1e-5)
        target = np.array([-1, 0, 1, 2, -1, 0], np.int32)
        found = signatures["explain_vanilla_gradient"](points=clouds, category=held, target=target)
        for row in range(6):
            label = None if target[row] < 0 else target[row]
            alone = explain.VanillaGradient(model, data_kind="points")
            alone = alone(clouds[[row]], label, fixed={"category": held[row]})
            np.testing.assert_allclose(
                found["attributions"][row], alone.attributions[0], rtol=1e-3, atol=1e-5
            )
            assert found["target"][row] == alone.target[0]

    def test_loaded_they_are_held_as_in_python(self, two):
        model, ours, theirs = two
        loaded, fixed = serve.load(ours), {"category": CATEGORIES[[0, 2]]}
        of_others = explain.network(models.load(theirs), "points")
        expected = explain.IntegratedGradients(model, data_kind="points")(CLOUDS, 1, fixed=fixed)
        assert_same(loaded.explainer("integrated_gradients")(CLOUDS, 1, fixed=fixed), expected)
        assert_same(loaded.explainer("integrated_gradients", steps=50)(CLOUDS, 1, fixed=fixed), expected)
        assert_same(explain.IntegratedGradients(of_others)(CLOUDS, 1, fixed=fixed), expected)
        with pytest.raises(
            UserError, match=r"fixed must give the inputs that are held, category \(None, 4\)"
        ):
            loaded.explainer("integrated_gradients")(CLOUDS, 1)

    def test_of_two_that_could_be_one_is_named(self, tmp_path):
        first, second = keras.Input((None, 3), name="a"), keras.Input((None, 3), name="b")
        model = keras.Model([first, second], keras.layers.GlobalMaxPooling1D()(first - 2 * second))
        model.export(str(tmp_path), verbose=False)
        with pytest.raises(UserError, match=r"takes a .*, b .*, of which several .*: give input_name"):
            serve.load(tmp_path, "points")
        loaded = serve.load(tmp_path, "points", input_name="b")
        found = loaded.explainer("vanilla_gradient")(CLOUDS, 1, fixed={"a": 0 * CLOUDS})
        assert (found.attributions.sum(axis=(1, 2)) == -2).all()

    def test_none_may_be_called_as_another_argument(self, tmp_path):
        points, target = keras.Input((None, 3), name="points"), keras.Input((3,), name="target")
        model = keras.Model([points, target], keras.layers.GlobalMaxPooling1D()(points) + target, name="odd")
        with pytest.raises(UserError, match=r"'odd' holds an input called 'target', .*: rename it"):
            serve.export(model, tmp_path / "a", ["vanilla_gradient"], data_kind="points")


@pytest.fixture(scope="module", params=["points", "voxels"])
def segmentation(request, tmp_path_factory):
    """A network that scores each point or voxel, its inputs, their kind, and what is exported of it."""
    kind, folder = request.param, tmp_path_factory.mktemp("segmentation")
    with precision("float32"):
        model = segments() if kind == "points" else segments_voxels()
    methods = ["vanilla_gradient", explain.GradCAM(model, layer="rows", data_kind=kind)]
    serve.export(model, folder, methods, data_kind=kind)
    return model, CLOUDS if kind == "points" else VOLUMES.astype(np.float32), kind, folder


class TestRegions:
    def test_in_python_and_loaded(self, segmentation):
        model, inputs, kind, folder = segmentation
        labels = np.asarray(model(inputs)).argmax(axis=-1)
        mask, some = np.random.default_rng(0).random(inputs.shape[1:-1]) < 0.5, labels.reshape(2, -1)[:, 0]
        regions = explain.Region(some), explain.Region([0, 2], mask), explain.Region(None, mask)
        for method, options in (("vanilla_gradient", {}), ("grad_cam", {"layer": "rows"})):
            loaded = serve.load(folder).explainer(method)
            here = explain.get(method)(model, data_kind=kind, **options)
            for region in regions:
                assert_same(loaded(inputs, region), here(inputs, region))
        with pytest.raises(UserError, match=r"explain_grad_cam of .* explains a Region alone"):
            loaded(inputs, lambda scores: scores[:, 0, ..., 0])

    def test_of_the_signature(self, segmentation):
        model, inputs, kind, folder = segmentation
        signatures = tf.saved_model.load(str(folder)).signatures
        answer = signatures["serving_default"](**{kind: inputs})
        scores = np.asarray(model(inputs))
        np.testing.assert_allclose(answer["logits"], scores, atol=1e-5)
        np.testing.assert_array_equal(answer["class"], scores.argmax(axis=-1))
        label = scores.argmax(axis=-1).reshape(2, -1)[:, 0].astype(np.int32)
        given = np.zeros(
            inputs.shape[:-1], bool
        )  # of the first example a mask, of the second what is predicted
        given[0, 0] = True
        explain_one = signatures["explain_vanilla_gradient"]
        found = explain_one(**{kind: inputs, "target": label, "region": given})
        here = explain.VanillaGradient(model, data_kind=kind)
        for row, where in ((0, given[0]), (1, "predicted")):
            expected = here(inputs[[row]], explain.Region(label[[row]], where))
            np.testing.assert_allclose(found["attributions"][row], expected.attributions[0], atol=1e-5)
            np.testing.assert_allclose(found["scores"][row], expected.scores[0], atol=1e-5)
        with pytest.raises(tf.errors.InvalidArgumentError, match="a region is empty"):
            explain_one(**{kind: inputs, "target": np.array([-1, 0], np.int32), "region": given & False})
