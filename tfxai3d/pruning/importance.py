"""The importance h of weights, by their values; what is compared with the thresholds."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops


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
