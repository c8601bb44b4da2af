"""OFF, and by trimesh PLY, STL and OBJ.

trimesh reads what it can and is silent about the rest; the checks here refuse what it would drop or
misread. Its loader functions are called directly, because `trimesh.load` goes on to merge vertices
and to remove NaN faces in some formats. Errors do not name the file: `reading.read` does.
"""

import io
import re
from typing import Any

import numpy as np

from tfxai3d.data.geometry import Mesh, PointCloud
from tfxai3d.errors import UserError

_STL_WORDS = ("solid", "vertex", "endsolid")
_CUT_OFF = "it is cut off or damaged, fetch or export it again"


def read_off(raw: bytes) -> Mesh | PointCloud:
    """Reads a text OFF file, also with the counts on the header's line as in some of ModelNet.

    Not by trimesh: 5.2 reads the lines before a comment twice, does not notice a missing end, and
    fails on faces of more than four corners among others.
    """
    lines = _lines(raw)
    header = re.fullmatch(r"(?:ST)?C?N?OFF\s*(.*)", lines[0]) if lines else None
    if not header:
        raise UserError("does not start with OFF; give a text OFF file")
    rows = [line.split() for line in ([header[1]] if header[1] else []) + lines[1:]]
    if not rows or len(rows[0]) < 2:
        raise UserError(f"has no counts after its header; {_CUT_OFF}")
    vertices, faces = int(rows[0][0]), int(rows[0][1])
    corners, polygons = rows[1 : 1 + vertices], rows[1 + vertices : 1 + vertices + faces]
    if min(vertices, faces) < 0 or len(corners) < vertices or len(polygons) < faces:
        raise UserError(
            f"declares {vertices} vertices and {faces} faces but has {len(rows) - 1} lines; {_CUT_OFF}"
        )
    if any(len(row) < 3 for row in corners) or any(not 0 < int(row[0]) < len(row) for row in polygons):
        raise UserError(f"has a vertex or face line with too few numbers; {_CUT_OFF}")
    fans = [[row[1], row[k], row[k + 1]] for row in polygons for k in range(2, int(row[0]))]
    return _geometry(
        {
            "vertices": np.array([row[:3] for row in corners], dtype=np.float64).reshape(-1, 3),
            "faces": np.array(fans, dtype=np.int64).reshape(-1, 3),
        }
    )


def read_ply(raw: bytes) -> Mesh | PointCloud:
    """Reads an ASCII or binary PLY file; binary faces must all have the same number of corners."""
    from trimesh.exchange.ply import load_ply

    end = re.search(rb"end_header[^\n]*\n", raw)
    if not raw.startswith(b"ply") or not end:
        raise UserError(f"has no complete PLY header; {_CUT_OFF}")
    header = [line.split() for line in raw[: end.start()].decode("latin-1").splitlines()]
    elements = _ply_elements(header)
    count, properties = elements.get("face", (0, {}))
    if count and not {"vertex_index", "vertex_indices"} & properties.keys():
        raise UserError("has faces without `vertex_indices`; export it as a plain triangle mesh")
    if ["format", "ascii"] in (words[:2] for words in header):
        _check_ascii_ply(elements, raw[end.end() :].decode("latin-1").splitlines())
    try:
        loaded = load_ply(io.BytesIO(raw), fix_texture=False, skip_materials=True)
    except ValueError as error:
        if "unexpected length" not in str(error):
            raise
        raise UserError(_PLY_MISMATCH) from error
    if _has_mixed_lists(loaded["metadata"]["_ply_raw"]):
        raise UserError(_PLY_MISMATCH)
    return _geometry(loaded)


_PLY_MISMATCH = (
    "does not hold what its header declares: it is cut off, or its faces have different numbers of corners; "
    "fetch it again, or triangulate it or save it as ASCII PLY"
)


def _ply_elements(header: list[list[str]]) -> dict[str, tuple[int, dict[str, bool]]]:
    """Returns the rows of each element, and of each of its properties whether it is a list."""
    elements: dict[str, tuple[int, dict[str, bool]]] = {}
    properties: dict[str, bool] = {}
    for words in header:
        if words[:1] == ["element"]:
            properties = {}
            elements[words[1]] = int(words[2]), properties
        elif words[:1] == ["property"]:
            properties[words[-1]] = words[1] == "list"
    return elements


def _check_ascii_ply(elements: dict[str, tuple[int, dict[str, bool]]], rows: list[str]) -> None:
    """Raises UserError unless each row has exactly the numbers that the header declares."""
    start = 0
    for count, properties in elements.values():
        if count < 0 or len(rows) < start + count:
            raise UserError(f"has {len(rows)} rows of data, fewer than its header declares; {_CUT_OFF}")
        for number in range(start, start + count):
            words, expected = rows[number].split(), 0
            for is_list in properties.values():
                expected += 1 + (int(words[expected]) if is_list and expected < len(words) else 0)
            if len(words) != expected:
                raise UserError(f"has {len(words)} numbers, not {expected}, in data row {number}; {_CUT_OFF}")
        start += count


def _has_mixed_lists(elements: dict[str, Any]) -> bool:
    """Whether a binary list has rows of several lengths: trimesh reads all by the first one."""
    for element in elements.values():
        data = element.get("data")
        for name in getattr(getattr(data, "dtype", None), "names", None) or ():
            if data[name].dtype.names and (data[name]["f0"] != data[name]["f0"][:1]).any():
                return True
    return False


def read_stl(raw: bytes) -> Mesh | PointCloud:
    """Reads a binary or ASCII STL file, which always is a mesh."""
    from trimesh.exchange.stl import HeaderError, load_stl_ascii, load_stl_binary

    try:
        loaded = load_stl_binary(io.BytesIO(raw))
    except HeaderError as error:  # the length is not the one a binary header declares: it is text
        words = [line.lower().split() for line in _lines(raw)]
        if not words or words[0][0] != "solid":
            raise UserError(f"is no text STL, and a binary one of another length; {_CUT_OFF}") from error
        # Without the names of solids: trimesh trips over one like `vertex`.
        kept = [line if line[0] == "vertex" else line[:1] for line in words if line[0] in _STL_WORDS]
        loaded = load_stl_ascii(io.BytesIO("\n".join(map(" ".join, kept)).encode()))
        read = sum(len(part["vertices"]) for part in _parts(loaded))
        if read != sum(line[0] == "vertex" for line in kept):
            raise UserError(f"has a solid without its end; {_CUT_OFF}") from error
    return _geometry(loaded, cloud=False)


def read_obj(raw: bytes) -> Mesh | PointCloud:
    """Reads the vertices and faces of an OBJ file; materials, normals and texture are ignored."""
    from trimesh.exchange.obj import load_obj

    lines = [line for line in _lines(re.sub(rb"\\\r?\n", b" ", raw)) if line.startswith(("v ", "f "))]
    lines = [re.sub(r"/\S*", "", line) for line in lines]  # only vertex numbers, or trimesh splits vertices
    text = "\n".join(lines)
    if re.search(r"^[vf](?: \S+){0,2}$", text, re.MULTILINE):
        raise UserError(f"has a vertex or face with fewer than three numbers; {_CUT_OFF}")
    if re.search(r"^f.* -?0+\b", text, re.MULTILINE):
        raise UserError("has a face index out of range: OBJ counts from 1; export it again")
    if re.search(r"^f.* -", text, re.MULTILINE) and text.rfind("\nv ") > text.find("\nf "):
        # trimesh counts from the end of the file, the format from the face's line
        raise UserError("has negative face indices between vertices; export it with positive ones")
    try:
        return _geometry(load_obj(io.BytesIO(text.encode()), skip_materials=True, maintain_order=True))
    except IndexError as error:
        raise UserError("has a face index out of range; export the mesh again") from error


def _lines(raw: bytes) -> list[str]:
    """Returns the lines without comments, needless blanks and empty lines."""
    lines = (" ".join(line.split("#")[0].split()) for line in raw.decode("utf-8-sig", "replace").splitlines())
    return [line for line in lines if line]


def _parts(loaded: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the pieces of a trimesh loader's answer."""
    return list(loaded["geometry"].values()) if "geometry" in loaded else [loaded]


def _geometry(loaded: dict[str, Any], cloud: bool = True) -> Mesh | PointCloud:
    """Joins what a trimesh loader answered; without faces it is a cloud, if the format has clouds."""
    vertices, faces, start = [np.zeros((0, 3))], [np.zeros((0, 3), np.int64)], 0
    for part in _parts(loaded):
        vertices.append(part["vertices"])
        faces.append(_triangles(np.asarray(part.get("faces", ()))) + start)
        start += len(part["vertices"])
    joined = np.concatenate(faces)
    if cloud and not len(joined):
        return PointCloud(np.concatenate(vertices))
    return Mesh(np.concatenate(vertices), joined)


def _triangles(polygons: np.ndarray) -> np.ndarray:
    """Cuts polygons (F,K) into fans of triangles (F*(K-2),3)."""
    if polygons.ndim != 2 or polygons.shape[1] < 3:
        return np.zeros((0, 3), np.int64)
    fans = [polygons[:, [0, corner, corner + 1]] for corner in range(1, polygons.shape[1] - 1)]
    return np.concatenate(fans).astype(np.int64)
