"""NPZ files of arrays and a JSON description of them; pickles are never read. Imports no TensorFlow."""

import contextlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.storage.limits import check_npz
from tfxai3d.storage.writing import atomic_path

# What reading a foreign, truncated or altered file raises.
_DAMAGES = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


def write_archive(path: str | os.PathLike[str], meta: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays and `meta`, JSON-compatible, to one compressed NPZ file, atomically."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, meta=np.array(json.dumps(meta)), **arrays)  # type: ignore[arg-type]


@contextlib.contextmanager
def open_archive(path: str | os.PathLike[str], what: str) -> Iterator[tuple[Any, Mapping[str, np.ndarray]]]:
    """Yields the description and the arrays of a file of `write_archive`.

    Args:
        path: The file.
        what: It should be, for the error, such as "an explanation file".

    Raises:
        UserError: If the file is missing, or the block finds that it is something else.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file")
    try:
        check_npz(path)
        with np.load(path, allow_pickle=False) as store:
            yield json.loads(str(store["meta"])), store
    except _DAMAGES as error:
        raise UserError(f"{path}: not {what}") from error
