"""The folder of a SavedModel: what is in it, and what it may be written over."""

import os
from pathlib import Path

from tfxai3d.errors import UserError
from tfxai3d.storage import AnyPath

FACTS = Path("assets.extra", "tfxai3d.json")
"""Where our SavedModels keep what a graph cannot hold; TensorFlow leaves `assets.extra` to such files."""

_GRAPHS = ("saved_model.pb", "saved_model.pbtxt")
_OWN = {*_GRAPHS, "fingerprint.pb", "keras_metadata.pb", "variables", "assets", "assets.extra"}


def check_replaceable(path: AnyPath) -> None:
    """Raises a UserError if anything but an empty folder or a SavedModel is where one shall be written."""
    path = Path(path)
    if not path.is_dir():
        if os.path.lexists(path):
            raise UserError(f"{path}: is a file; give a folder for the SavedModel")
        return
    names = {item.name for item in path.iterdir()}
    if names and not names.intersection(_GRAPHS):
        raise UserError(f"{path}: is a folder of other things; give one that is new, empty or a SavedModel")
    if foreign := sorted(names - _OWN):
        raise UserError(f"{path}: {foreign[0]!r} is beside the SavedModel and would be lost; move it away")
