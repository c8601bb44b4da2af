"""The importance of weights, what surgery does to a mask by it, and the threshold for a given density.

Notation of Guo et al. (2016): a weight's importance h, its mask T, and a layer's threshold t. A weight is cut
below 0.9 t, kept or spliced from 1.1 t on, and stays as it is in between.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

CUT, SPLICE = 0.9, 1.1
_BISECTIONS = 24  # down to 6e-8 of the largest weight: of millions, few have their threshold in there


def lamp(kernel: Any) -> Any:
    """Returns each weight's fraction of what is left of its kernel once all smaller ones are cut.

    That is `|w| / sqrt(sum of v^2 over all v of the kernel with |v| >= |w|)`, between 0 and 1, and 1 for the
    largest: the square root of the layer-adaptive magnitude of Lee et al. (ICLR 2021), which orders alike.
    It does not change with the scale of a kernel, so that one threshold for all layers leaves some weights
    in each of them; by |W| it may cut layers of small weights entirely.
    """
    wide = keras.backend.result_type("float32", kernel.dtype)
    h = ops.cast(ops.reshape(ops.abs(kernel), (-1,)), wide)
    h = ops.divide_no_nan(h, ops.max(h))  # so that no square underflows
    ascending = ops.sort(h)
    tails = ops.flip(ops.cumsum(ops.flip(ops.square(ascending))))
    tail = ops.take(tails, ops.searchsorted(ascending, h))
    return ops.reshape(ops.divide_no_nan(h, ops.sqrt(tail)), kernel.shape)


BY_VALUE: dict[str, Callable[[Any], Any]] = {"magnitude": ops.abs, "lamp": lamp}
"""The functions of a kernel W by their names in `DynamicNetworkSurgery`."""


def update_mask(importance: Any, mask: Any, threshold: Any) -> Any:
    """Returns the mask after surgery, for h >= 0 of a layer's weights, their mask so far, and its t."""
    return _turning_point(importance, mask) >= ops.cast(threshold, importance.dtype)


def solve(importances: Sequence[Any], masks: Sequence[Any], density: Any, per_layer: bool) -> Any:
    """Returns the thresholds (L,), float32 or wider, at which surgery leaves a given fraction of the weights.

    The number of weights left falls with the threshold, hysteresis included, so bisection finds it: one for
    all layers, which spares those that have few and large weights, or one for each.

    Args:
        importances: h of each layer.
        masks: Masks so far, bool, of the same shapes.
        density: Fraction of the weights to leave at most, scalar.
        per_layer: Whether each layer has this density, or all layers together.
    """
    dtype = keras.backend.result_type("float32", *(h.dtype for h in importances))
    points = [_turning_point(h, mask) for h, mask in zip(importances, masks, strict=True)]

    def together(values: Any, reduce: Any) -> Any:
        return values if per_layer else ops.broadcast_to(reduce(values), values.shape)

    sizes = ops.convert_to_tensor([float(math.prod(point.shape)) for point in points], dtype)
    # The last factor makes up for densities such as 1 - 0.9 that float32 rounds down.
    allowed = ops.floor(together(sizes, ops.sum) * ops.convert_to_tensor(density, dtype) * (1 + 2e-7))

    def halve(_: Any, bounds: tuple[Any, Any]) -> tuple[Any, Any]:
        low, high = bounds
        t = (low + high) / 2
        kept = [point >= ops.cast(t[i], point.dtype) for i, point in enumerate(points)]
        left = ops.stack([ops.sum(ops.cast(some, "int32")) for some in kept])
        enough = together(ops.cast(left, dtype), ops.sum) <= allowed
        return ops.where(enough, low, t), ops.where(enough, t, high)

    largest = ops.cast(ops.stack([ops.max(point) for point in points]), dtype)
    high = 1.01 * together(largest, ops.max)
    return ops.fori_loop(0, _BISECTIONS, halve, (ops.zeros_like(high), high))[1]


def _turning_point(importance: Any, mask: Any) -> Any:
    """Returns the threshold above which each weight is without its connection."""
    # ops.cast would round these to float32 first.
    cut, splice = (ops.convert_to_tensor(rate, importance.dtype) for rate in (CUT, SPLICE))
    return importance / ops.where(mask, cut, splice)
