"""PCD, the format of the Point Cloud Library, by pypcd4. Errors do not name the file: `reading.read` does."""

import io
import logging
import re
import struct

import numpy as np

from tfxai3d.data.geometry import PointCloud
from tfxai3d.data.readers.columns import coordinates
from tfxai3d.data.readers.polygons import CUT_OFF, decimal_points
from tfxai3d.errors import UserError
from tfxai3d.storage.limits import check_size

_MAX_COLUMNS = 10_000


def read_pcd(raw: bytes) -> PointCloud:
    """Reads a PCD file, ASCII, binary or compressed, without the points that it marks as invalid by NaN."""
    table = _table(raw)
    columns = {name: table[name] for name in table.dtype.names or () if not name.startswith("#")}
    packed = next((name for name in ("rgb", "rgba") if name in columns), None)
    if packed and columns[packed].dtype.itemsize == 4:  # a byte each of blue, green and red
        code = columns.pop(packed).view(np.uint32)
        columns |= {name: code >> shift & 255 for name, shift in (("red", 16), ("green", 8), ("blue", 0))}
    points, rest = coordinates(columns)
    valid = ~np.isnan(points).any(axis=1)
    if not valid.all():
        logging.warning("left out %d of %d points, which PCD marks as invalid", (~valid).sum(), len(valid))
    return PointCloud(points[valid], {name: values[valid] for name, values in rest.items()})


def with_column(raw: bytes, values: np.ndarray, name: str) -> bytes:
    """Returns a PCD file with a further field, all else as it is.

    Args:
        raw: The file.
        values: A number for each point that is not marked as invalid, float32 (N,); those get NaN.
        name: Of the field.
    """
    import lzf

    table = _table(raw)
    points, _ = coordinates({axis: table[axis] for axis in "xyz"})
    column = np.full(len(table), np.nan, "<f4")
    column[~np.isnan(points).any(axis=1)] = values
    found, body = _split(raw)
    header = found.decode("latin-1")
    for entry, more in (("FIELDS", name), ("SIZE", "4"), ("TYPE", "F"), ("COUNT", "1")):
        header = re.sub(rf"(?im)^(\s*{entry}\s[^\r\n]*?)[ \t]*(\r?)$", rf"\1 {more}\2", header, count=1)
    if header.lower().rstrip().endswith("ascii"):
        lines = [line.rstrip() for line in body.splitlines() if line.strip()]
        pairs = zip(lines, column.tolist(), strict=True)
        return header.encode("latin-1") + b"".join(line + f" {value!r}\n".encode() for line, value in pairs)
    if header.lower().rstrip().endswith("compressed"):
        whole = lzf.decompress(body[8:], struct.unpack("<I", body[4:8])[0]) + column.tobytes()
        if packed := lzf.compress(whole):
            return header.encode("latin-1") + struct.pack("<II", len(packed), len(whole)) + packed
        raise UserError("cannot be compressed with the further field; save it as binary")
    rows = np.frombuffer(body, np.uint8)[: table.nbytes].reshape(len(table), -1)
    return header.encode("latin-1") + np.hstack([rows, column[:, None].view(np.uint8)]).tobytes()


def _table(raw: bytes) -> np.ndarray:
    """Reads all points, by field."""
    import pypcd4

    header, body = _header(raw)
    meta = pypcd4.MetaData.parse_header(header)
    if sum(meta.count) > _MAX_COLUMNS:
        raise UserError(f"declares {sum(meta.count)} columns; it is damaged, fetch or export it again")
    if meta.data is pypcd4.Encoding.ASCII:
        if not body.strip():
            raise UserError(f"declares {meta.points} points but holds none; it is cut off, fetch it again")
        # One blank between numbers is all that pypcd4 takes.
        lines = decimal_points(body.decode("latin-1")).splitlines()
        body = "\n".join(" ".join(line.split()) for line in lines).encode("latin-1")
    else:
        row = sum(size * count for size, count in zip(meta.size, meta.count, strict=True))
        _check_size(body, meta.points * row, compressed=meta.data is not pypcd4.Encoding.BINARY)
    whole = "\n".join([*header, ""]).encode() + body
    cloud = pypcd4.PointCloud.from_fileobj(io.BufferedReader(io.BytesIO(whole)))
    table = np.atleast_1d(cloud.pc_data)
    if len(table) != meta.points:
        raise UserError(
            f"declares {meta.points} points but holds {len(table)}; it is cut off, fetch it again"
        )
    return table


def _split(raw: bytes) -> tuple[bytes, bytes]:
    """Returns the header and the body."""
    found = re.search(rb"^[ \t]*DATA[ \t]+\w+[^\n]*\n", raw[: 1 << 16], re.IGNORECASE | re.MULTILINE)
    if not found:
        raise UserError(f"has no complete PCD header; {CUT_OFF}")
    return raw[: found.end()], raw[found.end() :]


def _header(raw: bytes) -> tuple[list[str], bytes]:
    """Returns the header's lines, with those that a file can leave out but pypcd4 wants, and the body."""
    head, body = _split(raw)
    lines = [
        line.split() for line in head.decode("latin-1").splitlines() if line.strip()[:1] not in ("#", "")
    ]
    entries = {words[0].upper(): " ".join(words[1:]) for words in lines}
    entries["FIELDS"] = entries.get("FIELDS", entries.get("COLUMNS", "")).lower()  # COLUMNS in old versions
    fields = len(entries["FIELDS"].split())
    defaults = {
        "COUNT": " ".join("1" * fields),
        "SIZE": " ".join("4" * fields),
        "TYPE": " ".join("F" * fields),
    }
    for name, usual in defaults.items():
        entries.setdefault(name, usual)
    entries.setdefault("HEIGHT", "1")
    entries.setdefault("WIDTH", entries.get("POINTS", "0"))
    entries.setdefault("POINTS", str(int(entries["WIDTH"]) * int(entries["HEIGHT"])))
    entries["DATA"], entries["TYPE"] = entries["DATA"].lower(), entries["TYPE"].upper()
    order = ("FIELDS", "SIZE", "TYPE", "COUNT", "WIDTH", "HEIGHT", "POINTS", "DATA")
    return [f"{name} {entries[name]}" for name in order], body


def _check_size(body: bytes, declared: int, compressed: bool) -> None:
    """Raises UserError unless the body of a binary PCD can hold the `declared` bytes."""
    if not compressed:
        return check_size(declared, len(body))
    packed, unpacked = struct.unpack("<II", body[:8])
    check_size(packed, len(body) - 8)
    return check_size(declared, unpacked if unpacked == declared else 0)
