"""Trained models as folders: a config, weights, and the card that says what they can do."""

import json
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfxai3d.errors import UserError, reason_of
from tfxai3d.models.classifier import Classifier
from tfxai3d.models.layers.initial import weights_follow
from tfxai3d.models.registry import SHIPPED, architectures, get, presets
from tfxai3d.storage.npz import open_npz, write_npz
from tfxai3d.storage.sparse_arrays import pack, unpack_weights
from tfxai3d.storage.writing import write_json

_MAX_CLASSES = 1_000_000


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
        _check_classes(**config["config"])
        with weights_follow():
            model = get(config["model"]).from_config(config["config"])
    except Exception as error:  # Keras raises nearly anything for a configuration that makes no sense
        reason = reason_of(error, 160)
        raise UserError(f"{folder}: not a readable preset ({reason})") from error
    with open_npz(folder / "weights.npz", f"the weights that {folder / 'config.json'} describes") as store:
        weights = [unpack_weights(store, _key(variable), tuple(variable.shape)) for variable in model.weights]
    model.set_weights(weights)
    return model


def _check_classes(num_classes: Any, class_names: Any = None, **others: Any) -> None:
    """Raises a ValueError for classes that no network has, or names that are not theirs."""
    if not isinstance(num_classes, int) or not 1 <= num_classes <= _MAX_CLASSES:
        raise ValueError(f"num_classes must be a number from 1 to {_MAX_CLASSES:,}, it is {num_classes!r}")
    if class_names is None:
        return
    if not isinstance(class_names, list) or not all(isinstance(name, str) for name in class_names):
        raise ValueError("class_names must be a list of texts")
    if len(class_names) != num_classes:
        raise ValueError(f"class_names names {len(class_names)} of {num_classes} classes")


def model_card(preset: str | os.PathLike[str]) -> dict[str, Any]:
    """Returns the facts of a preset: data, split, points, epochs, seed, command, accuracy."""
    try:
        card: dict[str, Any] = json.loads((_folder(preset) / "card.json").read_text(encoding="utf-8"))
        if not isinstance(card, dict):
            raise TypeError
    except UserError:
        raise
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{preset}: the preset has no readable card.json") from error
    return card


def save_preset(model: Classifier, folder: str | os.PathLike[str], card: dict[str, Any]) -> None:
    """Writes a model as a preset: matrices as float16, vectors as float32, pruned ones without their zeros.

    Args:
        model: One of the package's networks, see `architectures`.
        folder: Where to; made if missing.
        card: The facts of the model, JSON-compatible.

    Raises:
        UserError: If the model is another one.
    """
    if not isinstance(model, Classifier) or type(model).__name__.lower() not in architectures():
        raise UserError(
            f"model {model.name!r} is none of {', '.join(architectures())}, which presets are of; save it by "
            "model.save('name.keras')"
        )
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
    for folder in (SHIPPED / preset, Path(preset)):
        if os.path.isfile(folder / "config.json"):  # no error for a name that is too long
            return folder
    raise UserError(f"no preset {str(preset)!r}: give a folder or one of {', '.join(presets())}")
