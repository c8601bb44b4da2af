"""Mean and covariance of many short rows, as matrix products in both directions."""

from typing import Any

from keras import ops


def moments(rows: Any) -> tuple[Any, Any]:
    """Computes the mean (1,C) and the covariance (C,C) of rows (R,C), divided by R.

    The same as ops.mean and a product of the centred rows; here the mean is a product as well, and
    the gradient is a single product with a symmetric matrix.
    """

    @ops.custom_gradient
    def forward(rows: Any) -> tuple[Any, Any]:
        share = 1.0 / ops.cast(ops.shape(rows)[0], rows.dtype)
        mean = ops.matmul(ops.ones_like(rows[:, 0])[None], rows) * share
        covariance = ops.matmul(ops.transpose(rows), rows) * share - ops.outer(mean, mean)

        def backward(*args: Any) -> Any:
            # TensorFlow passes the two gradients one by one, JAX as one pair.
            d_mean, d_covariance = args if len(args) == 2 else args[0]
            both = (d_covariance + ops.transpose(d_covariance)) * share
            return ops.matmul(rows, both) + (d_mean * share - ops.matmul(mean, both))

        return (mean, covariance), backward

    return forward(rows)
