"""How many weights a model has left, and cutting the small ones in one go."""

from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from tfxai3d.pruning import thresholds
from tfxai3d.pruning.importance import BY_VALUE
from tfxai3d.pruning.kernels import Selection, check_finite, select_kernels
from tfxai3d.pruning.plan import Scope
from tfxai3d.pruning.schedule import check_density


def kernel_sparsity(
    model: keras.Model,
    include: Selection | None = None,
    exclude: Selection | None = None,
    biases: bool = False,
) -> dict[str, Any]:
    """Counts a model's kernel weights, and those that are not zero.

    Args:
        model: A built model.
        include: See `DynamicNetworkSurgery`, as the other arguments.
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


def prune_magnitude(
    model: keras.Model,
    target: float,
    scope: Scope = "global",
    importance: Literal["magnitude", "lamp"] = "magnitude",
    include: Selection | None = None,
    exclude: Selection | None = None,
    biases: bool = False,
) -> None:
    """Sets the smallest weights to zero, once and for all, without training.

    It cuts what one surgery of `DynamicNetworkSurgery(target, scope=scope, importance=importance)` does.

    Args:
        model: A built model; changed in place.
        target: Share of the weights to leave at most.
        scope: Whether of all layers together or of each "layer".
        importance: Whether by |W|, or by "lamp", |W| in proportion to the larger weights of its layer.
        include: See `DynamicNetworkSurgery`, as the other arguments.
        exclude: Variables to leave alone.
        biases: Also prune biases.

    Raises:
        UserError: If the target is not a share, there is nothing to prune, or weights are NaN.
    """
    check_density(target)
    selected = select_kernels(model, include, exclude, biases)
    check_finite(selected)
    kernels = list(selected.values())
    importances = BY_VALUE[importance](kernels)
    masks = [ops.ones(kernel.shape, "bool") for kernel in kernels]
    dtype = keras.backend.result_type("float32", *(kernel.dtype for kernel in kernels))
    t = thresholds.solve(importances, masks, target, scope == "layer", dtype)
    for i, (kernel, h, mask) in enumerate(zip(kernels, importances, masks, strict=True)):
        kernel.assign(ops.where(thresholds.update_mask(h, mask, t[i]), kernel, ops.zeros_like(kernel)))
