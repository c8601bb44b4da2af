"""The table of `test_any_network`, exported: the signatures answer as the explainers do in Python."""

import warnings

import numpy as np
import pytest

from tests.conformance.explainers.any_network import NAMES, made
from tests.conformance.explainers.test_any_network import asked, explainer_of, possible
from tfxai3d import serve
from tfxai3d.errors import UserError


@pytest.mark.parametrize("name", NAMES)
def test_signatures_answer_as_python_does(name, tmp_path):
    case, expected, explainers = made(name, tmp_path), {}, []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for method in possible(case, name):
            try:
                explainer = explainer_of(method, case)
                expected[method] = asked(explainer, case)
            except UserError:
                if method != "deep_lift":  # the only one with rules for a list of operations
                    raise
            else:
                explainers.append(explainer)
        serve.export(explainers[0].network, tmp_path / "1", explainers)
        loaded = serve.load(tmp_path / "1")
        for method, here in expected.items():
            there = asked(loaded.explainer(method), case)
            for part in ("attributions", "importance", "scores", "convergence_delta"):
                one, other = getattr(there, part), getattr(here, part)
                assert (one is None) == (other is None), (method, part)
                if one is not None:
                    size = max(1.0, float(np.abs(other).max()))
                    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * size, err_msg=method)
            np.testing.assert_array_equal(there.target, here.target)
