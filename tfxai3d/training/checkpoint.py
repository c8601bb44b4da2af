"""The whole state of a training in one file, so that it can be killed at any moment."""

import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.storage.npz import open_npz, write_npz


def save_checkpoint(folder: Path, epoch: int, model: keras.Model, meta: dict[str, Any]) -> None:
    """Writes weights, optimiser and random state after `epoch` epochs; keeps the previous file as well.

    The model is compiled and its optimiser built; `meta` are JSON-compatible facts to give back on resume.
    """
    arrays = {f"{i:04d}": np.asarray(variable) for i, variable in enumerate(_state(model))}
    write_npz(folder / f"epoch-{epoch:04d}.npz", arrays, meta, compressed=False)
    remove_before(folder, epoch)


def remove_before(folder: Path, epoch: int) -> None:
    """Removes the checkpoints that are older than that of an epoch and the one before it."""
    for path in _files(folder):
        if _epoch(path) < epoch - 1:
            path.unlink()


def restore_checkpoint(folder: Path, model: keras.Model) -> tuple[int, dict[str, Any]] | None:
    """Loads the newest checkpoint into a compiled model; of a damaged one it warns and takes the one before.

    Returns:
        The number of finished epochs and the saved `meta`, or None if there is no checkpoint.

    Raises:
        UserError: If the checkpoint is of another model.
    """
    for path in _files(folder):
        try:
            with open_npz(path, "a checkpoint") as store:
                meta = store.meta
                values = [store[name] for name in sorted(set(store) - {"meta"})]
                if not isinstance(meta, dict) or any(value.dtype.kind not in "fiub" for value in values):
                    raise ValueError("it holds no state of a training")
        except UserError as error:
            logging.warning("%s: damaged, trying the checkpoint before it (%s)", path, error.__cause__)
            continue
        model.optimizer.build(model.trainable_variables)
        state = _state(model)
        if [value.shape for value in values] != [tuple(variable.shape) for variable in state]:
            raise UserError(f"{path}: is of another model or optimiser; give another folder")
        for variable, value in zip(state, values, strict=True):
            variable.assign(value)
        return _epoch(path), meta
    return None


def _state(model: keras.Model) -> list[Any]:
    """Weights, the random generators of dropout layers, and the optimiser's moments and step."""
    return [*model.trainable_variables, *model.non_trainable_variables, *model.optimizer.variables]


def _epoch(path: Path) -> int:
    return int(path.stem.split("-")[1])


def _files(folder: Path) -> list[Path]:
    """Returns the checkpoints, newest first."""
    return sorted(folder.glob("epoch-*.npz"), reverse=True)
