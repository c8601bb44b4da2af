"""The importance that several methods find."""

from collections.abc import Iterator, Sequence

import keras
import numpy as np
from tqdm import tqdm

from tfxai3d import explain

POINT_METHODS = (
    "vanilla_gradient", "gradient_times_input", "guided_backprop", "deconvnet", "integrated_gradients",
    "smooth_grad", "grad_cam", "p_grad_cam", "critical_points", "point_saliency",
)  # fmt: skip
VOXEL_METHODS = ("vanilla_gradient", "gradient_times_input", "integrated_gradients")


def importance_maps(
    model: keras.Model,
    methods: Sequence[str] | None,
    inputs: np.ndarray,
    labels: np.ndarray,
    *,
    batch_size: int = 16,
    seed: int = 0,
) -> Iterator[tuple[str, np.ndarray]]:
    """Yields each method's name and its importance of the true classes, (B,N) or (B,D,H,W).

    Args:
        model: Maps inputs to logits.
        methods: Names of `tfxai3d.explain`; None for those whose importance the papers speak of.
        inputs: Points (B,N,3) or voxels (B,D,H,W,1).
        labels: True classes, int (B,).
        batch_size: The most examples that the network sees at once.
        seed: Seed of the methods that draw at random.
    """
    for method in methods or (POINT_METHODS if inputs.ndim == 3 else VOXEL_METHODS):
        explainer = explain.create(method, model, batch_size=batch_size, seed=seed)
        parts = [slice(i, i + batch_size) for i in range(0, len(inputs), batch_size)]
        bar = tqdm(parts, desc=f"{model.name} {method}", unit="batch", disable=None)
        yield method, np.concatenate([explainer(inputs[part], labels[part]).importance for part in bar])
