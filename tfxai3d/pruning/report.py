"""How many weights a model has left."""

from typing import Any

import keras
import numpy as np

from tfxai3d.pruning.kernels import Selection, select_kernels


def kernel_sparsity(
    model: keras.Model,
    include: Selection | None = None,
    exclude: Selection | None = None,
    biases: bool = False,
) -> dict[str, Any]:
    """Counts a model's kernel weights, and those that are not zero.

    Args:
        model: A built model.
        include: Variables to count, see `select_kernels`, as the next two.
        exclude: Variables not to count.
        biases: Also count biases.

    Returns:
        `{"total": int, "left": int, "layers": {path: {"total": int, "left": int}}}`.
    """
    layers = {}
    for path, kernel in select_kernels(model, include, exclude, biases).items():
        value = np.asarray(kernel)
        layers[path] = {"total": value.size, "left": int(np.count_nonzero(value))}
    total, left = (sum(layer[key] for layer in layers.values()) for key in ("total", "left"))
    return {"total": total, "left": left, "layers": layers}
