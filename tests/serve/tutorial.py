"""A PointNet as another house writes it: Conv1D with BatchNorm, a T-Net, GlobalMaxPooling."""

import keras
import numpy as np
from keras import ops

from tfxai3d.data import shapes

CLASSES = ("chair", "lamp", "table")


class Orthogonal(keras.regularizers.Regularizer):
    """Penalises matrices, given as vectors, that are not orthogonal."""

    def __init__(self, size, weight=1e-3):
        self.size, self.weight = size, weight

    def __call__(self, x):
        x = ops.reshape(x, (-1, self.size, self.size))
        defect = ops.matmul(x, ops.transpose(x, (0, 2, 1))) - ops.eye(self.size, dtype=x.dtype)
        return self.weight * ops.sum(ops.square(defect))


def convolution(x, filters, name=None):
    x = keras.layers.Conv1D(filters, 1, padding="valid")(x)
    x = keras.layers.BatchNormalization(momentum=0.0)(x)
    return keras.layers.Activation("relu", name=name)(x)


def transform(points, size):
    x = keras.layers.GlobalMaxPooling1D()(convolution(convolution(points, 8), 16))
    x = keras.layers.Dense(
        size * size,
        kernel_initializer="zeros",
        bias_initializer=lambda shape, dtype=None: ops.cast(np.eye(size).reshape(-1), dtype),
        activity_regularizer=Orthogonal(size),
        name="matrix",
    )(x)
    return keras.layers.Dot(axes=(2, 1))([points, keras.layers.Reshape((size, size))(x)])


def trained(num_points=32, callbacks=()):
    """Returns the network after a few steps on procedural shapes, and clouds that it has not seen."""
    points = keras.Input((num_points, 3), name="cloud")
    x = convolution(transform(points, 3), 16)
    x = keras.layers.GlobalMaxPooling1D()(convolution(x, 32, name="before_pooling"))
    x = keras.layers.Dropout(0.3)(keras.layers.Dense(16, activation="relu")(x))
    model = keras.Model(points, keras.layers.Dense(len(CLASSES))(x), name="tutorial")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss)
    made = shapes.make_dataset(48, num_points, 0, CLASSES)
    model.fit(made.points[6:], made.labels[6:], batch_size=14, epochs=2, verbose=0, callbacks=list(callbacks))
    return model, made.points[:6]
