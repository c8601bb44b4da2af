"""Pruned models in compact files: one bit a weight and the values of those that are left.

In an NPZ file, deflated; nothing is pickled. At 5 % of the weights left, float16 values and the deflated bits
take about 3 % of the float32 weights' bytes.
"""

import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.pruning.report import kernel_sparsity
from tfxai3d.storage.limits import check_npz
from tfxai3d.storage.writing import atomic_path


def pack(name: str, value: np.ndarray) -> dict[str, np.ndarray]:
    """Returns an array as the arrays to store: itself, or `name.mask` and `name.values` if these are smaller.

    Args:
        name: Its name in the file.
        value: Any shape and numeric dtype.
    """
    kept = (value != 0) | np.signbit(value)  # a negative zero too, so that every bit comes back
    values, bits = value[kept], np.packbits(kept)
    if values.nbytes + bits.nbytes >= value.nbytes:
        return {name: value}
    return {f"{name}.mask": bits, f"{name}.values": values}


def unpack(store: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Returns the array that `pack` stored under a name.

    Raises:
        KeyError: If there is none.
        ValueError: If it is of another shape.
    """
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
    value = np.zeros(size, values.dtype)
    value[kept] = values
    return value.reshape(shape)


def save_sparse(
    path: str | os.PathLike[str], model: keras.Model, dtype: Literal["float16", "float32"] = "float32"
) -> dict[str, Any]:
    """Writes a model's weights compactly.

    Args:
        path: An NPZ file.
        model: A built model.
        dtype: Of stored matrices; vectors stay as they are. With float32, a float32 model comes back bit for
            bit, with float16 rounded.

    Returns:
        `total` and `left`, numbers of kernel weights; `density`, the fraction that is left; `bytes` of the
        file; `dense_bytes`, of all weights as they are.

    Raises:
        UserError: If a weight is too large for float16, or the path cannot be written.
    """
    arrays: dict[str, np.ndarray] = {}
    for i, variable in enumerate(model.weights):
        value = np.asarray(variable)
        with np.errstate(over="ignore"):  # an error below
            stored = value.astype(dtype) if value.ndim > 1 and dtype == "float16" else value
        if np.isfinite(value).all() and not np.isfinite(stored).all():
            raise UserError(f"{variable.path}: holds weights too large for float16; save as float32")
        arrays |= pack(f"{i:04d}", stored)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    report = kernel_sparsity(model)
    total, left = report["total"], report["left"]
    dense_bytes = sum(np.asarray(variable).nbytes for variable in model.weights)
    size = Path(path).stat().st_size
    return {"total": total, "left": left, "density": left / total, "bytes": size, "dense_bytes": dense_bytes}


def load_sparse(path: str | os.PathLike[str], model: keras.Model) -> None:
    """Loads weights written by `save_sparse` into a model of the same architecture.

    Raises:
        UserError: If the file is damaged or of another model; the model is then as it was.
    """
    try:
        check_npz(path)
        with np.load(path, allow_pickle=False) as store:
            arrays = {name: store[name] for name in store.files}
        values = [unpack(arrays, f"{i:04d}", tuple(v.shape)) for i, v in enumerate(model.weights)]
        if len({name.split(".")[0] for name in arrays}) != len(values):
            raise ValueError("it holds more variables than the model has")
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path}: not readable weights of model {model.name!r} ({error})") from error
    model.set_weights(values)
