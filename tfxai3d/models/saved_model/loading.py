"""Loading a SavedModel, of this package or of anybody, with what the file says of it."""

import json
import math
from pathlib import Path
from typing import Any, get_args

import tensorflow as tf

from tfxai3d.errors import UserError, reason_of
from tfxai3d.models.saved_model.folder import FACTS
from tfxai3d.models.saved_model.trust import check_saved_model
from tfxai3d.results.explanation import DataKind
from tfxai3d.results.heads import HEADS, Head
from tfxai3d.storage import AnyPath


class SavedModel:
    """A SavedModel that is loaded; explainers and all else here take it as a model.

    Attributes:
        path: The folder.
        name: What errors call it.
        loaded: What TensorFlow loaded.
        facts: What `serve.export` wrote beside the graph; empty for SavedModels of others.
        data_kind: "points" or "voxels", if the file says it.
        class_names: Names of the classes, if the file says them.
        head: What it returns, if the file says it.
        truncation: Where the distance fields that it was trained on are cut off, if the file says it.
    """

    def __init__(self, path: Path, loaded: Any, facts: dict[str, Any]):
        names = facts.get("class_names")
        self.path, self.name, self.loaded, self.facts = path, f"SavedModel {path}", loaded, facts
        self.data_kind: DataKind | None = facts.get("data_kind")
        self.class_names: tuple[str, ...] | None = tuple(names) if names else None
        self.head: Head | None = facts.get("head")
        self.truncation: float | None = facts.get("truncation")

    @property
    def signature(self) -> Any:
        """The default signature, if there is one."""
        return getattr(self.loaded, "signatures", {}).get("serving_default")


def load_saved_model(path: AnyPath, trust: bool = False) -> SavedModel:
    """Loads a SavedModel.

    Nothing is unpickled and no Python code is read from it. Its graphs are run by TensorFlow, which does
    whatever they say; so they may hold mathematics, control flow and variables alone, see `operations`.

    Args:
        path: The folder.
        trust: Load it whatever it holds; for files of your own.

    Raises:
        UserError: If it is no SavedModel, is damaged, or holds an operation that is not known to be harmless.
    """
    path = Path(path)
    if not tf.saved_model.contains_saved_model(str(path)):
        raise UserError(f"{path}: no SavedModel; give a folder with a saved_model.pb")
    try:
        if not trust:
            check_saved_model(path)
        loaded = tf.saved_model.load(str(path))
        return SavedModel(path, loaded, _facts(path))
    except UserError:
        raise
    except Exception as error:  # TensorFlow raises nearly anything on damaged files
        reason = reason_of(error)
        raise UserError(f"{path}: not a readable SavedModel ({reason}); export it again") from error


def _facts(path: Path) -> dict[str, Any]:
    """Returns what `serve.export` wrote beside the graph, nothing for a SavedModel of others.

    Raises:
        ValueError: If it is damaged.
    """
    if not (path / FACTS).is_file():
        return {}
    facts: dict[str, Any] = json.loads((path / FACTS).read_text(encoding="utf-8"))
    names = facts["class_names"]
    if facts["data_kind"] not in get_args(DataKind) or facts.get("head") not in (None, *HEADS):
        raise ValueError(f"{FACTS} does not describe a model")
    if not all(isinstance(options, dict) for options in facts["methods"].values()):
        raise ValueError(f"{FACTS} does not describe the options of its methods")
    truncation = facts.get("truncation", 1.0)
    if not isinstance(truncation, int | float) or not 0 < truncation < math.inf:
        raise ValueError(f"{FACTS} holds a truncation that is no number above 0")
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise ValueError(f"{FACTS} holds class names that are no text")
    return facts
