"""A trained model from wherever it is kept."""

import os
from pathlib import Path

import keras

from tfxai3d.errors import UserError
from tfxai3d.models.classifier import Classifier
from tfxai3d.models.preset import from_preset


def load(source: str | os.PathLike[str]) -> keras.Model:
    """Loads a trained model.

    Args:
        source: Name of a shipped preset (see `presets`), a folder of `save_preset`, or a `.keras` file
            of any model.

    Returns:
        The model.

    Raises:
        UserError: If there is none, its files are damaged, or a `.keras` file holds code.
    """
    path = Path(source)
    if path.suffix != ".keras":
        return from_preset(source)
    if not path.is_file():
        raise UserError(f"{path}: no such file; check the path")
    try:
        # In safe mode code inside the file, such as a Lambda layer's, is refused.
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises nearly anything on files it cannot read
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"{path}: not a .keras file that can be read safely ({reason})") from error


def load_classifier(source: str | os.PathLike[str]) -> Classifier:
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
