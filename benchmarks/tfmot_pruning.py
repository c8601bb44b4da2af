"""What benchmarks/pruning.py measures, done by tensorflow_model_optimization in an environment of its own.

Reads a job (NPZ) and prints one line of JSON; `network` is also what benchmarks/pruning.py trains.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np


def network(keras: Any, points: int, classes: int, width: int) -> Any:
    """Returns a PointNet of standard layers, `width` times as wide as a small one, for Keras 2 or 3."""
    layers = keras.layers
    x = inputs = keras.Input((points, 3))
    for filters in (64, 128, 256):
        x = layers.Conv1D(filters * width, 1, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.GlobalMaxPooling1D()(x)
    x = layers.Dense(128 * width, use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    return keras.Model(inputs, layers.Dense(classes)(x))


def compiled(keras: Any, model: Any, learning_rate: float) -> Any:
    """Compiles for integer labels, without XLA, which Keras 2 does not use by itself either."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(learning_rate), loss, metrics=["accuracy"], jit_compile=False)
    return model


def seconds_a_step(fits: dict[str, Callable[[], Any]], steps: int, rounds: int) -> dict[str, float]:
    """Lets the fits of one epoch take turns; returns median CPU seconds a step after a warm-up."""
    times: dict[str, list[float]] = {name: [] for name in fits}
    for number in range(rounds + 1):
        for name, fit in fits.items():
            start = time.process_time()  # of all threads, but of no other process
            fit()
            if number:
                times[name].append((time.process_time() - start) / steps)
    return {name: statistics.median(values) for name, values in times.items()}


def _main(path: str) -> None:
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import tensorflow_model_optimization as tfmot
    import tf_keras

    with np.load(path) as store:
        job = {name: store[name] for name in store.files}
    settings = json.loads(str(job["settings"]))
    weights = [job[f"w{i:02d}"] for i in range(settings["weights"])]
    x, y, batch = job["x"], job["y"], settings["batch_size"]
    steps = len(x) // batch

    def start() -> Any:
        model = network(tf_keras, x.shape[1], settings["classes"], settings["width"])
        model.set_weights(weights)
        return model

    def pruned(sparsity: float, model: Any) -> Any:
        schedule = tfmot.sparsity.keras.PolynomialDecay(
            0.0, sparsity, 0, settings["ramp"], frequency=settings["frequency"]
        )
        wrapped = tfmot.sparsity.keras.prune_low_magnitude(model, pruning_schedule=schedule)
        return compiled(tf_keras, wrapped, settings["learning_rate"])

    accuracies = {}
    for sparsity in settings["sparsities"]:
        tf_keras.utils.set_random_seed(0)
        model = pruned(sparsity, start())
        update = tfmot.sparsity.keras.UpdatePruningStep()
        model.fit(x, y, batch, settings["epochs"], 0, callbacks=[update], shuffle=False)
        stripped = tfmot.sparsity.keras.strip_pruning(model)
        kernels = [np.asarray(v) for v in stripped.trainable_weights if len(v.shape) > 1]
        left = sum(np.count_nonzero(k) for k in kernels) / sum(k.size for k in kernels)
        predicted = stripped.predict(job["x_test"], verbose=0).argmax(-1)
        accuracies[str(sparsity)] = [float(np.mean(predicted == job["y_test"])), left]
    plain, model = compiled(tf_keras, start(), 1e-4), pruned(0.9, start())
    update = tfmot.sparsity.keras.UpdatePruningStep()
    seconds = seconds_a_step(
        {
            "plain": lambda: plain.fit(x, y, batch, 1, 0, shuffle=False),
            "pruning": lambda: model.fit(x, y, batch, 1, 0, callbacks=[update], shuffle=False),
        },
        steps,
        settings["rounds"],
    )
    print(json.dumps({"accuracies": accuracies, "seconds": seconds, "refused": _refused(tfmot, tf_keras)}))


def _refused(tfmot: Any, tf_keras: Any) -> dict[str, str]:
    """Returns what tfmot says to models that it does not prune."""
    import keras

    class Own(tf_keras.layers.Layer):
        def build(self, shape: Any) -> None:
            self.kernel = self.add_weight(name="kernel", shape=(shape[-1], 4))

        def call(self, x: Any) -> Any:
            return x @ self.kernel

    def sequence(module: Any, shape: tuple[int, ...], layer: Any) -> Any:
        return module.Sequential([module.Input(shape), layer])

    models = {
        "Dense of Keras 2": sequence(tf_keras, (4,), tf_keras.layers.Dense(4)),
        "Conv3D of Keras 2": sequence(tf_keras, (4, 4, 4, 1), tf_keras.layers.Conv3D(2, 3)),
        "depthwise convolution of Keras 2": sequence(tf_keras, (4, 4, 2), tf_keras.layers.DepthwiseConv2D(2)),
        "custom layer of Keras 2": sequence(tf_keras, (4,), Own()),
        "Dense of Keras 3": sequence(keras, (4,), keras.layers.Dense(4)),
    }
    answers = {}
    for name, model in models.items():
        try:
            tfmot.sparsity.keras.prune_low_magnitude(model)
            answers[name] = "accepted"
        except (ValueError, TypeError, AttributeError, RuntimeError) as error:
            answers[name] = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
    return answers


if __name__ == "__main__":
    _main(sys.argv[1])
