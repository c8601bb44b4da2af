"""One explainer, used as a server uses it: by many threads, and for ever."""

from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

from tfxai3d import explain

SIZES = (5, 9, 17, 33)


@pytest.fixture(scope="module")
def model():
    points = keras.Input((None, 3))
    rows = keras.layers.Dense(8, "relu", name="rows")(points)
    return keras.Model(points, keras.layers.Dense(4)(keras.layers.GlobalMaxPooling1D()(rows)))


def clouds(count):
    """Clouds of changing sizes, one at a time."""
    rng = np.random.default_rng(3)
    return [rng.uniform(-1, 1, (1, SIZES[i % len(SIZES)], 3)).astype("float32") for i in range(count)]


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("integrated_gradients", {"steps": 4}),
        ("smooth_grad", {"samples": 4}),
        ("guided_backprop", {}),
        ("grad_cam", {"layer": "rows"}),
    ],
)
def test_eight_threads_get_what_one_gets(model, method, options):
    several, one = (explain.create(method, model, data_kind="points", **options) for _ in range(2))
    with ThreadPoolExecutor(8) as pool:  # the first calls trace, all at once
        found = list(pool.map(several, clouds(48)))
    for explanation, alone in zip(found, map(one, clouds(48)), strict=True):
        np.testing.assert_allclose(explanation.attributions, alone.attributions, rtol=1e-5, atol=1e-7)
        np.testing.assert_array_equal(explanation.target, alone.target)


def test_calls_of_changing_sizes_keep_memory_flat(model):
    psutil = pytest.importorskip("psutil")
    explainer = explain.IntegratedGradients(model, steps=4, data_kind="points")

    def grown(calls):
        before = psutil.Process().memory_info().rss
        for cloud in clouds(calls):
            explainer(cloud)
        return psutil.Process().memory_info().rss - before

    grown(200)  # the trace, the pools of the allocator
    assert grown(1000) < 4e6  # a kept kilobyte of each call would be 1 MB, a trace of each size 30
    assert explainer._compiled.experimental_get_tracing_count() == 1
