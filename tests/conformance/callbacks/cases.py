"""The callbacks of the conformance suite, and the pruned network that each of them trains on."""

import keras
import numpy as np
import tensorflow as tf

from tfxai3d.pruning import DynamicNetworkSurgery, GradualTarget, KeepZeros, PruneAndRegrow

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(96, 6)), RNG.normal(size=(96, 3))
W = [RNG.normal(size=(6, 10)), RNG.normal(size=(10, 3))]
LEFT = [RNG.random(w.shape) < 0.4 for w in W]
LEFT[1][::4] = False  # nobody reads these channels


CALLBACKS = {
    "c_rate": lambda: DynamicNetworkSurgery(c_rate=-0.2, gamma=0.3, seed=5),
    "target": lambda: DynamicNetworkSurgery(target=0.3, frequency=1),
    "gradual": lambda: DynamicNetworkSurgery(target=GradualTarget(0.2, 10, 20, 3), importance="gradient"),
    "regrow": lambda: PruneAndRegrow(3, 0.4),
    "keep_zeros": KeepZeros,
    "channels": lambda: DynamicNetworkSurgery(target=0.5, frequency=1, structure="channel"),
    "channels by c_rate": lambda: DynamicNetworkSurgery(c_rate=0.3, power=0, structure="channel"),
    "channels regrow": lambda: PruneAndRegrow(3, 0.6, structure="channel"),
}


def network(optimizer="adam", weights=None, seed=0, units=10, **options):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(units, "tanh", use_bias=False, name="first"),
            keras.layers.Dense(3, use_bias=False, name="second"),
        ]
    )
    if units == 10:
        model.set_weights([w * m for w, m in zip(W, LEFT, strict=True)] if weights is None else weights)
    model.compile(optimizer, "mse", **{"jit_compile": False, **options})
    return model


def fit(model, callback, epochs=2):
    callbacks = [] if callback is None else [callback]
    return model.fit(X, Y, 8, epochs, 0, callbacks=callbacks, shuffle=False).history


def batches(epoch):
    order = np.random.default_rng(epoch).permutation(96)
    return tf.data.Dataset.from_tensor_slices((X[order], Y[order])).batch(8)


def steps(model, optimizer, number=4):
    """A training loop of one's own; goes to its caller after each step."""
    for start in range(0, 8 * number, 8):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(X[start : start + 8]) - Y[start : start + 8]) ** 2)
        gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
        optimizer.apply(gradients, model.trainable_variables)
        yield
