"""Writing files so that nobody ever sees half of one."""

import contextlib
import csv
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfxai3d.errors import UserError


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary path beside `path` and moves it onto `path` when the block succeeds.

    The temporary name keeps the suffix of `path`, because many writers choose their format by it.
    A failing block leaves `path` as it was.

    Args:
        path: Where the file shall be in the end; missing parent folders are made.

    Raises:
        UserError: If the folder cannot be made or written to.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise UserError(f"{path.parent}: cannot write here ({error.strerror})") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes it private; the result should be ordinary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def file_name(text: str) -> str:
    """Returns a text, such as a label, as a file's or folder's own name on any system."""
    return re.sub(r'[\x00-\x1f/\\:*?"<>|]', "_", text).strip(" .")[:200] or "_"


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Writes JSON, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_csv(path: str | os.PathLike[str], records: Sequence[Mapping[str, Any]]) -> None:
    """Writes records as a CSV file, atomically; a record without some key has an empty cell there."""
    columns = dict.fromkeys(name for record in records for name in record)
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, fieldnames=list(columns))
        table.writeheader()
        table.writerows(records)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
