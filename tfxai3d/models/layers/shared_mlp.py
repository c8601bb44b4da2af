"""Shared dense + BatchNorm + ReLU layers over points, and their fast max over the points.

A PointNet spends nearly all its time in `relu(batch_norm(x @ W))` of every point, three times followed
by a max over the points. Two identities make these layers cheap without changing what they compute; automatic
differentiation through both is exact, the batch statistics included:

* The batch mean and variance of `x @ W` follow from the mean and covariance of `x`, which are small.
  So BatchNorm folds into the kernel in training as well as at inference, and a layer is one matmul.
* BatchNorm and ReLU are monotone per channel, so the max over the points commutes with them. Only the
  winning points take part in the backward pass (`max_linear`).
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tfxai3d.models.layers.max_linear import max_linear
from tfxai3d.models.layers.precision import wide

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package="tfxai3d")
class SharedDense(keras.layers.Layer):
    """`relu(batch_norm(x @ kernel))`, the same for every point.

    Equal to Dense(use_bias=False), BatchNormalization and ReLU in a row, at a fraction of the time; the
    options are theirs.
    """

    activation = staticmethod(ops.relu)  # an attribute, so that explainers find it

    def __init__(self, units: int, momentum: float = 0.9, epsilon: float = 1e-3, **kwargs: Any):
        super().__init__(**kwargs)
        self.units, self.momentum, self.epsilon = units, momentum, epsilon

    def build(self, input_shape: Shape) -> None:
        """Makes the kernel (C, units) and the four BatchNorm vectors (units,)."""
        units = (self.units,)
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.gamma = self.add_weight(shape=units, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=units, initializer="zeros", name="beta")
        moving: dict[str, Any] = {"shape": units, "trainable": False, "autocast": False}
        self.moving_mean = self.add_weight(initializer="zeros", name="moving_mean", **moving)
        self.moving_variance = self.add_weight(initializer="ones", name="moving_variance", **moving)

    def call(self, x: Any, training: bool = False) -> Any:
        """Maps points' features (B,N,C) to (B,N,units)."""
        kernel, bias = self._folded(x, training)
        shape = ops.shape(x)
        flat = ops.matmul(ops.reshape(x, (-1, x.shape[-1])), kernel)
        return ops.reshape(self.activation(flat + bias), (*shape[:-1], self.units))

    def _folded(self, x: Any, training: bool) -> tuple[Any, Any]:
        """Returns the kernel and bias that do BatchNorm's work as well, in the compute dtype."""
        kernel = ops.cast(self.kernel, self._wide)
        if training:
            mean, variance = self._batch_statistics(x, kernel)
            self._update(mean, variance)
        else:
            mean, variance = (ops.cast(v, self._wide) for v in (self.moving_mean, self.moving_variance))
        scale = ops.cast(self.gamma, self._wide) * ops.rsqrt(variance + self.epsilon)
        bias = ops.cast(self.beta, self._wide) - mean * scale
        return ops.cast(kernel * scale, self.compute_dtype), ops.cast(bias, self.compute_dtype)

    def _batch_statistics(self, x: Any, kernel: Any) -> tuple[Any, Any]:
        """Returns the mean and variance of `x @ kernel` from the moments of `x`."""
        flat = ops.cast(ops.reshape(x, (-1, x.shape[-1])), self._wide)
        x_mean, covariance = moments(flat)
        variance = ops.sum(kernel * ops.matmul(covariance, kernel), axis=0)
        return ops.matmul(x_mean, kernel)[0], ops.relu(variance)  # rounding may leave a dead channel below 0

    @property
    def _wide(self) -> str:
        """The dtype of the statistics: float32 at least."""
        return wide(self.compute_dtype)

    def _update(self, mean: Any, variance: Any) -> None:
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            value = ops.cast(ops.stop_gradient(value), moving.dtype)
            moving.assign(moving * self.momentum + value * (1 - self.momentum))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape of the output for an input shape."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"units": self.units, "momentum": self.momentum, "epsilon": self.epsilon}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="tfxai3d")
class SharedDenseMax(SharedDense):
    """`SharedDense` followed by the max over the points: (B,N,C) -> (B,units).

    `features(x)` is the plain form before the max, with the same weights.
    """

    def call(self, x: Any, training: bool = False) -> Any:
        """Maps points' features (B,N,C) to the maxima over the points (B,units)."""
        kernel, bias = self._folded(x, training)
        return self.activation(max_linear(x, kernel) + bias)

    def features(self, x: Any, training: bool = False) -> Any:
        """Maps points' features (B,N,C) to (B,N,units); their max over N is what `call` returns."""
        return super().call(x, training=training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape of the output for an input shape."""
        return (input_shape[0], self.units)


def shared_mlp(x: Any, widths: Sequence[int], name: str, momentum: float) -> Any:
    """Applies a `SharedDense` of each width in turn to points' features (B,N,C)."""
    for i, units in enumerate(widths):
        x = SharedDense(units, momentum, name=f"{name}_{i}")(x)
    return x


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
