"""The kernels of 3D convolutions, found by the name of their layer, in one model or in several."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfxai3d import models, pruning
from tfxai3d.errors import UserError, reason_of
from tfxai3d.storage import AnyPath, unique_name, write_npz


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
        if len(getattr(getattr(part, "kernel", None), "shape", ())) == 5:
            found.setdefault(part.name, part.kernel)
    if not found:
        raise UserError(f"model {model.name!r} has no 3D convolution, whose filters could be shown")
    name = layer or next(iter(found))
    if name not in found:
        raise UserError(
            f"model {model.name!r} has no 3D convolution called {name!r}; it has {', '.join(found)}"
        )
    return name, np.asarray(found[name], np.float32)


@dataclasses.dataclass(frozen=True)
class Kernels:
    """The kernels of one 3D convolution in several models."""

    layer: str  # its name
    by_model: dict[str, np.ndarray]  # the kernels (kd,kh,kw,C,K), float32, by unique names of the models

    def records(self) -> list[dict[str, Any]]:
        """Returns the number of weights of each model, and how many are left, which are those not 0."""
        sizes = {name: (kernel.size, int(np.count_nonzero(kernel))) for name, kernel in self.by_model.items()}
        return [
            {"model": name, "layer": self.layer, "weights": size, "left": left}
            for name, (size, left) in sizes.items()
        ]

    def save(self, path: AnyPath) -> None:
        """Writes `names` (M,) and `kernels` (M,kd,kh,kw,C,K) to a compressed NPZ file, atomically."""
        names, kernels = np.array(list(self.by_model)), np.stack(list(self.by_model.values()))
        write_npz(path, {"names": names, "kernels": kernels})


def compare_kernels(
    sources: Sequence[AnyPath], layer: str | None = None, density: float | None = None
) -> Kernels:
    """Loads the kernel of one 3D convolution from several models.

    Args:
        sources: The first is a preset; the others are presets as well, or weights of the same network: .npz
            of `pruning.save_sparse` or .weights.h5.
        layer: Name of the layer; by default the first 3D convolution of the first model.
        density: Adds the first model with all but this fraction of its weights cut at once, as the second.

    Raises:
        UserError: If a source cannot be read, or a model has no such layer.
    """
    kernels: dict[str, np.ndarray] = {}

    def add(name: str, model: keras.Model) -> None:
        nonlocal layer
        layer, kernel = convolution_kernel(model, layer)
        kernels[unique_name(name, kernels)] = kernel

    for number, source in enumerate(sources):
        name = Path(source).name.removesuffix(".h5").removesuffix(".weights")
        add(name, _with_weights(source, sources[0]) if number else models.load(source))
        if number == 0 and density:
            pruned = models.load(source)
            pruning.prune_magnitude(pruned, density)
            add(f"pruned to {density:.3g}, not tuned", pruned)
    return Kernels(str(layer), kernels)


def _with_weights(source: AnyPath, preset: AnyPath) -> keras.Model:
    """Returns the model of a preset; of a file, the model of `preset` with the file's weights."""
    path = Path(source)
    if path.suffix not in (".npz", ".h5"):
        return models.load(source)
    if not path.is_file():
        raise UserError(f"{source}: no such file")
    model = models.load(preset)
    if path.suffix == ".npz":
        pruning.load_sparse(path, model)
        return model
    try:
        model.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        reason = reason_of(error)
        raise UserError(f"{source}: no weights of {preset} ({reason})") from error
    return model
