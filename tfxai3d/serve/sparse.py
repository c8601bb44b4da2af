"""Pruned networks as faster programs: products with few weights left are computed from those alone.

TensorFlow's product of a matrix in CSR form with a dense one goes through the weights that are left, and adds
for each of them a row of all points. That is faster than the dense product from about one weight in ten on.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.ops.linalg.sparse import sparse_csr_matrix_ops as csr  # tf.linalg shows no other way

from tfxai3d.errors import UserError
from tfxai3d.models.layers.shared_mlp import SharedDense, SharedDenseMax


def compile_sparse(model: keras.Model, most: float = 0.1) -> Callable[..., Any]:
    """Returns a function with the outputs of a pruned model at inference, and its gradients, in less time.

    Dense layers, and PointNet's shared ones, of which few weights are left use these alone; all other layers
    stay, convolutions too. Take away dead channels first, by `pruning.remove_dead_channels`. It is made for
    forward passes; for gradients that network itself is as fast or faster, see `docs/results/speed.md`.

    Args:
        model: A functional model; the function keeps its weights of now.
        most: Largest fraction of the weights left at which a layer is computed so.

    Returns:
        A `tf.function` from a batch of inputs to the model's outputs.

    Raises:
        UserError: If the model is not functional, or no layer has so few weights.
    """
    if not isinstance(model, keras.Function):
        raise UserError(f"model {model.name!r} is not functional: its products cannot be replaced")
    weights = model.get_weights()
    model = keras.models.clone_model(model)
    model.set_weights(weights)
    products = {id(layer): product for layer in model.layers if (product := _product(layer, most))}
    if not products:
        raise UserError(f"model {model.name!r} has no layer with at most {most:.0%} of its weights left")

    def run(inputs: Any) -> Any:
        columns: dict[int, tuple[Any, Any]] = {}  # see `_Product`

        def operation(layer: Any) -> Callable[..., Any]:
            product = products.get(id(layer))
            if product is not None:
                return lambda x, **_: product(x, columns)
            inference = {"training": False} if getattr(layer, "_call_has_training_arg", False) else {}
            return lambda *args, **kwargs: layer(*args, **{**kwargs, **inference})

        return model._run_through_graph(inputs, operation_fn=operation)

    return tf.function(run, autograph=False, reduce_retracing=True)


class _Product:
    """`activation(x @ kernel + bias)`, or its max over the points, from the weights that are left."""

    def __init__(self, kernel: np.ndarray, bias: np.ndarray, activation: Callable[[Any], Any], pooled: bool):
        self.bias, self.activation, self.pooled = bias, activation, pooled
        transposed = kernel.T
        self.places, self.values = np.argwhere(transposed), transposed[transposed != 0]
        self.shape = transposed.shape

    def __call__(self, x: Any, columns: dict[int, tuple[Any, Any]]) -> Any:
        """Maps features (B,C) to (B,K), or (B,N,C) to (B,N,K), or (B,K) where they are pooled.

        Between two sparse products nothing is transposed: `columns` holds outputs (B,N,K) so far, by their
        identities, each with itself as (K,B*N).
        """
        known = columns.get(id(x))
        rows = tf.transpose(tf.reshape(x, (-1, self.shape[1]))) if known is None else known[1]
        y = self._times(rows)
        if self.pooled:
            y = _first_max(tf.reshape(y, (self.shape[0], tf.shape(x)[0], -1)))
        y = self.activation(y + self.bias[:, None])
        if self.pooled or len(x.shape) == 2:
            return tf.transpose(y)
        output = tf.reshape(tf.transpose(y), (*tf.unstack(tf.shape(x)[:-1]), self.shape[0]))
        columns[id(output)] = output, y
        return output

    def _times(self, rows: Any, transposed: bool = False) -> Any:
        """Multiplies by the matrix, or its transpose; the gradient is the other product."""

        @tf.custom_gradient
        def product(rows: Any) -> tuple[Any, Callable[[Any], Any]]:
            matrix = csr.sparse_tensor_to_csr_sparse_matrix(self.places, self.values, self.shape)
            y = csr.sparse_matrix_mat_mul(matrix, rows, transpose_a=transposed)
            return y, lambda upstream: self._times(upstream, not transposed)

        return product(rows)


@tf.custom_gradient
def _first_max(y: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Returns the max over the last axis; the gradient goes to the first of equals, as in `max_linear`."""

    def backward(upstream: Any) -> Any:
        return tf.one_hot(tf.argmax(y, axis=-1), tf.shape(y)[-1], dtype=y.dtype) * upstream[..., None]

    return tf.reduce_max(y, axis=-1), backward


def _product(layer: Any, most: float) -> _Product | None:
    """Returns what stands in for a layer, None for one of another kind or with too many weights left."""
    if type(layer) in (SharedDense, SharedDenseMax):
        kernel, bias = map(np.asarray, layer._folded(np.zeros((1, 1, layer.kernel.shape[0])), training=False))
    elif type(layer) is keras.layers.Dense:
        kernel = np.asarray(layer.kernel)
        bias = np.asarray(layer.bias) if layer.use_bias else np.zeros(layer.units, kernel.dtype)
    else:
        return None
    if np.count_nonzero(kernel) > most * kernel.size or kernel.dtype not in (np.float32, np.float64):
        return None
    return _Product(kernel, bias, layer.activation, type(layer) is SharedDenseMax)
