"""What dynamic network surgery remembers and does to the masks (Guo et al. 2016, section 3), or does once."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import keras
import numpy as np
from keras import ops

from tfxai3d.errors import UserError
from tfxai3d.pruning import thresholds
from tfxai3d.pruning.kernels import Selection
from tfxai3d.pruning.plan import Plan, Scope, check_density
from tfxai3d.pruning.structure import Structure, StructureName, structure_of


class SurgeryState(NamedTuple):
    """The variables of a surgery on L layers, in the order of checkpoints."""

    dense: list[keras.Variable]  # weights W of each kernel, of its shape and dtype
    masks: list[keras.Variable]  # mask T of each layer, bool, of its kernel's shape or (n,) over n channels
    # Moving average of |W dL/dW|, of the shapes of the masks; empty unless it is what is compared.
    saliency: list[keras.Variable]
    threshold: keras.Variable  # the latest t of each layer, (L,)
    step: keras.Variable  # updates since the start, int scalar
    counts: keras.Variable  # weights or channels of each layer cut and spliced since the reset, int32 (2,L)
    draws: keras.Variable  # state of the random generator


def begin(plan: Plan, structure: Structure, draws: keras.random.SeedGenerator) -> SurgeryState:
    """Returns the state before the first step, with every weight kept; no c_rate may cut a whole layer."""
    kernels = [np.asarray(kernel) for kernel in structure.kernels.values()]
    starts = [np.asarray(size) for size in structure.magnitude(list(structure.kernels.values()))]
    zeros = starts if plan.importance == "gradient" else []
    dtype = keras.backend.result_type("float32", *(kernel.dtype.name for kernel in kernels))
    return SurgeryState(
        dense=[state_variable(kernel, kernel.dtype.name) for kernel in kernels],
        masks=[state_variable(np.ones(start.shape), "bool") for start in starts],
        saliency=[state_variable(np.zeros(start.shape), start.dtype.name) for start in zeros],
        threshold=state_variable(_start_thresholds(plan, list(structure.shapes), starts), dtype),
        step=state_variable(0, "int"),
        counts=state_variable(np.zeros((2, len(starts))), "int32"),
        draws=draws.state,
    )


def cut_and_splice(
    plan: Plan, sizes: list[Any], saliency: list[Any], masks: list[Any], threshold: Any, density: Any
) -> tuple[list[Any], Any, Any]:
    """Returns the masks and thresholds (L,) after one surgery, and how many weights it cut and spliced.

    Args:
        plan: What is compared with which threshold.
        sizes: |W| of the dense weights, or the norms of the channels, of each layer.
        saliency: Importance of each by its gradients; empty if the plan compares values.
        masks: Mask T of each so far.
        threshold: The t of each so far (L,); they stay unless the plan has a target.
        density: Fraction of the weights to leave at most.
    """
    importances = saliency or [thresholds.BY_VALUE[plan.importance](size) for size in sizes]
    if plan.target is not None:
        threshold = thresholds.solve(importances, masks, density, plan.scope == "layer")
    pairs = enumerate(zip(importances, masks, strict=True))
    new = [thresholds.update_mask(h, mask, threshold[i]) for i, (h, mask) in pairs]
    cut = [_count(before & ~after) for before, after in zip(masks, new, strict=True)]
    spliced = [_count(after & ~before) for before, after in zip(masks, new, strict=True)]
    return new, threshold, ops.stack([ops.stack(cut), ops.stack(spliced)])


def prune_magnitude(
    model: keras.Model,
    target: float,
    scope: Scope = "global",
    importance: Literal["magnitude", "lamp"] = "magnitude",
    include: Selection | None = None,
    exclude: Selection | None = None,
    biases: bool = False,
    structure: StructureName = "weight",
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
        structure: Whether each "weight" is cut or kept by itself, or each "channel".

    Raises:
        UserError: If the target is not in (0, 1], there is nothing to prune, or weights are NaN.
    """
    check_density(target)
    elements = structure_of(structure, model, include, exclude, biases)
    kernels = list(elements.kernels.values())
    importances = [thresholds.BY_VALUE[importance](size) for size in elements.magnitude(kernels)]
    masks = [ops.ones(h.shape, "bool") for h in importances]
    t = thresholds.solve(importances, masks, target, scope == "layer")
    pairs = enumerate(zip(importances, masks, strict=True))
    left = elements.spread([thresholds.update_mask(h, mask, t[i]) for i, (h, mask) in pairs])
    for kernel, mask in zip(kernels, left, strict=True):
        kernel.assign(ops.where(mask, kernel, ops.zeros_like(kernel)))


def _start_thresholds(plan: Plan, paths: Sequence[str], starts: list[np.ndarray]) -> np.ndarray:
    if plan.c_rate is None:
        return np.zeros(len(starts))
    c_rates = plan.c_rates(paths)
    mean = np.array([start.mean(dtype="float64") for start in starts])
    deviation = np.array([start.std(dtype="float64") for start in starts])
    with np.errstate(invalid="ignore"):  # -inf times a spread of zero
        values = np.nan_to_num(np.maximum(mean + c_rates * deviation, 0), nan=0.0, posinf=np.inf)
    for path, start, value, c_rate in zip(paths, starts, values, c_rates, strict=True):
        largest = start.max()
        if largest < thresholds.CUT * value:
            raise UserError(
                f"c_rate {c_rate:g} cuts all {start.size} weights of {path}, whose largest is {largest:.3g}; "
                "give a smaller c_rate for it, or leave it out by exclude"
            )
    return values


def state_variable(value: Any, dtype: str) -> keras.Variable:
    """Returns a variable that is remembered, and not trained."""
    return keras.Variable(np.asarray(value), dtype=dtype, trainable=False)


def _count(mask: Any) -> Any:
    return ops.cast(ops.sum(ops.cast(mask, "int32")), "int32")  # JAX sums in 64 bits if it may
