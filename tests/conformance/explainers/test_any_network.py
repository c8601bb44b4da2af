"""Every explainer on every kind of network, in Python and exported: right, or one clear sentence.

Right means: gradients are those of finite differences, attributions add up to the difference of the scores,
and what has neither keeps its own identities.
"""

import re
import warnings

import numpy as np
import pytest

from tests.conformance.explainers.any_network import NAMES, Case, made
from tests.conformance.explainers.cases import (
    METHODS,
    NEED_FEATURES,
    NEED_KERAS,
    NEED_NO_GRADIENT,
    OPTIONS,
    POINTS_ONLY,
)
from tfxai3d import explain, serve
from tfxai3d.errors import UserError

PATHS = ("integrated_gradients", "expected_gradients", "mean_field_shapley")
SUMMED = ("gradient_times_input", "integrated_gradients", "expected_gradients", "point_saliency")
# What cannot be, and the sentence that says so.
CANNOT = {
    "points alone": r"explains points, .* takes voxels",
    "layers": "must be a Keras model",
    "fixed size": "takes 12 points, and these clouds have 6: filled up with copies .* answers otherwise",
    "region": "removes points, and with them parts of a Region",
    "pools": "must be a Keras model of points|has no max over its points",
}


def possible(case, name):
    """Returns the methods that explain a network."""
    return [method for method in METHODS if not cannot(method, case, name)]


def cannot(method, case, name):
    """Returns which sentence a method has for a network, None if it explains it."""
    if case.kind == "voxels" and method in POINTS_ONLY:
        return "points alone"
    if case.layer is None and method in NEED_KERAS:
        return "layers"
    if method in NEED_NO_GRADIENT and name in ("EdgeConv", "segmentation of points"):
        return "fixed size" if name == "EdgeConv" else "region"
    if method == "mean_field_shapley" and name in ("SavedModel", "callable", "subclassed"):
        return "pools"
    return None


def explainer_of(method, case):
    options = OPTIONS.get(method, {}) | ({"layer": case.layer} if method in NEED_FEATURES else {})
    options |= {"block_size": 3} if method in NEED_NO_GRADIENT else {}
    return explain.get(method)(case.model, data_kind=case.kind, **options)


def asked(explainer, case):
    return explainer(case.inputs, case.target, **({"fixed": case.fixed} if case.fixed else {}))


def explained(method, case):
    return asked(explainer_of(method, case), case)


def scores_of(case: Case, inputs):
    """Returns the scores (B,C) of each example by the network itself."""
    return np.asarray(case.model(inputs), float) if case.scores is None else case.scores(inputs)


def score(case: Case, inputs):
    """Returns the explained score of each example by the network itself."""
    return scores_of(case, inputs)[:, 0 if case.target is None else 1]


def total(x):
    return x.reshape(len(x), -1).sum(axis=1, dtype=float)


@pytest.mark.parametrize("name", NAMES)
def test_right_or_one_clear_sentence_in_python_and_exported(name, tmp_path):
    """One test of both, since the explainers' traces are what costs."""
    case = made(name, tmp_path)
    explainers, found = explained_by_all(case, name)
    check_right(case, name, found)
    check_exported(case, explainers, found, tmp_path / "1")


def explained_by_all(case: Case, name):
    """Returns the explainers and what they say, by method, where they do not rightly refuse."""
    explainers, found = [], {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*zero everywhere|.*sigmoids of")
        for method in METHODS:
            reason = cannot(method, case, name)
            if reason:
                with pytest.raises(UserError, match=CANNOT[reason]) as caught:
                    explained(method, case)
                assert "\n" not in str(caught.value)
                continue
            try:
                explainer = explainer_of(method, case)
                found[method] = asked(explainer, case)
            except UserError as error:  # its rules are for a list of operations
                if not re.fullmatch(r"deep_lift (has no rule for|explains models of one).*", str(error)):
                    raise
            else:
                explainers.append(explainer)
    return explainers, found


def check_right(case: Case, name, found):
    """Holds what is found against finite differences, the model and the sums it promises."""
    exact = 1e-4 if case.dtype == "float64" else 2e-2
    channels = 1 if name == "channels first" else -1
    for method, one in found.items():
        assert one.attributions.shape == case.inputs.shape, method
        assert one.importance.shape == case.inputs.take(0, channels).shape, method
        assert np.isfinite(one.attributions).all(), method
        if method in SUMMED:
            np.testing.assert_allclose(one.importance, one.attributions.sum(axis=channels), atol=1e-5)
    own = score(case, case.inputs)
    at = 0 if case.target is None else 1
    for one in found.values():
        np.testing.assert_allclose(one.scores[:, at], own, rtol=exact, atol=exact)
    slope = np.abs(found["vanilla_gradient"].attributions).max()
    direction = np.random.default_rng(7).normal(size=case.inputs.shape)
    if case.dtype == "float64":
        step = 1e-6 if case.layer else 1e-3  # a SavedModel's input is float32
        ahead, behind = (score(case, case.inputs + side * step * direction) for side in (1, -1))
        along = total(found["vanilla_gradient"].attributions * direction)
        if name != "SavedModel":
            np.testing.assert_allclose(along, (ahead - behind) / (2 * step), rtol=1e-3, atol=1e-4 * slope)
    product = found["vanilla_gradient"].attributions * case.inputs
    np.testing.assert_allclose(found["gradient_times_input"].attributions, product, atol=1e-5 + exact * slope)
    gain = own - score(case, np.zeros_like(case.inputs))
    for method in PATHS:
        if method in found and not (method == "mean_field_shapley" and case.kind == "points"):
            one = found[method]
            np.testing.assert_allclose(
                total(one.attributions) - one.convergence_delta, gain, rtol=exact, atol=exact
            )


def check_exported(case: Case, explainers, found, folder):
    """The signatures answer as the explainers do in Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        serve.export(explainers[0].network, folder, explainers)
        loaded = serve.load(folder)
        for method, here in found.items():
            there = asked(loaded.explainer(method), case)
            for part in ("attributions", "importance", "scores", "convergence_delta"):
                one, other = getattr(there, part), getattr(here, part)
                assert (one is None) == (other is None), (method, part)
                if one is not None:
                    size = max(1.0, float(np.abs(other).max()))
                    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * size, err_msg=method)
            np.testing.assert_array_equal(there.target, here.target)
