"""What every network of the package must keep, see `tfxai3d.models.Classifier`."""

import inspect
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

import tfxai3d.models.vrn as vrn_module
from tests.conformance.models.cases import CASES, NAMES
from tests.reference.precision import precision
from tfxai3d import models
from tfxai3d.errors import UserError
from tfxai3d.explain.engine.network import network


@pytest.fixture(autouse=True)
def _one_stage(monkeypatch):
    """A VRN of one stage with one block has all its kinds of layers, in a tenth of the time."""
    monkeypatch.setattr(vrn_module, "KEEP", ((0.6,),))


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture(scope="module")
def built(case):
    """The network in float32, and what it says of its examples; tests leave it as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vrn_module, "KEEP", ((0.6,),))
        model = case.build()
    return model, np.asarray(model(case.inputs))


def test_every_network_is_a_case():
    assert {case.network for case in CASES.values()} == set(models.architectures())
    assert models.get("PointNet2") is models.PointNet2  # as presets write it
    with pytest.raises(
        UserError, match="unknown network 'VGG'; known are pointnet, pointnet2, pointnetparts, resnet3d, vrn"
    ):
        models.get("VGG")


def test_build(case, built):
    model, logits = built
    assert isinstance(model, models.Classifier)
    assert logits.shape == (*case.places, 4)
    assert network(model).segments == model.segments == (len(case.places) > 1)
    assert np.isfinite(logits).all()
    assert len(np.unique(logits.argmax(axis=-1))) + len(np.unique(logits)) > 5  # they depend on the input
    assert network(model).kind == model.data_kind == ("points" if case.inputs.ndim == 3 else "voxels")
    names = [layer.name for layer in model.layers]
    assert model.endpoint in names
    assert set(model.unpruned) <= set(names)
    keys = ["/".join(variable.path.split("/")[-2:]) for variable in model.weights]
    assert len(set(keys)) == len(keys)  # presets store weights by these
    assert keras.saving.get_registered_name(type(model)) == f"tfxai3d>{type(model).__name__}"


def test_config_round_trip(case, built):
    model, _ = built
    config = model.get_config()
    assert (case.options | {"class_names": NAMES, "num_classes": 4}).items() <= config.items()
    arguments = inspect.signature(type(model).__init__).parameters
    assert set(config) == {"name", *arguments} - {"self", "kwargs"}
    json.dumps(config)
    again = type(model).from_config(config | {"name": "some", "momentum": 0.8})
    assert again.get_config() == config | {"name": "some", "momentum": 0.8}
    assert [w.shape for w in again.weights] == [w.shape for w in model.weights]


def test_keras_file_round_trip(case, built, tmp_path):
    model, logits = built
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again) is type(model)
    assert again.class_names == NAMES
    np.testing.assert_array_equal(again(case.inputs), logits)


def test_preset_round_trip(case, built, tmp_path):
    model, logits = built
    models.save_preset(model, tmp_path, {"seed": 3})
    again = models.from_preset(tmp_path)
    assert again.get_config() == model.get_config()
    assert again.class_names == NAMES
    assert models.model_card(tmp_path) == {"seed": 3}
    for got, saved in zip(again.weights, model.weights, strict=True):
        half = np.asarray(saved).astype("float16" if len(saved.shape) > 1 else "float32")
        np.testing.assert_array_equal(got, half.astype("float32"))
    assert np.abs(again(case.inputs) - logits).max() < 0.05 * np.abs(logits).max()
    config = json.loads((tmp_path / "config.json").read_text())
    defaults = inspect.signature(type(model).__init__).parameters
    config["config"] = {
        name: value
        for name, value in config["config"].items()
        if name == "name" or value != defaults[name].default
    }
    (tmp_path / "config.json").write_text(json.dumps(config))  # as before an option was there
    assert models.from_preset(tmp_path).get_config() == again.get_config()


@pytest.mark.parametrize("dtype", ["float32", "float64", "mixed_float16", "mixed_bfloat16"])
def test_logits_are_in_float32_at_least(case, dtype):
    with precision(dtype):
        model = case.build(dtype)
        inputs = case.inputs.astype("float64" if dtype == "float64" else "float32")
        for training in (False, True):
            logits = model(inputs, training=training)
            wide = "float64" if dtype == "float64" else "float32"
            assert keras.backend.standardize_dtype(logits.dtype) == wide
            assert np.isfinite(logits).all()


@pytest.mark.filterwarnings("ignore:Gradients do not exist")  # of a block that is dropped
@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
def test_trains(case, dtype):
    with precision(dtype):
        model = case.build(dtype)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, jit_compile=False)
    before = [np.asarray(weight) for weight in model.trainable_variables]
    # float16 skips its first steps until the loss scale fits
    epochs = 8 if dtype == "mixed_float16" else 1
    history = model.fit(case.inputs.astype("float32"), case.labels, batch_size=4, epochs=epochs, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert all(np.isfinite(weight).all() for weight in model.weights)
    assert any(np.any(a != b) for a, b in zip(before, model.trainable_variables, strict=True))


def test_an_example_does_not_depend_on_the_others(case, built):
    model, logits = built
    for i in (0, 3):
        alone = model(case.inputs[i : i + 1])[0]
        np.testing.assert_allclose(alone, logits[i], rtol=1e-4, atol=1e-4 * np.abs(logits).max())
    model.trainable = False  # statistics of the batch are for training alone
    np.testing.assert_array_equal(model(case.inputs), logits)
    model.trainable = True


def test_any_number_of_points_and_copies(case, built):
    model, _ = built
    if model.data_kind != "points":
        assert not model.ignores_copies
        return
    few = case.inputs[:, :9]
    expected = model(few)
    rng = np.random.default_rng(2)
    for count in (10, 15, 16, 17, 100) if model.ignores_copies else ():
        copies = rng.integers(0, 9 if case.any_order else 1, count - 9)  # all of the first point, or of any
        more = np.concatenate([few, few[:, copies]], axis=1)
        np.testing.assert_allclose(model(more), expected, atol=1e-4)
    shapes = [model.predict(case.inputs[:2, :n], verbose=0).shape for n in (1, 7, 33)]
    assert shapes == [(2, n, 4) if model.segments else (2, 4) for n in (1, 7, 33)]


def test_the_order_of_the_points(case, built):
    model, logits = built
    rng = np.random.default_rng(3)
    for _ in range(3 if case.any_order else 0):
        order = rng.permutation(case.inputs.shape[1])
        expected = logits[:, order] if model.segments else logits
        np.testing.assert_allclose(model(case.inputs[:, order]), expected, atol=1e-4)


def test_importance_of_the_endpoint_comes_to_the_inputs(case, built):
    model, _ = built
    features = keras.Model(model.input, model.get_layer(model.endpoint).input)(case.inputs)
    importance = np.random.default_rng(3).uniform(size=features.shape[:-1]).astype("float32")
    carried = np.asarray(model.to_points(importance, case.inputs.astype("float32")))
    rows = case.inputs.shape[:-1] if model.data_kind == "points" else importance.shape
    assert carried.shape == rows
    assert carried.min() >= importance.min()
    assert carried.max() <= importance.max()


def test_the_networks_of_all_stages_have_the_same_weights(case, built):
    shapes = [
        [weight.shape for weight in case.build(**models.get(case.network).stage_options(size)).weights]
        for size in (16, 32)
    ]
    assert shapes[0] == shapes[1] == [weight.shape for weight in built[0].weights]


def test_an_unknown_variant_is_refused(case):
    variants = models.get(case.network).variants
    if variants:
        with pytest.raises(UserError, match=f"variant 'ful': must be one of {', '.join(variants)}"):
            case.build(variant="ful")


@pytest.mark.parametrize("training", [False, True])
def test_gradients_equal_finite_differences(case, training):
    changes = {"dropout": 0.0} if "dropout" in models.get(case.network).options() else {}
    model = case.build("float64", **changes)
    variables, draws = model.trainable_variables, [v for v in model.variables if "seed" in v.path]
    seeds = [np.asarray(variable) for variable in draws]

    def loss(x):
        for variable, seed in zip(draws, seeds, strict=True):  # the same blocks are dropped each time
            variable.assign(seed)
        logits = model(x, training=training)
        value = ops.mean(ops.sparse_categorical_crossentropy(case.labels, logits, from_logits=True))
        return value + sum(model.losses)

    x = tf.constant(case.inputs)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = loss(x)
    # A dropped branch has no gradient.
    gradients = [0.0 if g is None else np.asarray(g) for g in tape.gradient(value, [*variables, x])]
    start = [np.asarray(variable) for variable in variables]
    rng = np.random.default_rng(1)
    for _ in range(2):
        towards = [rng.normal(size=value.shape) * max(np.abs(value).max(), 1e-2) for value in start]
        towards.append(rng.normal(size=x.shape) * 0.1)
        slope = sum(np.sum(g * d) for g, d in zip(gradients, towards, strict=True))
        ends = []
        for step in (1e-8, -1e-8):
            for variable, value, direction in zip(variables, start, towards[:-1], strict=True):
                variable.assign(value + step * direction)
            ends.append(float(loss(x + step * towards[-1])))
        assert slope == pytest.approx((ends[0] - ends[1]) / 2e-8, rel=1e-4)
