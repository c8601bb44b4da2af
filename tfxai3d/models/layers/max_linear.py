"""The max over the points of a linear map, and its gradient through the winners only."""

from typing import Any

from keras import ops

_GROUP = 8  # points a group of the two-level arg-max; measured against 4, 16 and 32


def max_linear(x: Any, kernel: Any) -> Any:
    """Computes `max_n x[:, n] @ kernel`, for features (B,N,C) of any N and a kernel (C,K): (B,K).

    The gradient goes to the winning points alone, one a channel; among equals the lowest index wins.
    """

    @ops.custom_gradient
    def forward(x: Any, kernel: Any) -> tuple[Any, Any]:
        product = _grouped_product(x, kernel)
        group_max = ops.max(product, axis=2)
        # Built here, where the product is at hand; a graph that takes no gradient drops it.
        winner = _winner(product, group_max)
        # Equal rows may be rounded differently: a copy that fills the last group up stands for its point.
        winner = ops.where(winner < ops.shape(x)[1], winner, 0)

        def backward(*args: Any, upstream: Any = None) -> tuple[Any, Any]:
            return _gradient(x, kernel, winner, args[0] if upstream is None else upstream)

        return ops.max(group_max, axis=1), backward

    return forward(x, kernel)


def _grouped_product(x: Any, kernel: Any) -> Any:
    """Returns `x @ kernel` as (B, groups, _GROUP, K), the last group filled up with the first point."""
    batch, points, width = ops.shape(x)[0], ops.shape(x)[1], x.shape[-1]
    if not isinstance(points, int) or points % _GROUP:
        index = ops.arange((points + _GROUP - 1) // _GROUP * _GROUP, dtype="int32")
        x = ops.take(x, ops.where(index < points, index, 0), axis=1)
    product = ops.matmul(ops.reshape(x, (-1, width)), kernel)
    return ops.reshape(product, (batch, -1, _GROUP, kernel.shape[-1]))


def _winner(product: Any, group_max: Any) -> Any:
    """Returns the largest point's index, int32 (B,K), searched in the best group: a full arg-max is slow."""
    batch, groups, channels = ops.shape(product)[0], ops.shape(product)[1], product.shape[-1]
    group = ops.cast(ops.argmax(group_max, axis=1), "int32")
    first_row = (ops.arange(batch, dtype="int32")[:, None] * groups + group) * _GROUP
    rows = first_row[..., None] + ops.arange(_GROUP, dtype="int32")
    index = rows * channels + ops.arange(channels, dtype="int32")[:, None]
    members = ops.take(ops.reshape(product, (-1,)), index)
    return group * _GROUP + ops.cast(ops.argmax(members, axis=-1), "int32")


def _gradient(x: Any, kernel: Any, winner: Any, upstream: Any) -> tuple[Any, Any]:
    """Returns the gradients of x and kernel for the gradient (B,K) of the maxima."""
    batch, points, width = ops.shape(x)[0], ops.shape(x)[1], x.shape[-1]
    rows = ops.reshape(ops.arange(batch, dtype="int32")[:, None] * points + winner, (-1,))
    won = ops.reshape(ops.take(ops.reshape(x, (-1, width)), rows, axis=0), (-1, kernel.shape[-1], width))
    d_kernel = ops.transpose(ops.sum(won * upstream[..., None], axis=0))
    d_won = ops.reshape(upstream[..., None] * ops.transpose(kernel), (-1, width))
    d_x = ops.segment_sum(d_won, rows, num_segments=batch * points)
    return ops.reshape(d_x, (batch, points, width)), d_kernel
