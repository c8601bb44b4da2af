"""Blocks of a test that compute in another dtype than float32."""

import contextlib

import keras


@contextlib.contextmanager
def precision(dtype="float64"):
    """Makes what is built in the block compute in a dtype or policy, with the same weights in every run."""
    keras.utils.set_random_seed(1)
    keras.config.set_floatx("float64" if dtype == "float64" else "float32")
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
