"""Random numbers that depend on a seed alone, int (2,), and are the same on all of Keras's backends.

TensorFlow's own generator draws them within its graphs; elsewhere `philox` does, in NumPy.
"""

from collections.abc import Sequence
from typing import Any

import keras

from tfxai3d.data.augment import philox


def uniform(shape: Sequence[Any], seed: Any, low: float = 0.0, high: float = 1.0) -> Any:
    """Returns numbers evenly from `low` to below `high`, float32."""
    if not on_tensorflow():
        return philox.uniform(shape, seed, low, high)
    import tensorflow as tf

    return tf.random.stateless_uniform(shape, seed, low, high)


def integers(shape: Sequence[Any], seed: Any, low: int, high: int) -> Any:
    """Returns integers from `low` to below `high`, int32."""
    if not on_tensorflow():
        return philox.integers(shape, seed, low, high)
    import tensorflow as tf

    return tf.random.stateless_uniform(shape, seed, low, high, tf.int32)


def normal(shape: Sequence[Any], seed: Any) -> Any:
    """Returns standard normal numbers, float32."""
    if not on_tensorflow():
        return philox.normal(shape, seed)
    import tensorflow as tf

    return tf.random.stateless_normal(shape, seed)


def permutation(count: int, seed: Any) -> Any:
    """Returns 0 to `count` - 1 in a random order, int32."""
    if not on_tensorflow():
        return philox.permutation(count, seed)
    import tensorflow as tf

    return tf.random.experimental.stateless_shuffle(tf.range(count), seed)


def on_tensorflow() -> bool:
    """Returns whether Keras computes with TensorFlow."""
    return bool(keras.backend.backend() == "tensorflow")
