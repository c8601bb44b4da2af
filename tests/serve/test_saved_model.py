"""Exported, loaded and run without this package: always the same explanations."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.reference import networks
from tests.reference.networks import POINTS, VOXELS, assert_close
from tests.reference.precision import precision
from tests.serve import tutorial
from tfxai3d import explain, pruning, serve
from tfxai3d.errors import UserError

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
    with pytest.raises(UserError, match="unknown method 'lemon'"):
        loaded.explainer("lemon")
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
    page = (Path(__file__).parents[2] / "docs" / "guides" / "serving.md").read_text(encoding="utf-8")
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
