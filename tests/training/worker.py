"""Trains a small network for two epochs in float64, alone or as one of several; see test_distribution.py.

python -m tests.training.worker mirrored|multi_worker folder
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf


def train(strategy, folder):
    import keras

    from tfxai3d.training import compile_classifier, fit_resumable

    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    random = np.random.default_rng(0)
    points = random.normal(size=(32, 6, 3))
    labels = np.eye(3)[random.integers(0, 3, 32)]

    def batches(epoch):
        order = np.random.default_rng(epoch).permutation(len(points))
        return tf.data.Dataset.from_tensor_slices((points[order], labels[order])).batch(
            8, drop_remainder=True
        )

    for epochs in (1, 2):  # the second network goes on where the first has stopped
        keras.utils.set_random_seed(epochs)
        with strategy.scope():
            inputs = keras.Input((6, 3))
            rows = keras.layers.Dense(8, "tanh")(inputs)
            model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling1D()(rows)))
            compile_classifier(model, steps=8, warmup_steps=2, learning_rate=0.05)
        fit_resumable(model, batches, epochs, folder)


if __name__ == "__main__":
    if sys.argv[1] == "mirrored":
        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        chosen = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    else:
        chosen = tf.distribute.MultiWorkerMirroredStrategy()
    assert chosen.num_replicas_in_sync == 2
    train(chosen, Path(sys.argv[2]))
