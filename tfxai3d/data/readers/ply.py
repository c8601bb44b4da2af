"""PLY, ASCII and binary.

Not by trimesh: 5.2 reads all faces by the number of corners of the first one, wants names in lower case, and
fails on lists in other elements. Errors do not name the file: `reading.read` does.
"""

import itertools
import re
from typing import NamedTuple

import numpy as np

from tfxai3d.data.geometry import Mesh, PointCloud
from tfxai3d.data.readers.columns import coordinates
from tfxai3d.data.readers.polygons import CUT_OFF, decimal_points, fans, mixed_fans
from tfxai3d.errors import UserError
from tfxai3d.storage.limits import check_size

_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4",
    "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4",
    "int64": "i8", "uint64": "u8", "float32": "f4", "float64": "f8",
}  # fmt: skip
_FORMATS = {"ascii": "<", "binary_little_endian": "<", "binary_big_endian": ">"}
_CORNERS = ("vertex_indices", "vertex_index")

Column = np.ndarray | list[np.ndarray]


class _Property(NamedTuple):
    """A property: its name, its type, and for a list the type of its length; types as of NumPy."""

    name: str
    type: str
    length: str | None = None


class _Element(NamedTuple):
    """An element: its name, how many rows it has, and their properties."""

    name: str
    rows: int
    properties: list[_Property]


def read_ply(raw: bytes) -> Mesh | PointCloud:
    """Reads a PLY file; polygons of any numbers of corners become triangles, other lists are passed over."""
    _, form, elements, body = _parts(raw)
    if form == "ascii":  # read as if it were binary, each number a double
        body = (
            np.array(decimal_points(body.decode("latin-1")).split(), dtype=np.float64).astype("<f8").tobytes()
        )
        elements = [_doubles(element) for element in elements]
    values: dict[str, dict[str, Column]] = {}
    place = 0
    for element in elements:
        values[element.name], place = _read(element, body, place, _FORMATS[form])
    if body[place:].strip(b"\0\r\n\t "):
        raise UserError(f"holds {len(body) - place:,} bytes more than its header declares; {CUT_OFF}")
    return _geometry(values)


def with_column(raw: bytes, values: np.ndarray, name: str) -> bytes:
    """Returns a PLY file with a further property of its vertices, all else as it is.

    Args:
        raw: The file.
        values: A number for each vertex, float32 (N,).
        name: Of the property.

    Raises:
        UserError: If the vertices have such a property, or are not where they are looked for.
    """
    header, form, elements, body = _parts(raw)
    number = next(number for number, element in enumerate(elements) if element.name == "vertex")
    if name.lower() in (p.name for p in elements[number].properties):
        raise UserError(f"has a property {name} already; choose another name")
    declared = re.search(
        rb"^\s*element\s+vertex[^\n]*\n(?:(?!\s*element|\s*end_header)[^\n]*\n)*",
        header,
        re.IGNORECASE | re.MULTILINE,
    )
    if not declared:
        raise UserError("has a header whose lines end in an old way; export it again")
    ending = b"\r\n" if declared[0].endswith(b"\r\n") else b"\n"
    longer = header[: declared.end()] + f"property float {name}".encode() + ending + header[declared.end() :]
    if form == "ascii":
        return longer + _longer_lines(body, elements, number, values)
    place = 0
    for element in elements[:number]:
        _, place = _read(element, body, place, _FORMATS[form])
    vertex, columns = elements[number], values.astype(f"{_FORMATS[form]}f4")
    ends = [place]
    for _ in range(vertex.rows):
        ends.append(ends[-1] + _row_size(vertex, body, ends[-1], _FORMATS[form]))
    rows = (body[i:j] + columns[k : k + 1].tobytes() for k, (i, j) in enumerate(itertools.pairwise(ends)))
    return longer + body[:place] + b"".join(rows) + body[ends[-1] :]


def _longer_lines(body: bytes, elements: list[_Element], number: int, values: np.ndarray) -> bytes:
    """Returns the lines of an ASCII body, those of element `number` with one value more each."""
    lines = [line for line in body.splitlines() if line.strip()]
    if len(lines) != sum(element.rows for element in elements):
        raise UserError("has rows that do not take a line each; export it again")
    start = sum(element.rows for element in elements[:number])
    for place, value in enumerate(values.tolist(), start):
        lines[place] = lines[place].rstrip() + f" {value!r}".encode()
    return b"\n".join([*lines, b""])


def _parts(raw: bytes) -> tuple[bytes, str, list[_Element], bytes]:
    """Returns the header, the format, the elements and the body of a file."""
    end = re.search(rb"[\r\n][ \t]*end_header[ \t]*(?:\r\n|\n|\r)", raw, re.IGNORECASE)
    if raw[:3].lower() != b"ply" or not end:
        raise UserError(f"has no complete PLY header; {CUT_OFF}")
    lines = [line.split() for line in raw[: end.start()].decode("latin-1").lower().splitlines()]
    form = next((words[1] for words in lines if words[:1] == ["format"] and len(words) > 1), "")
    if form not in _FORMATS:
        raise UserError(
            f"has the format {form!r}, which is not supported; export it as {' or '.join(_FORMATS)}"
        )
    return raw[: end.end()], form, _elements(lines), raw[end.end() :]


def _elements(lines: list[list[str]]) -> list[_Element]:
    elements: list[_Element] = []
    for words in lines:
        if words[:1] == ["element"]:
            elements.append(_Element(words[1], int(words[2]), []))
        elif words[:1] == ["property"]:
            if unknown := set(words[1:-1]) - _TYPES.keys() - {"list"}:
                raise UserError(f"has a property of the type {unknown.pop()}, which is not supported")
            types = [_TYPES[word] for word in words[1:-1] if word != "list"]
            elements[-1].properties.append(_Property(words[-1], types[-1], *types[-2:-1]))
    return elements


def _doubles(element: _Element) -> _Element:
    """Returns the element with all its numbers, and the lengths of its lists, as doubles."""
    properties = [_Property(p.name, "f8", p.length and "f8") for p in element.properties]
    return element._replace(properties=properties)


def _read(element: _Element, body: bytes, place: int, order: str) -> tuple[dict[str, Column], int]:
    """Reads the rows of an element, and says where they end.

    Raises:
        UserError: If the body is too short for them.
    """
    least = sum(np.dtype(p.length or p.type).itemsize for p in element.properties)
    if element.rows < 0 or not element.properties:
        return {}, place
    check_size(element.rows * least, len(body) - place)
    if not element.rows:
        return {p.name: np.zeros(0) for p in element.properties}, place
    lengths = _lengths(element, body, place, order)
    dtype = np.dtype(
        [
            field
            for p, length in zip(element.properties, lengths, strict=True)
            for field in (
                [(p.name, order + p.type)]
                if p.length is None
                else [(f"{p.name} length", order + p.length), (p.name, order + p.type, (length,))]
            )
        ]
    )
    end = place + element.rows * dtype.itemsize
    if end <= len(body):
        rows = np.frombuffer(body, dtype, element.rows, place)
        lists = [p.name for p in element.properties if p.length]
        if all((rows[f"{name} length"] == rows[f"{name} length"][0]).all() for name in lists):
            return {p.name: rows[p.name] for p in element.properties}, end
    return _read_rows(element, body, place, order)


def _lengths(element: _Element, body: bytes, place: int, order: str) -> list[int]:
    """Returns the lengths of the lists in the first row, 0 for what is no list."""
    lengths = []
    for p in element.properties:
        length = 0
        if p.length:
            length = int(np.frombuffer(body, order + p.length, 1, place)[0])
            place += np.dtype(p.length).itemsize
        lengths.append(length)
        place += np.dtype(p.type).itemsize * (length if p.length else 1)
        if length < 0 or place > len(body):
            raise UserError(f"is shorter than its header declares; {CUT_OFF}")
    return lengths


def _row_size(element: _Element, body: bytes, place: int, order: str) -> int:
    """Returns the bytes of the row at a place."""
    sizes = zip(element.properties, _lengths(element, body, place, order), strict=True)
    return sum(
        np.dtype(p.length).itemsize + length * np.dtype(p.type).itemsize
        if p.length
        else np.dtype(p.type).itemsize
        for p, length in sizes
    )


def _read_rows(element: _Element, body: bytes, place: int, order: str) -> tuple[dict[str, Column], int]:
    """Reads an element row by row, because its lists differ in length."""
    columns: list[list[np.ndarray]] = [[] for _ in element.properties]
    for _ in range(element.rows):
        for column, p, length in zip(
            columns, element.properties, _lengths(element, body, place, order), strict=True
        ):
            place += np.dtype(p.length).itemsize if p.length else 0
            values = np.frombuffer(body, order + p.type, length if p.length else 1, place)
            column.append(values)
            place += values.nbytes
    pairs = zip(element.properties, columns, strict=True)
    return {p.name: column if p.length else np.concatenate(column) for p, column in pairs}, place


def _geometry(values: dict[str, dict[str, Column]]) -> Mesh | PointCloud:
    """Makes a mesh of the faces, or without faces a cloud of the vertices."""
    vertices = values.get("vertex", {})
    points, columns = coordinates(
        {k: v for k, v in vertices.items() if isinstance(v, np.ndarray) and v.ndim == 1}
    )
    faces = values.get("face", {})
    if not any(len(column) for column in faces.values()):
        if any(map(len, values.get("tristrips", {}).values())):
            raise UserError("has triangle strips, which are not supported; export it with faces")
        return PointCloud(points, columns)
    polygons = next((faces[name] for name in _CORNERS if name in faces), None)
    if polygons is None:
        raise UserError("has faces without `vertex_indices`; export it as a plain triangle mesh")
    if isinstance(polygons, np.ndarray):
        return Mesh(points, fans(_whole(polygons)))
    return Mesh(points, mixed_fans(map(_whole, polygons)))


def _whole(numbers: np.ndarray) -> np.ndarray:
    """Returns vertex numbers as integers."""
    with np.errstate(invalid="ignore"):
        whole = numbers.astype(np.int64)
    if (whole != numbers).any():
        raise UserError(f"has a vertex number that is no whole number; {CUT_OFF}")
    return whole
