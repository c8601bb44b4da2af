"""PointNet layer by layer in plain Keras: what our PointNet must equal, and its yardstick of speed."""

from typing import Any

import keras
from keras import ops


class Multiply(keras.layers.Layer):
    """Multiplies points by identity + offset and adds the orthogonality loss (Qi et al. 2017, equation 2)."""

    def __init__(self, weight: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.weight = weight

    def call(self, points: Any, offset: Any) -> Any:
        size = points.shape[-1]
        matrix = ops.eye(size, dtype=offset.dtype) + ops.reshape(offset, (-1, size, size))
        defect = ops.eye(size, dtype=offset.dtype) - ops.einsum("bij,bkj->bik", matrix, matrix)
        self.add_loss(self.weight * ops.mean(ops.norm(defect, axis=(1, 2)) ** 2) / 2)
        return ops.einsum("bni,bij->bnj", points, matrix)


def plain_pointnet(num_classes: int, variant: str = "full", dropout: float = 0.3) -> keras.Model:
    """Returns the network; the names of its layers are those of PointNet, its norms' end in `_norm`."""
    points = keras.Input((None, 3))
    x = plain_t_net(points, "input_transform", 0.0) if variant == "full" else points
    x = dense_norm_relu(x, 64, "mlp1_0")
    x = dense_norm_relu(x, 64, "mlp1_1")
    x = plain_t_net(x, "feature_transform", 1e-3) if variant == "full" else x
    x = dense_norm_relu(x, 64, "mlp2_0")
    x = dense_norm_relu(x, 128, "mlp2_1")
    x = keras.layers.GlobalMaxPooling1D()(dense_norm_relu(x, 1024, "point_features"))
    for i, units in enumerate((512, 256)):
        x = keras.layers.Dropout(dropout)(dense_norm_relu(x, units, f"head_{i}"))
    return keras.Model(points, keras.layers.Dense(num_classes, name="logits")(x))


def dense_norm_relu(x: Any, units: int, name: str, momentum: float = 0.9) -> Any:
    """Applies the three layers that most of PointNet consists of."""
    x = keras.layers.Dense(units, use_bias=False, name=name)(x)
    x = keras.layers.BatchNormalization(momentum=momentum, name=f"{name}_norm")(x)
    return keras.layers.ReLU()(x)


def plain_t_net(x: Any, name: str, weight: float, width: float = 1.0) -> Any:
    """Returns points (B,N,K) times the matrix that is predicted from them."""
    first, second, pooled, *dense = (round(units * width) for units in (64, 128, 1024, 512, 256))
    y = x
    for i, units in enumerate((first, second)):
        y = dense_norm_relu(y, units, f"{name}_mlp_{i}")
    y = keras.layers.GlobalMaxPooling1D()(dense_norm_relu(y, pooled, f"{name}_max"))
    for i, units in enumerate(dense):
        y = dense_norm_relu(y, units, f"{name}_dense_{i}")
    y = keras.layers.Dense(x.shape[-1] ** 2, kernel_initializer="zeros", name=f"{name}_offset")(y)
    return Multiply(weight, name=name)(x, y)


def key(variable: keras.Variable) -> str:
    """Returns one name for a variable of either network: layer, then role."""
    layer, role = variable.path.split("/")[-2:]
    return f"{layer.removesuffix('_norm')}/{role}"


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Copies all weights from one network to the other."""
    values = {key(variable): variable for variable in source.weights}
    assert len(values) == len(source.weights) == len(target.weights)
    for variable in target.weights:
        variable.assign(values[key(variable)])


def randomise(model: keras.Model, seed: int = 0) -> None:
    """Gives BatchNorm a random state with gamma < 0 too, and the T-Nets matrices other than the identity."""
    rng = keras.random.SeedGenerator(seed)
    for variable in model.weights:
        role = variable.path.split("/")[-1]
        if role == "moving_variance":
            variable.assign(keras.random.uniform(variable.shape, 0.5, 2.0, dtype=variable.dtype, seed=rng))
        elif role in ("gamma", "beta", "bias", "moving_mean"):
            variable.assign(keras.random.normal(variable.shape, stddev=0.5, dtype=variable.dtype, seed=rng))
        elif "offset" in variable.path:
            variable.assign(keras.random.normal(variable.shape, stddev=0.03, dtype=variable.dtype, seed=rng))
