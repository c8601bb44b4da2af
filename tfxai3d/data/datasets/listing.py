"""Files with their classes and splits: a tree of folders, or a table."""

from __future__ import annotations

import csv
import functools
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from tfxai3d.data.readers.reading import is_readable
from tfxai3d.errors import UserError

SplitName = Literal["train", "val", "test"]

_SPLITS: dict[str, SplitName] = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
_NO_OBJECTS = {"readme", "license", "licence", "notes", "changelog", "classes", "labels", "index"}
_TEST_PART = 5  # every fifth example of a class, where no one says which are for testing


class Listed(NamedTuple):
    """A file of a labelled set."""

    path: Path
    class_name: str
    split: SplitName | None  # None: no one says


class Examples(NamedTuple):
    """The examples of a split: positions among those listed, their classes, and the classes' names."""

    numbers: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]


def list_tree(root: Path) -> list[Listed]:
    """Lists the files of `<class>/<split>/*`, `<split>/<class>/*` or `<class>/*` that `read` knows, by name.

    Hidden files, such as `._chair.off`, files such as README and empty classes are passed over, with one
    notice.
    """
    found, strange = [], []
    for path in sorted(path for path in root.glob("*/**/*") if path.is_file()):
        folders = path.relative_to(root).parts[:-1]
        if any(name.startswith(".") for name in folders) or len(folders) > 2:
            continue
        if path.name.startswith(".") or path.stem.lower() in _NO_OBJECTS or not is_readable(path):
            strange.append(path.name)
            continue
        splits = [_SPLITS.get(name.lower()) for name in folders]
        names = [name for name, split in zip(folders, splits, strict=True) if split is None]
        if len(names) == 1:
            found.append(Listed(path, names[0], next(filter(None, splits), None)))
    if any(one.split for one in found):
        strange += [one.path.name for one in found if not one.split]
        found = [one for one in found if one.split]
    passed = (
        [f"{len(strange)} file(s) that are no objects, such as {', '.join(strange[:3])}"] if strange else []
    )
    if empty := sorted(_class_folders(root) - {one.class_name for one in found}):
        passed.append(f"{len(empty)} empty folder(s), such as {', '.join(empty[:3])}")
    if found and passed:
        _say(f"{root}: passed over {' and '.join(passed)}")
    return found


def _class_folders(root: Path) -> set[str]:
    """Returns the names of the folders that stand where those of classes do."""
    first = [path for path in root.iterdir() if path.is_dir()]
    split = [path for path in first if path.name.lower() in _SPLITS]
    second = [path for folder in split for path in folder.iterdir() if path.is_dir()]
    return {
        path.name
        for path in [*first, *second]
        if path.name.lower() not in _SPLITS and path.name[0] not in "._"
    }


def list_table(path: Path) -> list[Listed]:
    """Lists the files that a CSV file names in the columns `path` and `label`, and `split` if it has one.

    Paths are relative to its folder. Columns are separated by commas, semicolons or tabs.

    Raises:
        UserError: If it is no such table, or names a file that is not there.
    """
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    mark = max(",;\t", key=text.split("\n")[0].count)
    try:
        table = list(csv.reader(text.splitlines(), delimiter=mark))
    except csv.Error as error:  # a cell of more than 131,072 letters
        raise UserError(f"{path}: not a table of paths and labels ({error})") from error
    rows = [[cell.strip() for cell in row] for row in table if row]
    title = [name.lower() for name in rows[0]] if rows else []
    if not {"path", "label"} <= set(title):
        raise UserError(f"{path}: has no columns `path` and `label`; name them in its first line")
    return [_row(path, dict(zip(title, row, strict=False)), number) for number, row in enumerate(rows[1:], 2)]


@functools.cache
def _say(notice: str) -> None:
    """Gives a notice, once for both splits."""
    logging.warning(notice)


def _row(table: Path, cells: dict[str, str], number: int) -> Listed:
    name, label = cells.get("path"), cells.get("label")
    if not name or not label:
        raise UserError(f"{table}: line {number} has no path or no label")
    file = table.parent / name
    if not file.is_file():
        raise UserError(f"{table}: line {number} names {name}, which is not there")
    split = cells.get("split", "").lower()
    if split and split not in _SPLITS:
        raise UserError(f"{table}: line {number} has the split {split!r}; give train, val or test")
    return Listed(file, label, _SPLITS.get(split))


def choose_split(
    source: Path, labels: Sequence[str], splits: Sequence[SplitName | None], split: SplitName
) -> Examples:
    """Returns the examples of a split; where none are given, every fifth of a class is for testing.

    Args:
        source: For errors and the notice.
        labels: The class of each example.
        splits: The split of each example.
        split: The one that is wanted.

    Raises:
        UserError: If it has none, or only some examples have a split.
    """
    names = sorted(set(labels), key=_by_number)
    known = set(splits)
    if known == {None}:
        if split != "val":
            _say(f"{source}: does not say what is for testing, so every fifth example of a class is")
        chosen = list(_divided(labels))
        splits = chosen
    elif None in known:
        raise UserError(f"{source}: says of some examples but not of all which split they are in")
    numbers = np.flatnonzero([one == split for one in splits])
    if not len(numbers):
        raise UserError(f"{source}: has no examples of the split {split}")
    return Examples(
        numbers, np.array([names.index(labels[number]) for number in numbers.tolist()]), tuple(names)
    )


def _divided(labels: Sequence[str]) -> Iterator[SplitName]:
    """Yields the split of each example: within a class the fifth, tenth and so on are for testing."""
    seen: dict[str, int] = {}
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        yield "test" if seen[label] % _TEST_PART == 0 else "train"


def _by_number(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdigit() else (1 << 62, name)
