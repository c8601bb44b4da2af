"""Initial weights, which are not drawn where others replace them at once."""

import contextlib
import contextvars
from collections.abc import Iterator

import keras

_REPLACED = contextvars.ContextVar("replaced", default=False)


@contextlib.contextmanager
def weights_follow() -> Iterator[None]:
    """Says that the networks built in its block get their weights next.

    An orthogonal kernel costs a QR decomposition; those of VRN were most of what loading its preset took.
    """
    token = _REPLACED.set(True)
    try:
        yield
    finally:
        _REPLACED.reset(token)


def orthogonal(gain: float = 2**0.5) -> keras.initializers.Initializer:
    """Returns the initializer of orthogonal kernels, or of zeros where `weights_follow`."""
    return keras.initializers.Zeros() if _REPLACED.get() else keras.initializers.Orthogonal(gain)
