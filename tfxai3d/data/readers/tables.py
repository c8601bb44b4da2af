"""Columns of numbers as text: XYZ, TXT, CSV, ASC, PTS and their relatives.

What separates the columns, and whether a comma is a decimal sign, is found out from the rows; where it cannot
be told, that is an error. Errors do not name the file: `reading.read` does.
"""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tfxai3d.data.geometry import PointCloud
from tfxai3d.data.readers.columns import column_name, column_names, coordinates
from tfxai3d.errors import UserError

XYZN = {3: ("nx", "ny", "nz")}
"""What so many columns after x y z mean in an XYZN file, which has no title; `XYZRGB` and `PTS` likewise."""

XYZRGB = {3: ("red", "green", "blue")}
PTS = {1: ("intensity",), **XYZRGB, 4: ("intensity", "red", "green", "blue")}

_COMMENT = re.compile(r"\s*(?:#|//|%)")
_NUMBER = re.compile(r"[+-]?(?:nan|inf|[\d.]+(?:e[+-]?\d+)?)", re.IGNORECASE)
_WITH_COMMA = re.compile(r"[+-]?\d*,\d+(?:e[+-]?\d+)?", re.IGNORECASE)
_AMBIGUOUS = (
    "has commas and blanks, either of which could separate columns; write decimal points, and use one of both"
)


class _Dialect(NamedTuple):
    """What separates columns, a mark or blanks (None), and whether a comma is the decimal sign."""

    separator: str | None
    decimal_comma: bool = False

    def plain(self, line: str) -> str:
        """Returns a line with decimal points and without a separator at its end."""
        if self.decimal_comma:
            line = re.sub(r",(?=\s|$)", "", line).replace(",", ".")
        return line.rstrip(f"{self.separator or ''} \t")

    def fields(self, line: str) -> list[str]:
        return [field.strip() for field in self.plain(line).split(self.separator)]


def read_table(raw: bytes, usual: Mapping[int, Sequence[str]] | None = None) -> PointCloud:
    """Reads columns of numbers, separated by blanks, commas or semicolons; # starts a comment.

    A title names the columns, in any order, also where it stands in a comment. Without one, x y z come first.
    A number of points that stands above them is compared with theirs, columns of text are passed over.

    Args:
        raw: The file.
        usual: Names of the columns after x y z where there is no title, by how many they are.

    Raises:
        UserError: If there are no points, or what separates their columns cannot be told.
    """
    comments, lines = _lines(raw)
    dialect = _dialect(lines)
    start = _first_row(lines, dialect)
    counts = [int(line) for line in lines if line.strip().isdigit()]  # in PTS, one above each scan
    rows = [dialect.plain(line) for line in lines[start:] if not line.strip().isdigit()]
    if counts and sum(counts) != len(rows):
        raise UserError(f"declares {sum(counts)} points but holds {len(rows)}; it is cut off, fetch it again")
    kept, width, table = _numbers(rows, dialect)
    names = _title(comments, lines[:start], dialect, width)
    if names is None:
        names, kept = column_names(len(kept), usual), list(range(len(kept)))
    by_name = {names[number]: column for number, column in zip(kept, table.T, strict=True)}
    return PointCloud(*coordinates(by_name))


def with_column(
    raw: bytes, values: np.ndarray, name: str, usual: Mapping[int, Sequence[str]] | None = None
) -> bytes:
    """Returns a table with a further column at the end of its rows and of its title, all else as it is.

    Where a format knows its columns by how many they are, a first line then names all of them in a comment.

    Args:
        raw: The file.
        values: A number for each point, float32 (N,).
        name: Of the column.
        usual: As for `read_table`.

    Raises:
        UserError: If the file would not be read again as what it was, with the column.
    """
    found = read_table(raw, usual)
    names = column_names(3 + len(found.columns), usual)
    encoding = "utf-8-sig" if raw[:3] == b"\xef\xbb\xbf" else _encoding(raw)
    longer = _longer(raw, raw.decode(encoding, "surrogateescape"), values, name)
    for text in (longer, f"# {' '.join([*names, name])}\n{longer}"):
        new = text.encode(encoding, "surrogateescape")
        again = read_table(new, usual)
        *rest, last = again.columns.values()
        same = np.array_equal(again.points, found.points) and np.array_equal(last.astype(np.float32), values)
        pairs = zip(found.columns.items(), zip(again.columns, rest, strict=False), strict=False)
        if same and all(a == b and np.array_equal(u, v, equal_nan=True) for (a, u), (b, v) in pairs):
            return new
    raise UserError("cannot be given a further column; save it as CSV with a title that names x, y and z")


def _longer(raw: bytes, text: str, values: np.ndarray, name: str) -> str:
    """Returns the text of a table with a number behind each row, and the name behind the title."""
    _, lines = _lines(raw)
    dialect = _dialect(lines)
    first = _first_row(lines, dialect)
    width = len(dialect.fields(lines[-1]))
    numbers = iter(values.astype(str).tolist())
    longer, seen, title = text.splitlines(keepends=True), 0, None
    for place, line in enumerate(longer):
        comment = _COMMENT.match(line)
        content = line.split("#")[0].rstrip()
        if comment or not content:
            if seen == 0 and comment and _named(line[comment.end() :].rstrip(), dialect, width, True):
                title = place
            continue
        if seen < first:
            title = place if _named(content.replace('"', ""), dialect, width, False) else title
        elif not content.strip().isdigit():
            number = next(numbers)
            number = number.replace(".", ",") if dialect.decimal_comma else number
            longer[place] = _appended(line, content, dialect.separator or " ", number)
        seen += 1
    if title is not None:
        line = longer[title]
        content = line.rstrip() if _COMMENT.match(line) else line.split("#")[0].rstrip()
        mark = next((mark for mark in (dialect.separator, ",", ";") if mark and mark in content), " ")
        longer[title] = _appended(line, content, mark, name)
    return "".join(longer)


def _appended(line: str, content: str, mark: str, value: str) -> str:
    """Returns a line with a value behind its content, and a mark between them if there is none."""
    return content + ("" if content.endswith(mark) else mark) + value + line[len(content) :]


def _encoding(raw: bytes) -> str:
    return "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"


def _lines(raw: bytes) -> tuple[list[str], list[str]]:
    """Returns the comments above the first line, and the lines that are neither empty nor comments."""
    text = raw.decode(_encoding(raw), "replace").removeprefix("\ufeff")
    text = re.sub(r'"([+-]?\d*),(\d+)"', r"\1.\2", text).replace(
        '"', ""
    )  # a quoted number's comma is its point
    if "\0" in text:
        raise UserError("holds binary data; give a text file with x y z in each line")
    comments: list[str] = []
    lines: list[str] = []
    for line in text.splitlines():
        if mark := _COMMENT.match(line):
            if not lines:
                comments.append(line[mark.end() :])
        elif line := line.split("#")[0].rstrip():
            lines.append(line)
    if all(line.strip().isdigit() for line in lines):
        raise UserError("has no points; give a file with x y z in each line")
    if lines[0].lower().startswith("ncols"):
        raise UserError("is an ESRI raster, which is not supported; export it as points, x y z in each line")
    return comments, lines


def _dialect(lines: Sequence[str]) -> _Dialect:
    """Finds out what separates the columns.

    Raises:
        UserError: If it cannot be told.
    """
    rows = lines[min(20, len(lines) // 2) :]  # without what stands above them
    commas = any("," in row for row in rows)
    if any(";" in row for row in rows):
        if commas and any(re.search(r"\d\.\d*,\d|\d,\d*\.\d", row) for row in rows):
            raise UserError("has numbers with a comma and a point; write them with a decimal point alone")
        return _Dialect(";", commas)
    if not commas:
        return _Dialect(None)
    points = any(re.search(r"\.\d", row) for row in rows)
    inner = [word.strip(",") for row in rows for word in row.split() if "," in word.strip(",")]
    blanks = all(len(row.split()) > 1 for row in rows)
    if blanks and inner and not points and all(map(_WITH_COMMA.fullmatch, inner)):
        return _Dialect(None, decimal_comma=True)
    if any(_several(field) for row in rows for field in row.split(",")):
        raise UserError(_AMBIGUOUS)
    if not points and any(map(_looks_halved, rows)):
        raise UserError(
            "has numbers that seem to be written with a decimal comma, and commas between them; write "
            "decimal points, or separate the columns by semicolons"
        )
    return _Dialect(",")


def _several(field: str) -> bool:
    """Whether a field holds several numbers."""
    return len(field.split()) > 1 and all(_numeric(field.split()))


def _looks_halved(row: str) -> bool:
    """Whether every second number can be the decimals of the one before, and one can be nothing else."""
    fields = row.strip(" \t,").split(",")
    decimals = fields[1::2]
    leading_zero = any(len(field) > 1 and field[0] == "0" for field in decimals)
    return len(fields) % 2 == 0 and leading_zero and all(field.isdigit() for field in decimals)


def _first_row(lines: Sequence[str], dialect: _Dialect) -> int:
    """Returns the number of the first line that has numbers where the last one has them.

    Raises:
        UserError: If a line above it has the look of a row as well.
    """
    last = _numeric(dialect.fields(lines[-1]))
    for number, line in enumerate(lines):
        found = _numeric(dialect.fields(line))
        if found == last:
            return number
        if len(found) == len(last) and 2 * sum(found) > len(found):
            raise UserError(f"line {line.strip()!r} has a word where other rows have numbers")
        if sum(found) > max(2, len(found) // 2):
            raise UserError(
                f"has rows of {len(found)} and of {len(last)} columns; it is cut off, fetch it again"
            )
    return len(lines)


def _numeric(fields: Iterable[str]) -> list[bool]:
    """Returns which of the fields are numbers, or empty: numbers that are not known."""
    return [not field or bool(_NUMBER.fullmatch(field)) for field in fields]


def _numbers(rows: list[str], dialect: _Dialect) -> tuple[list[int], int, np.ndarray]:
    """Returns which columns hold numbers, how many columns there are, and the numbers (N,K)."""
    fields = dialect.fields(rows[-1])
    kept = [number for number, is_number in enumerate(_numeric(fields)) if is_number]
    if dialect.separator:
        gap = re.compile(rf"(?:^|(?<={dialect.separator}))\s*(?={dialect.separator})")
        rows = [gap.sub("nan", row) for row in rows]
    if len(kept) == len(fields):
        return kept, len(fields), np.loadtxt(rows, delimiter=dialect.separator, ndmin=2, comments=None)
    text = [field for number, field in enumerate(fields) if number not in kept]
    if any(map(_several, text)):
        raise UserError(_AMBIGUOUS)
    if not kept or len({len(row.split(dialect.separator)) for row in rows}) > 1:
        raise UserError("has no rows of equally many numbers; give a file with x y z in each line")
    logging.warning("passed over %d of %d columns, which hold text", len(text), len(fields))
    table = np.loadtxt(rows, delimiter=dialect.separator, ndmin=2, comments=None, usecols=kept)
    return kept, len(fields), table


def _title(comments: Sequence[str], above: Sequence[str], dialect: _Dialect, width: int) -> list[str] | None:
    """Returns the names of the columns, those of the last line above the rows that names x, y and z.

    Raises:
        UserError: If another line names as many columns as there are, or a title names more or less.
    """
    for line in [*reversed(above), *reversed(comments)]:
        if names := _named(line, dialect, width, line in comments):
            return names
    return None


def _named(line: str, dialect: _Dialect, width: int, is_comment: bool) -> list[str] | None:
    """Returns the names of the columns if a line says them."""
    line = re.sub(r"\[.*?\]|\(.*?\)", "", line)  # units
    names = dialect.fields(line)
    names = names if len(names) == width else re.split(r"[,;\s]+", line.strip(" \t,;"))
    names = names[-width:] if is_comment else names  # "Fields: x y z"
    if {"x", "y", "z"} <= set(map(column_name, names)):
        if len(names) == width:
            return names
        raise UserError(f"names {len(names)} columns and has {width}; name each of them")
    if len(names) == width > 3 and not is_comment:
        raise UserError(f"names its columns {' '.join(names)}; call three of them x, y and z")
    return None
