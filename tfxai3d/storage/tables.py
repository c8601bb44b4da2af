"""Tables as CSV files and as Markdown."""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfxai3d.storage.writing import AnyPath, atomic_path


def write_csv(path: AnyPath, records: Sequence[Mapping[str, Any]]) -> None:
    """Writes records as a CSV file, atomically; a record without some key has an empty cell there.

    A text that a spreadsheet would take for a formula, such as a class called "=1+1", begins with a quote.
    """
    columns = dict.fromkeys(name for record in records for name in record)
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, fieldnames=list(columns))
        table.writerow({name: _cell(name) for name in columns})
        table.writerows({name: _cell(value) for name, value in record.items()} for record in records)


def _cell(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return value
    if re.fullmatch(r"[+-][a-z]+", value):  # a word, such as the mode "+average", computes nothing
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Returns a table in Markdown, the titles of its columns first, without an end of line after the last."""
    first, *rest = (f"| {' | '.join(map(str, cells))} |" for cells in (head, *rows))
    return "\n".join([first, "|" + "---|" * len(head), *rest])
