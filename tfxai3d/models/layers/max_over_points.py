"""The max over the points, with a gradient that does not depend on the order of the points."""

from typing import Any

from keras import ops


def max_over_points(features: Any) -> Any:
    """Computes the max over the points of features after a ReLU, (B,N,K) -> (B,K).

    The gradient goes to the winning points, in equal shares where several are equal, so that it does not
    depend on the order of the points. A channel that no point activates passes none: all points are equal
    there, and none of them made the decision.
    """

    @ops.custom_gradient
    def forward(features: Any) -> tuple[Any, Any]:
        top = ops.max(features, axis=1, keepdims=True)

        def backward(*args: Any, upstream: Any = None) -> Any:
            won = ops.cast(ops.logical_and(features == top, top > 0), features.dtype)
            share = ops.maximum(ops.sum(won, axis=1, keepdims=True), 1)
            return won * ((args[0] if upstream is None else upstream)[:, None] / share)

        return top[:, 0], backward

    return forward(features)
