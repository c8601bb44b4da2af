"""The precision that statistics, penalties and logits are computed in."""

import keras


def wide(dtype: str) -> str:
    """Returns `dtype`, or float32 for the narrower ones."""
    return keras.backend.result_type(dtype, "float32")
