"""Trained models as folders: a config, weights, and the card that says what they can do."""

import json
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.models.classifier import Classifier
from tfxai3d.models.registry import get
from tfxai3d.storage.npz import open_npz, write_npz
from tfxai3d.storage.sparse_arrays import pack, unpack
from tfxai3d.storage.writing import write_json

_SHIPPED = Path(__file__).parent / "shipped"


def presets() -> list[str]:
    """Returns the names of the presets that come with the package."""
    return sorted(path.parent.name for path in _SHIPPED.glob("*/config.json"))


def from_preset(preset: str | os.PathLike[str]) -> keras.Model:
    """Loads a trained model.

    Args:
        preset: Name of a shipped preset (see `presets`) or a folder written by `save_preset`.

    Returns:
        The model; it maps inputs to logits.

    Raises:
        UserError: If there is no such preset or its files are damaged.
    """
    folder = _folder(preset)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        model = get(config["model"]).from_config(config["config"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{folder}: not a readable preset ({error})") from error
    with open_npz(folder / "weights.npz", f"the weights that {folder / 'config.json'} describes") as store:
        weights = [unpack(store, _key(variable), tuple(variable.shape)) for variable in model.weights]
    model.set_weights([value.astype(np.float32) for value in weights])
    return model


def model_card(preset: str | os.PathLike[str]) -> dict[str, Any]:
    """Returns the facts of a preset: data, split, points, epochs, seed, command, accuracy."""
    try:
        card: dict[str, Any] = json.loads((_folder(preset) / "card.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{preset}: the preset has no readable card.json") from error
    return card


def save_preset(model: Classifier, folder: str | os.PathLike[str], card: dict[str, Any]) -> None:
    """Writes a model as a preset: matrices as float16, vectors as float32, pruned ones without their zeros.

    Args:
        model: One of the package's networks, see `architectures`.
        folder: Where to; made if missing.
        card: The facts of the model, JSON-compatible.
    """
    config = {"model": type(model).__name__, "config": model.get_config()}
    arrays: dict[str, np.ndarray] = {}
    for variable in model.weights:
        arrays |= pack(_key(variable), _compact(np.asarray(variable)))
    write_npz(Path(folder) / "weights.npz", arrays)
    write_json(Path(folder) / "config.json", config)
    write_json(Path(folder) / "card.json", card)


def _compact(value: np.ndarray) -> np.ndarray:
    return value.astype(np.float16 if value.ndim > 1 else np.float32)


def _key(variable: keras.Variable) -> str:
    """Returns the variable's path without the model's own name, which differs from run to run."""
    return "/".join(variable.path.split("/")[-2:])


def _folder(preset: str | os.PathLike[str]) -> Path:
    for folder in (_SHIPPED / preset, Path(preset)):
        if (folder / "config.json").is_file():
            return folder
    raise UserError(f"no preset {str(preset)!r}: give a folder or one of {', '.join(presets())}")
