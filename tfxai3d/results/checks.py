"""What the arrays and texts of a file must be: a file of results may come from anybody, or be damaged.

Errors do not name the file: its reader does.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np


def check_array(name: str, array: np.ndarray, kinds: str, shape: Iterable[int | None]) -> None:
    """Raises a ValueError for an array of another type or shape, and for numbers that are not finite.

    Args:
        name: What the error calls it.
        array: The array.
        kinds: Letters of NumPy's kinds of types, such as "f" or "iu".
        shape: The sizes of its axes, None for any.
    """
    shape = tuple(shape)
    fits = len(shape) == array.ndim and all(
        wanted in (None, size) for wanted, size in zip(shape, array.shape, strict=True)
    )
    if array.dtype.kind not in kinds or not fits:
        raise ValueError(f"its {name} is {array.dtype}{array.shape}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"its {name} holds numbers that are not finite")


def check_labels(name: str, labels: np.ndarray, count: int, classes: int) -> None:
    """Raises a ValueError unless there is one class number for each example, (B,)."""
    check_array(name, labels, "iu", (count,))
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"its {name} is none of {classes} classes")


def check_text(name: str, value: Any) -> None:
    """Raises a ValueError for what is no text."""
    if not isinstance(value, str):
        raise ValueError(f"its {name} is no text")


def check_texts(name: str, values: Any, count: int | None = None) -> None:
    """Raises a ValueError for what is no list of texts, or not of so many."""
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"its {name} are no list of texts")
    if count is not None and len(values) != count:
        raise ValueError(f"its {name} are {len(values)} and not {count}")
