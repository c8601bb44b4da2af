import dataclasses

import numpy as np
import pytest

from tests.reference.pages import EVIL
from tfxai3d.results.explanation import Explanation
from tfxai3d.results.visualization import Visualization


def _chair(rng: np.random.Generator, count: int) -> np.ndarray:
    """A seat, a back and four legs, y up."""
    x, y, z = rng.uniform(-0.5, 0.5, (3, count))
    part = np.arange(count) % 4
    y[part == 0] = 0.0
    y[part == 1], z[part == 1] = y[part == 1] + 0.5, -0.5
    legs = part >= 2
    x[legs], z[legs] = np.sign(x[legs]) * 0.45, np.sign(z[legs]) * 0.45
    y[legs] = y[legs] / 2 - 0.25
    return np.stack([x, y, z], axis=1)


@pytest.fixture
def explanation() -> Explanation:
    """Two chairs of 256 points with rectified, long-tailed heat at the ends of the legs and the back."""
    rng = np.random.default_rng(0)
    points = np.stack([_chair(rng, 256), _chair(rng, 256)]).astype(np.float32)
    height = np.abs(points[..., 1])
    importance = np.maximum(height - 0.25, 0) * rng.gamma(1.0, 1.0, height.shape)
    return Explanation(
        inputs=points,
        attributions=np.repeat(importance[..., None], 3, axis=-1).astype(np.float32),
        importance=importance.astype(np.float32),
        target=np.array([1, 0]),
        scores=np.array([[0.5, 9.25], [1.0, 3.0]], dtype=np.float32),
        method="p_grad_cam",
        options={},
        class_names=("stool", "chair"),
    )


@pytest.fixture
def voxels() -> Explanation:
    """A solid table of 10 x 14 x 8 voxels in a grid of 16, hot at one end, with noise in empty space."""
    rng = np.random.default_rng(1)
    occupied = np.zeros((1, 16, 16, 16), bool)
    occupied[:, 3:13, 1:15, 9:12] = True
    occupied[:, 3:5, 1:3, 4:9] = occupied[:, 11:13, 13:15, 4:9] = True
    importance = rng.uniform(0, 0.4, occupied.shape) + occupied * np.linspace(0, 1, 16)[:, None, None]
    importance[0, 2, 2, 1:3] = 0.9
    importance = importance.astype(np.float32)
    return Explanation(
        inputs=occupied[..., None].astype(np.float32),
        attributions=importance[..., None],
        importance=importance,
        target=np.array([1]),
        scores=np.array([[0.5, 9.25]], dtype=np.float32),
        method="vanilla_gradient",
        options={},
        kind="voxels",
        class_names=("stool", "table"),
    )


@pytest.fixture
def visualization():
    """Makes visualisations of units: a grid of 4 voxels an axis, or 20 points in a ball of radius 0.2."""

    def make(method, kind, importance=None, units=3):
        rng = np.random.default_rng(2)
        if importance is None:
            importance = rng.random((units, 4, 4, 4) if kind == "voxels" else (units, 20))
        return Visualization(
            inputs=importance[..., None] if kind == "voxels" else rng.uniform(-0.1, 0.1, (units, 20, 3)),
            importance=importance,
            activations=1.5 + np.arange(units),
            channels=np.arange(units),
            names=("chair", "cup", "$x", "sofa", "vase")[:units],
            method=method,
            options={"radius": 0.2},
            kind=kind,
        )

    return make


@pytest.fixture
def methods():
    """Takes the first example of an explanation, explained by several methods of very different units."""

    def make(explanation, *names):
        arrays = ("inputs", "attributions", "importance", "target", "scores")
        one = dataclasses.replace(explanation, **{name: getattr(explanation, name)[:1] for name in arrays})
        return [
            dataclasses.replace(one, method=name, importance=one.importance * np.float32(1000.0**i))
            for i, name in enumerate(names)
        ]

    return make


@pytest.fixture
def rows(explanation, voxels, methods):
    """A panel of two rows and two methods."""
    names = ("vanilla_gradient", "integrated_gradients")
    return [methods(explanation, *names), methods(voxels, *names)]


@pytest.fixture
def kernels():
    """Four filters of one input channel, and the same with the smaller half cut."""
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 1, 4))
    return {"original": kernel, EVIL: np.where(np.abs(kernel) > 0.6, kernel, 0)}
