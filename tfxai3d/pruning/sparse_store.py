"""Pruned models in compact NPZ files: one bit a weight, deflated, and the values of those that are left.

At 5 % of the weights left, float16 values and the bits take about 3 % of the float32 weights' bytes.
"""

from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.pruning.kernels import kernel_sparsity
from tfxai3d.storage import AnyPath, open_npz, write_npz
from tfxai3d.storage.sparse_arrays import pack, unpack_weights


def save_sparse(
    path: AnyPath, model: keras.Model, dtype: Literal["float16", "float32"] = "float32"
) -> dict[str, Any]:
    """Writes a model's weights compactly.

    Args:
        path: An NPZ file.
        model: A built model.
        dtype: Type of the stored matrices; vectors stay as they are. As float32, a float32 model comes back
            bit for bit, as float16 rounded.

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
    write_npz(path, arrays)
    counts = kernel_sparsity(model)
    del counts["layers"]
    dense_bytes = sum(np.asarray(variable).nbytes for variable in model.weights)
    sizes = {"bytes": Path(path).stat().st_size, "dense_bytes": dense_bytes}
    return counts | {"density": counts["left"] / counts["total"]} | sizes


def load_sparse(path: AnyPath, model: keras.Model) -> None:
    """Loads weights written by `save_sparse` into a model of the same architecture.

    Raises:
        UserError: If the file is damaged or of another model; the model is then as it was.
    """
    with open_npz(path, f"readable weights of model {model.name!r}") as store:
        values = [
            unpack_weights(store, f"{i:04d}", tuple(v.shape), v.dtype.startswith(("int", "uint", "bool")))
            for i, v in enumerate(model.weights)
        ]
        if len({name.split(".")[0] for name in store}) != len(values):
            raise ValueError("it holds more variables than the model has")
    model.set_weights(values)
