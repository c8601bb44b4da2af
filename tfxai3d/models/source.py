"""A trained model from wherever it is kept."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.models.classifier import Classifier
from tfxai3d.models.preset import from_preset
from tfxai3d.models.saved_model.loading import load_saved_model
from tfxai3d.storage import AnyPath

_MISSING = re.compile(r"(?:Could not locate \w+|Unknown \w+:) '([^']+)'|object of type `([^`]+)`\. If")
_CODE = re.compile(r"Python lambda|Lambda`|Lambda layer")


def load(source: AnyPath, custom_objects: Mapping[str, Any] | None = None, *, trust: bool = False) -> Any:
    """Loads a trained model.

    Args:
        source: Name of a shipped preset (see `presets`); a folder of `apps/train.py`, `apps/prune.py` or
            `save_preset`; a `.keras` or `.h5` file of any Keras model; or the folder of a SavedModel.
        custom_objects: Layers and functions of a Keras model that are not registered, by name.
        trust: Load a SavedModel whatever it holds, see `load_saved_model`. Code in the files of Keras, such
            as a Lambda layer's, is never run.

    Returns:
        A Keras model, or a `SavedModel`. Explainers and all else here take both.

    Raises:
        UserError: If there is none, its files are damaged or hold code, or a custom object is missing.
    """
    path = Path(source)
    if path.suffix in (".keras", ".h5", ".hdf5"):
        return _load_keras(path, dict(custom_objects or {}))
    if any((path / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt")):
        return load_saved_model(path, trust)
    preset = path / "preset"  # what apps/train.py and apps/prune.py make of the folder of a run
    return from_preset(preset if (preset / "config.json").is_file() else source)


def load_classifier(source: AnyPath) -> Classifier:
    """Loads one of the package's networks, which says what it takes and what its classes are called.

    Args:
        source: As for `load`.

    Raises:
        UserError: As `load`, and if the model is of another class.
    """
    model = load(source)
    if not isinstance(model, Classifier):
        raise UserError(
            f"{source}: a network of another kind; give a preset, or a .keras file of a Classifier"
        )
    return model


def _load_keras(path: Path, custom_objects: dict[str, Any]) -> keras.Model:
    if not path.is_file():
        raise UserError(f"{path}: no such file; check the path")
    try:
        # In safe mode code inside the file, such as a Lambda layer's, is refused.
        model = keras.saving.load_model(path, custom_objects, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises nearly anything on files it cannot read
        raise UserError(f"{path}: {_cause(str(error) or type(error).__name__)}") from error
    for variable in model.weights:
        if "float" in variable.dtype and not np.isfinite(np.asarray(variable, np.float32)).all():
            raise UserError(f"{path}: its weights {variable.path} hold numbers that are not finite")
    return model


def _cause(message: str) -> str:
    """Returns what a message of Keras comes to; it may print whole configurations before its cause."""
    if missing := _MISSING.search(message):
        name = missing[1] or missing[2]
        return (
            f"needs {name!r}, which is not known here: give custom_objects={{{name!r}: ...}}, or import the "
            f"module that registers it (keras.saving.register_keras_serializable) before loading"
        )
    if _CODE.search(message):
        return (
            "holds the code of a Lambda layer, which is not run, for it could do anything; replace it by a "
            "layer of a class of yours, or load the file yourself"
        )
    last = message.rpartition("Exception encountered: ")[2]
    reason = " ".join(re.split(r"Full object config|\n\nconfig=", last)[0].split())
    return f"not a file that Keras can read safely ({reason[:300]})"
