"""STL and OBJ, by trimesh.

trimesh reads what it can and is silent about the rest; the checks here refuse what it would drop or
misread. Its loader functions are called directly, because `trimesh.load` goes on to merge vertices
and to remove NaN faces in some formats. Errors do not name the file: `reading.read` does.
"""

import io
import re
from typing import Any

import numpy as np

from tfxai3d.data.geometry import Mesh, PointCloud
from tfxai3d.data.readers.polygons import CUT_OFF, decimal_points, fans, text_lines
from tfxai3d.errors import UserError

_STL_WORDS = ("solid", "vertex", "endsolid")


def read_stl(raw: bytes) -> Mesh | PointCloud:
    """Reads a binary or ASCII STL file, which always is a mesh."""
    from trimesh.exchange.stl import HeaderError, load_stl_ascii, load_stl_binary

    try:
        loaded = load_stl_binary(io.BytesIO(raw))
    except HeaderError as error:  # the length is not the one a binary header declares: it is text
        words = [line.lower().split() for line in text_lines(raw)]
        if not words or words[0][0] != "solid":
            raise UserError(f"is no text STL, and a binary one of another length; {CUT_OFF}") from error
        # Without the names of solids: trimesh trips over one like `vertex`.
        kept = [line if line[0] == "vertex" else line[:1] for line in words if line[0] in _STL_WORDS]
        loaded = load_stl_ascii(io.BytesIO(decimal_points("\n".join(map(" ".join, kept))).encode()))
        read = sum(len(part["vertices"]) for part in _parts(loaded))
        if read != sum(line[0] == "vertex" for line in kept):
            raise UserError(f"has a solid without its end; {CUT_OFF}") from error
    return _geometry(loaded, cloud=False)


def read_obj(raw: bytes) -> Mesh | PointCloud:
    """Reads the vertices and faces of an OBJ file; materials, normals and texture are ignored."""
    from trimesh.exchange.obj import load_obj

    lines = [line for line in text_lines(re.sub(rb"\\\r?\n", b" ", raw)) if line.startswith(("v ", "f "))]
    lines = [re.sub(r"/\S*", "", line) for line in lines]  # only vertex numbers, or trimesh splits vertices
    text = decimal_points("\n".join(lines))
    if re.search(r"^[vf](?: \S+){0,2}$", text, re.MULTILINE):
        raise UserError(f"has a vertex or face with fewer than three numbers; {CUT_OFF}")
    if re.search(r"^f.* -?0+\b", text, re.MULTILINE):
        raise UserError("has a face index out of range: OBJ counts from 1; export it again")
    if re.search(r"^f.* -", text, re.MULTILINE) and text.rfind("\nv ") > text.find("\nf "):
        # trimesh counts from the end of the file, the format from the face's line
        raise UserError("has negative face indices between vertices; export it with positive ones")
    try:
        return _geometry(load_obj(io.BytesIO(text.encode()), skip_materials=True, maintain_order=True))
    except IndexError as error:
        raise UserError("has a face index out of range; export the mesh again") from error


def _parts(loaded: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the pieces of a trimesh loader's answer."""
    return list(loaded["geometry"].values()) if "geometry" in loaded else [loaded]


def _geometry(loaded: dict[str, Any], cloud: bool = True) -> Mesh | PointCloud:
    """Joins what a trimesh loader answered; without faces it is a cloud, if the format has clouds."""
    vertices, faces, start = [np.zeros((0, 3))], [np.zeros((0, 3), np.int64)], 0
    for part in _parts(loaded):
        vertices.append(part["vertices"])
        faces.append(fans(np.asarray(part.get("faces", ()))) + start)
        start += len(part["vertices"])
    joined = np.concatenate(faces)
    if cloud and not len(joined):
        return PointCloud(np.concatenate(vertices))
    return Mesh(np.concatenate(vertices), joined)
