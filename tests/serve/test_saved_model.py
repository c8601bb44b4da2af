"""Exported, loaded and run without this package: always the same explanations."""

import contextlib
import functools
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.reference import networks
from tests.reference.networks import POINTS, VOXELS, assert_close, precision
from tests.serve import tutorial
from tfxai3d import explain, pruning, serve
from tfxai3d.errors import UserError
from tfxai3d.serve.folder import FACTS

OPTIONS = {
    "integrated_gradients": {"steps": 3, "batch_size": 4},
    "expected_gradients": {"samples": 2},
    "smooth_grad": {"samples": 2},
    "var_grad": {"samples": 2},
    ("pointnet2", "point_saliency"): {"batch_size": 2, "centre": "ball"},
}
METHODS = {
    "pointnet": ("vanilla_gradient", "integrated_gradients", "guided_backprop", "p_grad_cam"),
    "pointnet2": ("integrated_gradients", "grad_cam", "point_saliency"),
    "vrn": ("gradient_times_input", "grad_cam"),
    "pruned": (
        "deconvnet",
        "expected_gradients",
        "gradient_times_input",
        "guided_backprop",
        "integrated_gradients",
        "point_saliency",
        "smooth_grad",
        "vanilla_gradient",
        "var_grad",
    ),
}


def pruned():
    """A third-party model, pruned while it was trained."""
    with precision():
        surgery = pruning.DynamicNetworkSurgery(target=0.5, frequency=1, exclude=["matrix"])
        model, points = tutorial.trained(callbacks=[surgery])
        surgery.finalize()
    report = pruning.kernel_sparsity(model)
    assert report["left"] <= 0.6 * report["total"]  # half of all but the excluded layer
    return model, points


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """By name: explainers, inputs, folder; every folder was run alone, see `alone.py`."""
    root = tmp_path_factory.mktemp("exported")
    found = {}
    for name, methods in METHODS.items():
        if name == "pruned":
            (model, inputs), kind = pruned(), "points"
        else:
            model, inputs, kind = getattr(networks, name)(), VOXELS if name == "vrn" else POINTS, None
        options = [OPTIONS.get((name, one)) or OPTIONS.get(one, {"batch_size": 2}) for one in methods]
        explainers = [
            explain.get(method)(model, data_kind=kind, **some)
            for method, some in zip(methods, options, strict=True)
        ]
        serve.export(model, root / name, explainers, data_kind=kind)
        target = np.array([-1, 0, 1, 2, -1, 0], np.int32)[: len(inputs)]
        inputs = inputs[:2] if name in ("pointnet2", "vrn") else inputs
        np.savez(root / f"{name}.npz", target=target[: len(inputs)], points=inputs, voxels=inputs)
        found[name] = explainers, inputs, root / name
    command = [sys.executable, "-I", Path(__file__).with_name("alone.py"), root]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return found


@pytest.mark.parametrize("name", METHODS)
def test_alone_it_says_the_same(exported, name):
    explainers, inputs, folder = exported[name]
    results = np.load(folder.with_suffix(".out.npz"))
    target = np.load(folder.with_suffix(".npz"))["target"]
    logits = explainers[0].network(tf.constant(inputs, explainers[0].network.dtype)).numpy()
    assert_close(results["serving_default/logits"], logits)
    np.testing.assert_array_equal(results["serving_default/class"], logits.argmax(-1))
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    assert_close(results["serving_default/probability"], shares.max(-1))
    for explainer in explainers:
        key = f"explain_{explainer.method}"
        explained = explainer(inputs, np.where(target < 0, logits.argmax(-1), target))
        for part in ("attributions", "importance", "scores"):
            assert_close(results[f"{key}/{part}"], getattr(explained, part))
        np.testing.assert_array_equal(results[f"{key}/target"], explained.target)
        if explained.convergence_delta is None:
            assert f"{key}/delta" not in results
        else:
            delta = results[f"{key}/delta"]
            np.testing.assert_allclose(delta, explained.convergence_delta, atol=1e-5 * np.abs(logits).max())
    keys = {f"explain_{explainer.method}" for explainer in explainers} | {"serving_default"}
    assert {file.split("/")[0] for file in results.files} == keys


@pytest.mark.parametrize("name", ["pointnet", "vrn"])
def test_loaded_it_explains_the_same(exported, name):
    explainers, inputs, folder = exported[name]
    loaded = serve.load(folder)
    assert loaded.data_kind == explainers[0].network.kind
    assert loaded.class_names == explainers[0].network.class_names
    assert list(loaded.methods) == [explainer.method for explainer in explainers]
    for original in explainers:
        explainer = loaded.explainer(original.method, batch_size=2)
        assert isinstance(explainer, explain.Explainer)
        target = np.arange(len(inputs)) % 4
        ours, theirs = explainer(inputs, target), original(inputs, target)
        for part in ("inputs", "attributions", "importance", "scores"):
            assert_close(getattr(ours, part), getattr(theirs, part))
        for part in ("method", "title", "options", "kind", "class_names"):
            assert getattr(ours, part) == getattr(theirs, part)
        np.testing.assert_array_equal(ours.target, target)
        np.testing.assert_array_equal(explainer(inputs).target, theirs.predicted)
        assert (ours.convergence_delta is None) == (theirs.convergence_delta is None)


def test_what_is_not_in_the_file_is_differentiated(exported):
    explainers, inputs, folder = exported["pointnet"]
    loaded, model = serve.load(folder), explainers[0].model
    pair = explain.Contrast(1, 2)
    for method, options in (("gradient_times_input", {}), ("integrated_gradients", {"steps": 2})):
        ours = loaded.explainer(method, **options)(inputs, pair)
        assert_close(ours.attributions, explain.get(method)(model, **options)(inputs, pair).attributions)
    with pytest.raises(
        UserError, match=r"explain_integrated_gradients of SavedModel .* explains single class"
    ):
        loaded.explainer("integrated_gradients")(inputs, pair)
    with pytest.raises(UserError, match="has no signature explain_grad_cam, and grad_cam needs the features"):
        loaded.explainer("grad_cam")
    with pytest.raises(UserError, match=r"has p_grad_cam with the options {'pooling': 'max'} alone"):
        loaded.explainer("p_grad_cam", pooling="mean")
    with pytest.raises(UserError, match="unknown method 'lime'"):
        loaded.explainer("lime")
    with pytest.raises(UserError, match=r"must be points \(B,N,3\)"):
        loaded.explainer("vanilla_gradient")(VOXELS)


def cli(*arguments):
    """Runs saved_model_cli and returns what it prints."""
    command = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_saved_model_cli(exported, tmp_path):
    """It loads into a session of TensorFlow 1, as TensorFlow Serving does; sampling included."""
    explainers, inputs, folder = exported["pointnet2"]
    shown = cli("show", "--dir", folder, "--all")
    for signature in ("serving_default", *(f"explain_{explainer.method}" for explainer in explainers)):
        assert f"signature_def['{signature}']" in shown
    assert "shape: (-1, -1, 3)" in shown
    np.save(tmp_path / "clouds.npy", inputs)
    target = np.arange(len(inputs), dtype=np.int32) % 4
    np.save(tmp_path / "target.npy", target)
    given = f"points={tmp_path / 'clouds.npy'};target={tmp_path / 'target.npy'}"
    command = ["--tag_set", "serve", "--signature_def", "explain_integrated_gradients", "--inputs", given]
    cli("run", "--dir", folder, *command, "--outdir", tmp_path / "out")
    ours = explainers[METHODS["pointnet2"].index("integrated_gradients")](inputs, target)
    for part in ("attributions", "importance", "scores"):
        assert_close(np.load(tmp_path / "out" / f"{part}.npy"), getattr(ours, part))


def test_the_requests_of_the_documentation(exported):
    """As TensorFlow Serving reads them: in rows, one instance an example, or in columns."""
    folder = exported["pointnet"][2]
    loaded = tf.saved_model.load(str(folder))
    page = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")
    requests = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    assert {"instances", "inputs"} <= {key for request in requests for key in request}
    for request in requests:
        signature = loaded.signatures[request.get("signature_name", "serving_default")]
        wanted = signature.structured_input_signature[1]
        columns = request.get("inputs") or {
            name: [instance[name] for instance in request["instances"]] for name in wanted
        }
        assert set(columns) == set(wanted)
        answer = signature(**{name: tf.constant(columns[name], wanted[name].dtype) for name in wanted})
        sizes = {value.shape[0] for value in answer.values()}
        assert sizes == {len(columns["points"])}  # each output has a row an instance
    assert any(request.get("signature_name") == "explain_vanilla_gradient" for request in requests)


class Counting(tf.Module):
    """A model that remembers the largest batch it has seen."""

    data_kind = "points"

    def __init__(self):
        super().__init__()
        self.weights = tf.Variable([[1.0, 2.0], [3.0, -1.0], [0.0, 0.5]])
        self.largest = tf.Variable(0)

    def __call__(self, points):
        self.largest.assign(tf.maximum(self.largest, tf.shape(points)[0]))
        return tf.reduce_sum(tf.tanh(points) @ self.weights, axis=1)


@pytest.fixture(scope="module")
def counting(tmp_path_factory):
    model, folder = Counting(), tmp_path_factory.mktemp("counting") / "1"
    explainers = [
        explain.VanillaGradient(model, batch_size=3),
        explain.IntegratedGradients(model, steps=4, batch_size=3),
    ]
    serve.export(model, folder, explainers)
    return model, explainers, folder


CLOUDS = POINTS.astype(np.float32)


def test_memory_is_bounded_in_the_graph(counting):
    _, explainers, folder = counting
    many = np.concatenate([CLOUDS, CLOUDS])
    for explainer in explainers:
        loaded = tf.saved_model.load(str(folder))
        (largest,) = (variable for variable in loaded.variables_of_model if variable.dtype == tf.int32)
        signature = loaded.signatures[f"explain_{explainer.method}"]
        result = signature(points=tf.constant(many), target=tf.fill([len(many)], 1))
        assert int(largest) == 3
        assert_close(result["attributions"], explainer(many, 1).attributions)
        for count, points in ((1, 1), (2, 40), (4, 7)):
            few = tf.constant(many[:count, :points])
            assert (
                signature(points=few, target=tf.zeros(count, tf.int32))["importance"].shape == few.shape[:2]
            )


def test_bad_requests_are_errors_in_the_graph(counting):
    signature = tf.saved_model.load(str(counting[2])).signatures["explain_vanilla_gradient"]
    cases = [
        (np.full((1, 4, 3), np.nan), [0], "points hold NaN or infinite values"),
        (np.zeros((2, 4, 3)), [0, 2], "there is no such class"),
    ]
    for points, target, message in cases:
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            signature(points=tf.constant(points, tf.float32), target=tf.constant(target))


class TestFolders:
    def test_another_saved_model_is_replaced(self, counting, tmp_path):
        serve.export(counting[0], tmp_path / "a", ["vanilla_gradient"])
        (tmp_path / "a" / "variables" / "left").touch()
        serve.export(counting[0], tmp_path / "a", ["gradient_times_input"])
        assert list(serve.load(tmp_path / "a").methods) == ["gradient_times_input"]
        assert not (tmp_path / "a" / "variables" / "left").exists()
        assert [path.name for path in tmp_path.iterdir()] == ["a"]

    def test_anything_else_is_left_alone(self, counting, tmp_path):
        (tmp_path / "notes").mkdir()
        (tmp_path / "notes" / "mine.txt").write_text("mine")
        (tmp_path / "file").write_text("mine")
        (tmp_path / "mixed").mkdir()
        for name in ("saved_model.pb", "mine.txt"):
            (tmp_path / "mixed" / name).write_text("mine")
        for name, message in (
            ("notes", "other things"),
            ("file", "is a file"),
            ("mixed", "'mine.txt' is beside"),
        ):
            before = sorted(tmp_path.rglob("*"))
            with pytest.raises(UserError, match=message):
                serve.export(counting[0], tmp_path / name)
            assert sorted(tmp_path.rglob("*")) == before

    @pytest.mark.parametrize("there", [False, True])
    def test_a_failure_leaves_what_was_there(self, counting, tmp_path, monkeypatch, there):
        if there:
            serve.export(counting[0], tmp_path / "a", ["vanilla_gradient"])
        before = sorted(tmp_path.rglob("*"))

        def fail(module, folder, signatures):
            (Path(folder) / "saved_model.pb").touch()
            raise OSError("disk full")

        monkeypatch.setattr(tf.saved_model, "save", fail)
        with pytest.raises(OSError, match="disk full"):
            serve.export(counting[0], tmp_path / "a")
        assert sorted(tmp_path.rglob("*")) == before


def test_mistakes_of_export(counting, tmp_path):
    model, explainers, _ = counting
    cases = [
        ({"methods": ["vanilla_gradient", explainers[0]]}, "names one method twice"),
        ({"methods": ["lime"]}, "unknown method 'lime'"),
        ({"methods": ["guided_backprop"]}, "must be a Keras model"),
        ({"methods": [explain.VanillaGradient(Counting())]}, "vanilla_gradient is of another model"),
        ({"num_points": 0}, r"num_points=0: model 'counting' takes points \(B,N,3\)"),
        ({"data_kind": "voxels", "num_points": 5}, "num_points=5: .* takes voxels"),
    ]
    for arguments, message in cases:
        with pytest.raises(UserError, match=message):
            serve.export(model, tmp_path / "a", **arguments)
    assert not list(tmp_path.iterdir())


def test_one_number_of_points(counting, tmp_path):
    serve.export(counting[0], tmp_path / "a", ["vanilla_gradient"], num_points=40)
    explainer = serve.load(tmp_path / "a").explainer("vanilla_gradient")
    assert_close(explainer(CLOUDS, 0).attributions, counting[1][0](CLOUDS, 0).attributions)
    with pytest.raises(UserError, match=r"must be points \(B,40,3\), they are \(5, 39, 3\)"):
        explainer(CLOUDS[:, :39])


class TestSavedModelsOfOthers:
    def test_a_keras_export(self, tmp_path):
        model = networks.foreign()
        model.export(str(tmp_path / "a"), verbose=False)
        loaded = serve.load(tmp_path / "a", data_kind="points")
        assert loaded.methods == {}
        for method in ("vanilla_gradient", "point_saliency"):
            ours = loaded.explainer(method)(POINTS, 1)  # in the file's float64
            theirs = explain.get(method)(model, data_kind="points")(POINTS, 1)
            assert_close(ours.attributions, theirs.attributions)
        assert_close(loaded(POINTS), model(POINTS))
        for method, lacking in (("grad_cam", "the features of a layer"), ("deconvnet", "a gradient rule")):
            with pytest.raises(
                UserError, match=f"no signature explain_{method}, and {method} needs {lacking}"
            ):
                loaded.explainer(method)
        # Exported again, with the explanations that go through it.
        serve.export(loaded, tmp_path / "b", ["vanilla_gradient"])
        again = serve.load(tmp_path / "b").explainer("vanilla_gradient")(POINTS, 1)
        assert_close(again.attributions, loaded.explainer("vanilla_gradient")(POINTS, 1).attributions)

    def test_a_module_without_signatures(self, tmp_path):
        module = tf.Module()
        module.__call__ = tf.function(
            lambda points: tf.reduce_sum(points, axis=1), [tf.TensorSpec((None, None, 3))]
        )
        tf.saved_model.save(module, str(tmp_path))
        explained = serve.load(tmp_path, "points").explainer("gradient_times_input")(CLOUDS, 2)
        assert_close(explained.attributions, CLOUDS * [0, 0, 1])

    def test_without_the_gradients_of_its_own_operations(self, tmp_path):
        def call(points):
            with tf.compat.v1.get_default_graph().gradient_override_map({"Tanh": "TheirOwn"}):
                return {"logits": tf.reduce_sum(tf.tanh(points), axis=1)}

        module = tf.Module()
        module.call = tf.function(call, [tf.TensorSpec((None, None, 3))])
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(module, str(tmp_path), {"serving_default": module.call}, options)
        explainer = serve.load(tmp_path, "points").explainer("vanilla_gradient")
        with pytest.raises(UserError, match=r"an operation that has no gradient \(.*Tanh\)\)$"):
            explainer(CLOUDS, 0)

    def test_of_another_kind(self, tmp_path):
        module = tf.Module()
        module.call = tf.function(lambda images: images[:, 0, 0], [tf.TensorSpec((None, 8, 8, 3))])
        tf.saved_model.save(module, str(tmp_path), {"serving_default": module.call})
        for kind, expected in (("points", "points"), ("voxels", "voxels")):
            with pytest.raises(UserError, match=f"8, 8, 3.* {expected} .* of float32 or"):
                serve.load(tmp_path, kind)

    def test_what_is_refused(self, counting, tmp_path):
        with pytest.raises(UserError, match="no SavedModel"):
            serve.load(tmp_path)
        with pytest.raises(UserError, match="holds a model of points, not of voxels"):
            serve.load(counting[2], "voxels")
        module = tf.Module()
        module.call = tf.function(
            lambda points: tf.numpy_function(lambda x: x[:, 0], [points], tf.float32),
            [tf.TensorSpec((None, None, 3))],
        )
        tf.saved_model.save(module, str(tmp_path / "python"), {"serving_default": module.call})
        with pytest.raises(UserError, match="holds the operation PyFunc"):
            serve.load(tmp_path / "python", "points")
        module.call = tf.function(
            lambda points: {"y": points, "z": tf.io.read_file("/etc/passwd")},
            [tf.TensorSpec((None, None, 3))],
        )
        tf.saved_model.save(module, str(tmp_path / "reader"), {"serving_default": module.call})
        with pytest.raises(UserError, match="holds the operation ReadFile"):
            serve.load(tmp_path / "reader", "points")
        for stream, refused in ((f"file://{tmp_path / 'log'}", True), (sys.stderr, False)):
            say = functools.partial(tf.print, "x", output_stream=stream)
            module.call = tf.function(
                lambda points: (say(), points[:, 0])[1],  # noqa: B023 - traced in this turn
                [tf.TensorSpec((None, None, 3))],
            )
            tf.saved_model.save(module, str(tmp_path / "printer"), {"serving_default": module.call})
            with pytest.raises(UserError, match="operation PrintV2") if refused else contextlib.nullcontext():
                serve.load(tmp_path / "printer", "points")

    def test_damaged(self, counting, tmp_path):
        for name, content in (("saved_model.pb", b"nonsense"), (FACTS, b"{}"), (FACTS, b"not json")):
            folder = tmp_path / "a"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(counting[2], folder)
            (folder / name).write_bytes(content)
            with pytest.raises(UserError, match="not a readable SavedModel") as caught:
                serve.load(folder)
            assert "\n" not in str(caught.value)
