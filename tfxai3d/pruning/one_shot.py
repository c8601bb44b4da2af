"""Cutting the small weights of a model at once, without training."""

from typing import Literal

import keras
from keras import ops

from tfxai3d.pruning import thresholds
from tfxai3d.pruning.kernels import Selection, check_finite, select_kernels
from tfxai3d.pruning.plan import Scope, check_density


def prune_magnitude(
    model: keras.Model,
    target: float,
    scope: Scope = "global",
    importance: Literal["magnitude", "lamp"] = "magnitude",
    include: Selection | None = None,
    exclude: Selection | None = None,
    biases: bool = False,
) -> None:
    """Sets the smallest weights to zero, as one surgery of `DynamicNetworkSurgery` with these options would.

    Args:
        model: A built model; changed in place.
        target: Fraction of the weights to leave at most.
        scope: Whether the target holds for all layers together or for each "layer".
        importance: What is compared: |W|, or "lamp", |W| in proportion to the larger weights of its layer.
        include: Variables to prune, see `select_kernels`, as the next two.
        exclude: Variables to leave alone.
        biases: Also prune biases.

    Raises:
        UserError: If the target is not in (0, 1], there is nothing to prune, or weights are NaN.
    """
    check_density(target)
    selected = select_kernels(model, include, exclude, biases)
    check_finite(selected)
    kernels = list(selected.values())
    importances = [thresholds.BY_VALUE[importance](kernel) for kernel in kernels]
    masks = [ops.ones(kernel.shape, "bool") for kernel in kernels]
    t = thresholds.solve(importances, masks, target, scope == "layer")
    for i, (kernel, h, mask) in enumerate(zip(kernels, importances, masks, strict=True)):
        kernel.assign(ops.where(thresholds.update_mask(h, mask, t[i]), kernel, ops.zeros_like(kernel)))
