"""The kernels of 3D convolutions, found by the name of their layer."""

from typing import Any

import keras
import numpy as np

from tfxai3d.errors import UserError


def convolution_kernel(model: keras.Model, layer: str | None = None) -> tuple[str, np.ndarray]:
    """Returns the kernel of a 3D convolution.

    Args:
        model: A built model.
        layer: Name of the layer, also one inside of nested models; by default the first 3D convolution.

    Returns:
        The layer's name and its kernel (kd,kh,kw,C,K), float32.

    Raises:
        UserError: If the model has no such layer; the message names those it has.
    """
    found: dict[str, Any] = {}
    for part in model._flatten_layers(include_self=False):
        kernel = getattr(part, "kernel", None)
        if kernel is not None and len(kernel.shape) == 5:
            found.setdefault(part.name, kernel)
    if not found:
        raise UserError(f"model {model.name!r} has no 3D convolution, whose filters could be shown")
    name = layer or next(iter(found))
    if name not in found:
        raise UserError(
            f"model {model.name!r} has no 3D convolution called {name!r}; it has {', '.join(found)}"
        )
    return name, np.asarray(found[name], np.float32)
