"""Small networks to prune, their data, and how tests train them."""

import keras
import numpy as np

OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(0.05),
    "momentum": lambda: keras.optimizers.SGD(0.05, momentum=0.9),
    "adam": lambda: keras.optimizers.Adam(0.05, 0.875, 0.984375),
    "adamw": lambda: keras.optimizers.AdamW(0.05, 0.02, 0.875, 0.984375),
}
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(50 * 8, 6)), RNG.normal(size=(50 * 8, 3))
W = [RNG.normal(size=(6, 10)), RNG.normal(size=(10, 3))]
ALWAYS = {"power": 0}  # operate at every step


def network(optimizer, **options):
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(10, "tanh", use_bias=False, name="first"),
            keras.layers.Dense(3, use_bias=False, name="second"),
        ]
    )
    model.set_weights(W)
    model.compile(optimizer, "mse", **{"jit_compile": False, **options})
    return model


def fit(model, surgery=None, steps=50, epochs=1):
    callbacks = [] if surgery is None else [surgery]
    return model.fit(X[: 8 * steps], Y[: 8 * steps], 8, epochs, 0, callbacks=callbacks, shuffle=False).history


def kernel(values):
    """Returns a model of one kernel of these weights, for optimisers that are called by hand."""
    values = np.asarray(values, "float64")
    model = keras.Sequential(
        [keras.Input(values.shape[:1]), keras.layers.Dense(values.shape[1], use_bias=False, name="layer")]
    )
    model.set_weights([values])
    return model


def apply(model, optimizer, *gradients):
    for gradient in gradients:
        gradient = np.broadcast_to(gradient, model.weights[0].shape)
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], model.trainable_variables)
    return np.asarray(model.weights[0])
