"""What units of a network look for, and its file, which viewers read in processes without TensorFlow."""

import dataclasses
from typing import Any, get_args

import numpy as np

from tfxai3d.results.checks import check_array, check_text, check_texts
from tfxai3d.results.explanation import DataKind
from tfxai3d.storage import AnyPath, open_npz, write_npz

_ARRAYS = ("inputs", "importance", "activations", "channels")
_TEXTS = ("names", "method", "options", "kind")


@dataclasses.dataclass(frozen=True)
class Visualization:
    """What excites each of U units.

    Attributes:
        inputs: float32 (U,N,3) points or (U,D,H,W,1) voxels from 0 to 1.
        importance: How much each point (U,N) or voxel (U,D,H,W) counts, float32; each method has its measure.
        activations: The highest activation of each unit that the method met, float32 (U,).
        channels: Numbers of the units in their layer, int (U,).
        names: Names of the units.
        method: "activation_maximization", "mean_surface" or "patterns".
        options: The method's options, JSON-compatible.
        kind: "points" or "voxels".
    """

    inputs: np.ndarray
    importance: np.ndarray
    activations: np.ndarray
    channels: np.ndarray
    names: tuple[str, ...]
    method: str
    options: dict[str, Any]
    kind: DataKind

    def __len__(self) -> int:
        return len(self.inputs)

    def records(self) -> list[dict[str, Any]]:
        """Returns the name and the activation of each unit, and of each option that has one value a unit."""
        lists = {name: value for name, value in self.options.items() if isinstance(value, list)}
        units = zip(self.names, self.activations.tolist(), *lists.values(), strict=True)
        return [dict(zip(("unit", "activation", *lists), values, strict=True)) for values in units]

    def save(self, path: AnyPath) -> None:
        """Writes everything to one compressed NPZ file, atomically."""
        meta = {name: getattr(self, name) for name in _TEXTS}
        arrays = {name: np.asarray(getattr(self, name)) for name in _ARRAYS}
        write_npz(path, arrays, meta)

    @classmethod
    def load(cls, path: AnyPath) -> "Visualization":
        """Reads a file written by `save`.

        Raises:
            UserError: If the file is missing or is no visualisation.
        """
        with open_npz(path, "a file written by Visualization.save") as store:
            meta = store.meta
            arrays: dict[str, Any] = {name: store[name] for name in _ARRAYS}
            texts = {name: meta[name] for name in _TEXTS}
            _check(texts, **arrays)
            return cls(**arrays, **texts | {"names": tuple(texts["names"])})


def _check(
    texts: dict[str, Any],
    inputs: np.ndarray,
    importance: np.ndarray,
    activations: np.ndarray,
    channels: np.ndarray,
) -> None:
    """Raises a ValueError if what a file holds does not belong together."""
    check_array("inputs", inputs, "f", [None] * (3 if texts["kind"] == "points" else 5))
    check_array("importance", importance, "f", inputs.shape[:-1])
    check_array("activations", activations, "f", inputs.shape[:1])
    check_array("channels", channels, "iu", inputs.shape[:1])
    check_texts("names", texts["names"], len(inputs))
    check_text("method", texts["method"])
    if texts["kind"] not in get_args(DataKind) or not isinstance(texts["options"], dict):
        raise ValueError(f"its kind is {texts['kind']!r}, its options {type(texts['options']).__name__}")
