"""What units of a network look for, and its file.

Imports no TensorFlow: viewers read it in processes that must stay free of it.
"""

import dataclasses
import json
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.explain.explanation import DataKind
from tfxai3d.files import atomic_path
from tfxai3d.limits import check_npz

_ARRAYS = ("inputs", "importance", "activations", "channels")
_TEXTS = ("names", "method", "options", "kind")
# What reading a foreign, truncated or altered file raises.
_DAMAGES = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)


@dataclasses.dataclass(frozen=True)
class Visualization:
    """What excites each of U units.

    Attributes:
        inputs: float32 (U,N,3) points or (U,D,H,W,1) voxels from 0 to 1.
        importance: How much each point (U,N) or voxel (U,D,H,W) counts, float32; each method has its measure.
        activations: The highest activation of each unit that the method met, float32 (U,).
        channels: Numbers of the units in their layer, int (U,).
        names: Of the units.
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

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes everything to one compressed NPZ file, atomically."""
        meta = json.dumps({name: getattr(self, name) for name in _TEXTS})
        arrays = {name: np.asarray(getattr(self, name)) for name in _ARRAYS}
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, meta=np.array(meta), **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Visualization":
        """Reads a file written by `save`.

        Raises:
            UserError: If the file is missing or is no visualisation.
        """
        if not Path(path).is_file():
            raise UserError(f"{path}: no such file")
        try:
            check_npz(path)
            with np.load(path, allow_pickle=False) as store:
                meta = json.loads(str(store["meta"]))
                arrays = {name: store[name] for name in _ARRAYS}
            texts = {name: meta[name] for name in _TEXTS}
            return cls(**arrays, **texts | {"names": tuple(texts["names"])})
        except _DAMAGES as error:
            raise UserError(f"{path}: not a file written by Visualization.save") from error
