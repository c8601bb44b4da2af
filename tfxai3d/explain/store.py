"""Explanations of a whole data set, in a folder of shards that a killed run goes on with."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tfxai3d.errors import UserError
from tfxai3d.explain.explainer import Explainer
from tfxai3d.explain.streaming import stream
from tfxai3d.results.explanation import Explanation
from tfxai3d.storage.settings import RUN_FILE, read_run, run_folder, write_facts

_EARLIER = "store.json"  # what older stores have in the place of run.json


def write_store(
    explainer: Explainer,
    batches: Iterable[Any],
    folder: str | os.PathLike[str],
    settings: dict[str, Any] | None = None,
) -> Iterator[Path]:
    """Explains batch after batch, each into a file of its own: 00000.npz, 00001.npz, ...

    A file is there whole or not at all. A second run into the same folder passes over the batches whose files
    are there, so it must get the same batches.

    Args:
        explainer: Any explainer.
        batches: As for `stream`; a batch that is passed over is not looked at, so make them cheap.
        folder: Where the files go.
        settings: What the batches depend on, JSON-compatible; kept in run.json with method and options.

    Yields:
        The path of each batch's file, when it is there.

    Raises:
        UserError: If the folder holds a store of another method, or with other options or settings.
    """
    folder = Path(folder)
    made_by = {"method": explainer.method, "options": explainer.options()}
    with run_folder(folder, (settings or {}) | made_by, "[0-9]*.npz"):
        number = 0
        for number, batch in enumerate(batches, start=1):
            path = folder / f"{number - 1:05d}.npz"
            if not path.exists():
                for explanation in stream(explainer, [batch]):
                    explanation.save(path)
            yield path
        write_facts(folder, files=number)


def read_store(folder: str | os.PathLike[str]) -> Iterator[Explanation]:
    """Reads a store file by file.

    Args:
        folder: What `write_store` wrote to.

    Yields:
        The Explanation of each batch, in order.

    Raises:
        UserError: If there is no store, it is not finished, or a file is missing or damaged.
    """
    folder = Path(folder)
    for number in range(_count(folder)):
        yield Explanation.load(folder / f"{number:05d}.npz")


def _count(folder: Path) -> int:
    """Returns the number of files of a finished store."""
    try:
        older = (folder / _EARLIER).exists() and not (folder / RUN_FILE).exists()
        run = json.loads((folder / _EARLIER).read_text(encoding="utf-8")) if older else read_run(folder)
        count = run.get("files")
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise UserError(f"{folder}: no store of explanations (its run.json is missing or damaged)") from error
    if not isinstance(count, int):
        raise UserError(f"{folder}: this store is not finished; run the command that makes it again")
    return count
