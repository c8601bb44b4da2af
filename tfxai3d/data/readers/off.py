"""OFF, the format of ModelNet's meshes.

Not by trimesh: 5.2 reads the lines before a comment twice, does not notice a missing end, and fails on faces
of more than four corners among others. Errors do not name the file: `reading.read` does.
"""

import re
from collections.abc import Sequence

import numpy as np

from tfxai3d.data.geometry import Mesh, PointCloud
from tfxai3d.data.readers.polygons import CUT_OFF, decimal_points, mixed_fans, text_lines
from tfxai3d.errors import UserError

_HEADER = re.compile(
    r"(?P<st>ST)?(?P<c>C)?(?P<n>N)?(?P<other>4?n?)OFF(?P<rest>.*)", re.IGNORECASE | re.DOTALL
)
_WIDTHS = {"n": ("nx", "ny", "nz"), "c": ("red", "green", "blue", "alpha"), "st": ("s", "t")}


def read_off(raw: bytes) -> Mesh | PointCloud:
    """Reads a text OFF file: OFF, and its variants with normals, colours and texture coordinates.

    Usually each vertex and face has a line, and more numbers after the corners of a face are its colour.
    Where the lines are cut otherwise, the numbers alone count.
    """
    lines = text_lines(raw)
    text = decimal_points("\n".join(lines))
    header = _HEADER.fullmatch(
        f"OFF\n{text}" if re.match(r"\d+\s", text) else text
    )  # the word can be left out
    if not header:
        raise UserError("does not start with OFF; give a text OFF file")
    if header["other"]:
        raise UserError(
            "has vertices of other than three dimensions, which is not supported; export plain OFF"
        )
    if header["rest"].split()[:1] == ["BINARY"]:
        raise UserError("is a binary OFF file, which is not supported; export it as text")
    rows = [line.split() for line in header["rest"].split("\n") if line.strip()]
    columns = [name for part, names in _WIDTHS.items() if header[part] for name in names]
    found = _by_lines(rows) or _by_numbers([word for row in rows for word in row], 3 + len(columns))
    if found is None:
        declared = f"declares {' and '.join(rows[0][:2])} vertices and faces" if rows else "declares nothing"
        raise UserError(f"{declared} but has {len(rows[1:])} lines; {CUT_OFF}")
    corners, polygons = found
    vertices = np.array(corners, dtype=np.float64).reshape(len(corners), -1)
    if polygons:
        return Mesh(vertices[:, :3], mixed_fans([list(map(int, polygon)) for polygon in polygons]))
    return PointCloud(vertices[:, :3], dict(zip(columns, vertices.T[3:], strict=False)))


_Found = tuple[Sequence[Sequence[str]], Sequence[Sequence[str]]] | None


def _by_lines(rows: Sequence[Sequence[str]]) -> _Found:
    """Returns the numbers of each vertex and the corners of each face, if each has a line."""
    if not rows or not 2 <= len(rows[0]) <= 3:
        return None
    vertices, faces = int(rows[0][0]), int(rows[0][1])
    corners, polygons = rows[1 : 1 + vertices], rows[1 + vertices : 1 + vertices + faces]
    if min(vertices, faces) < 0 or len(corners) < vertices or len(polygons) < faces:
        return None
    if any(len(row) < 3 or len(row) != len(corners[0]) for row in corners):
        return None
    if any(not row[0].isdigit() or not 0 < int(row[0]) < len(row) for row in polygons):
        return None
    return corners, [row[1 : 1 + int(row[0])] for row in polygons]


def _by_numbers(words: Sequence[str], width: int) -> _Found:
    """Returns the same if the vertices, of `width` numbers, and the faces use up all numbers."""
    for start in (3, 2):  # with the number of edges or without
        if len(words) < start or not all(word.isdigit() for word in words[:start]):
            return None
        vertices, faces = int(words[0]), int(words[1])
        place = start + vertices * width
        polygons: list[Sequence[str]] = []
        while len(polygons) < faces and place < len(words) and words[place].isdigit():
            after = place + 1 + int(words[place])
            polygons.append(words[place + 1 : after])
            place = after
        if place == len(words) and len(polygons) == faces:
            return [words[i : i + width] for i in range(start, start + vertices * width, width)], polygons
    return None
