"""Budgets in seconds, by a clock that is set by the test."""

import numpy as np
import pytest
import tensorflow as tf

from tests.explain.test_perturbation import CLOUD, averaging
from tfxai3d import explain
from tfxai3d.errors import UserError


@pytest.fixture
def two_seconds(monkeypatch):
    """Lets each trial take two seconds."""
    clock = iter(range(0, 1000, 2))
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))


@pytest.mark.usefixtures("two_seconds")
@pytest.mark.parametrize(("method", "trial"), [("lime", 8), ("kernel_shap", 12), ("shapley_sampling", 24)])
def test_as_many_passes_as_there_is_time_for(method, trial):
    """The trial has the least budget of the method, or a batch."""
    options = {"num_clusters": 6, "data_kind": "points", "batch_size": 8}
    explainer = explain.get(method)(averaging, budget_seconds=5.0, **options)
    found = explainer(CLOUD[None], 1)
    assert found.options["budget"] == int(trial * 5 / 2)
    same = explain.get(method)(averaging, budget=int(trial * 5 / 2), **options)(CLOUD[None], 1)
    np.testing.assert_array_equal(found.importance, same.importance)
    with pytest.raises(UserError, match=f"budget_seconds must be at least 2, what {trial} passes take"):
        explain.get(method)(averaging, budget_seconds=1.0, **options)(CLOUD[None], 1)


def test_graphs_have_no_clock():
    explainer = explain.LIME(averaging, budget_seconds=1.0, data_kind="points")
    with pytest.raises(UserError, match="give budget"):
        explainer.explain_batch(tf.constant(CLOUD[None]), tf.constant([1]))
