"""The folder of a SavedModel: written whole or not at all, and never over anything else."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tfxai3d.errors import UserError

FACTS = Path("assets.extra", "tfxai3d.json")
"""Where our SavedModels keep what a graph cannot hold; TensorFlow leaves `assets.extra` to such files."""

_GRAPHS = ("saved_model.pb", "saved_model.pbtxt")
_OWN = {*_GRAPHS, "fingerprint.pb", "keras_metadata.pb", "variables", "assets", "assets.extra"}


def check_replaceable(path: str | os.PathLike[str]) -> None:
    """Checks that a SavedModel may be written here: nothing, an empty folder or a SavedModel is in the way.

    Raises:
        UserError: If anything else is.
    """
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


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary folder beside `path` and moves it to `path` when the block succeeds.

    A SavedModel that was there is removed afterwards; a failing block leaves it as it was.

    Args:
        path: Where the SavedModel shall be; missing parent folders are made.

    Raises:
        UserError: If something else is there, or the folder cannot be written.
    """
    path = Path(path).absolute()
    check_replaceable(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    except OSError as error:
        raise UserError(f"{path.parent}: cannot write here ({error.strerror})") from error
    new, old = temporary / "new", temporary / "old"
    try:
        new.mkdir()  # with the ordinary rights, which the private folder around it has not
        yield new
        if path.exists():
            path.rename(old)
        try:
            new.rename(path)
        except OSError:
            if old.exists():
                old.rename(path)
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
