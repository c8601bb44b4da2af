"""Arrays with many zeros: one bit a number, and the numbers that are not zero."""

from collections.abc import Mapping

import numpy as np


def pack(name: str, value: np.ndarray) -> dict[str, np.ndarray]:
    """Returns what to store of a numeric array: itself, or `name.mask` and `name.values` if smaller."""
    kept = (value != 0) | np.signbit(value)  # a negative zero too, so that every bit comes back
    values, bits = value[kept], np.packbits(kept)
    if values.nbytes + bits.nbytes >= value.nbytes:
        return {name: value}
    return {f"{name}.mask": bits, f"{name}.values": values}


def unpack(store: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Returns the array that `pack` stored under a name; another shape or damage is a ValueError."""
    if f"{name}.mask" not in store:
        value = store[name]
        if value.shape != tuple(shape):
            raise ValueError(f"{name} is of shape {value.shape}, not {tuple(shape)}")
        return value
    bits, values = store[f"{name}.mask"], store[f"{name}.values"]
    size = int(np.prod(shape))
    if bits.size != -(-size // 8):
        raise ValueError(f"{name} is not of shape {tuple(shape)}")
    kept = np.unpackbits(bits, count=size).astype(bool)
    if values.shape != (kept.sum(),):
        raise ValueError(f"{name} has {values.size} values for {kept.sum()} places")
    value = np.zeros(size, values.dtype)
    value[kept] = values
    return value.reshape(shape)


def unpack_weights(
    store: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...], integer: bool = False
) -> np.ndarray:
    """Returns weights that `pack` stored under a name, as they were stored.

    Args:
        store: The stored arrays.
        name: The name.
        shape: Their shape.
        integer: Whether they are whole numbers, or truths.

    Raises:
        ValueError: If they are of another shape or type, not finite as float32, or the store is damaged.
    """
    stored = unpack(store, name, shape)
    if stored.dtype.kind not in ("iub" if integer else "f"):
        raise ValueError(
            f"{name} holds {stored.dtype}, no {'whole' if integer else 'floating-point'} numbers"
        )
    with np.errstate(over="ignore"):
        if not np.isfinite(stored.astype(np.float32)).all():
            raise ValueError(f"{name} holds numbers that are not finite")
    return stored
