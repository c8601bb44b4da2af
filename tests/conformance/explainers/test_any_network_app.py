"""The table of `test_any_network` at the command line: each network from its file, by one call."""

import warnings

import numpy as np
import pytest

from tests.apps.conftest import run_app  # noqa: F401 - a fixture
from tests.conformance.explainers.any_network import NAMES, made
from tests.conformance.explainers.test_any_network import possible, scores_of, total
from tfxai3d import data, explain
from tfxai3d.results import Explanation

OWN_LAYERS = ("subclassed", "EdgeConv")
NO_FILE = ("callable",)
NO_RULES = ("two inputs", "EdgeConv")  # for deep_lift


def command(case, name, folder):
    """Returns the methods and the flags that a user gives, and writes the files that they name."""
    model, cloud = folder / "saved", folder / "one.npy"
    if not model.exists():
        model = folder / "model.keras"
        case.model.save(model)
    one = np.moveaxis(case.inputs[0], 0, -1) if name == "channels first" else case.inputs[0]
    np.save(cloud, one.astype(np.float32))
    methods = [one for one in possible(case, name) if one != "deep_lift" or name not in NO_RULES]
    found = {
        "model": model, "data_kind": case.kind, "input": cloud, "methods": ",".join(methods), "steps": 5,
        "num_clusters": 4, "block_size": 3, "budget": 64, "output_dir": folder / "out",
    }  # fmt: skip
    found |= {"layer": case.layer} if case.layer else {}
    found |= {"import": __name__.replace("test_any_network_app", "any_network")} if name in OWN_LAYERS else {}
    found |= {"fixed": "category=0,0,1,0"} if name == "two inputs" else {}
    if isinstance(case.target, explain.Region):
        inputs = data.load_points(cloud)[None] if case.kind == "points" else case.inputs[:1]
        label = np.bincount(np.asarray(case.model(inputs)).argmax(axis=-1).ravel()).argmax()
        found |= {"class_names": "a,b,c", "target": "abc"[label]}
    return methods, ["--nopictures", *(f"--{flag}={value}" for flag, value in found.items())]


def own_scores(case, explanation):
    """Returns the function from inputs to the scores (B,C) that were explained."""
    if explanation.region is None:
        return lambda x: scores_of(case, x)
    places = explanation.region.ravel()
    return lambda x: np.asarray(case.model(x)).reshape(len(x), -1, 3)[:, places].mean(axis=1)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NO_FILE])
def test_one_call_explains_by_all_methods(name, tmp_path, run_app):  # noqa: F811
    case = made(name, tmp_path)
    methods, flags = command(case, name, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code, _, err = run_app("explain", *flags)
    assert code == 0, err
    exact = 1e-4 if case.dtype == "float64" else 2e-2
    found = {method: Explanation.load(tmp_path / "out" / "one" / f"{method}.npz") for method in methods}
    gradient, path = found["vanilla_gradient"], found["integrated_gradients"]
    inputs, scores = gradient.inputs.astype(case.inputs.dtype), own_scores(case, gradient)
    assert inputs.shape == case.inputs[:1].shape
    own = scores(inputs)
    (target,) = gradient.target
    assert target == own[0].argmax()
    for method, one in found.items():
        np.testing.assert_allclose(one.scores, own, rtol=exact, atol=exact, err_msg=method)
        assert one.attributions.shape == inputs.shape
        assert np.isfinite(one.attributions).all()
    direction = np.random.default_rng(7).normal(size=inputs.shape)
    if case.dtype == "float64" and case.layer:
        ahead, behind = (scores(inputs + step * direction) for step in (1e-6, -1e-6))
        along, slope = total(gradient.attributions * direction), np.abs(gradient.attributions).max()
        np.testing.assert_allclose(along, (ahead - behind)[:, target] / 2e-6, rtol=1e-3, atol=1e-4 * slope)
    gain = (own - scores(0 * inputs))[:, target]
    np.testing.assert_allclose(
        total(path.attributions) - path.convergence_delta, gain, rtol=exact, atol=exact
    )
