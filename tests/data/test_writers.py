"""A file with a further column: the column as it was given, all else as it was."""

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.readers.test_lidar import las
from tests.reference.files import CLOUD, POLYGONS, SQUARE, Put, binary_faces, npy, off, pcd, ply, rows
from tfxai3d.data import read, write_column
from tfxai3d.errors import UserError

VALUES = np.random.default_rng(0).normal(size=40).astype(np.float32)


@pytest.mark.parametrize("suffix", ["las", "laz"])
def test_las_gets_an_extra_dimension(tmp_path: Path, suffix: str) -> None:
    laspy = pytest.importorskip("laspy")
    source, path = las(tmp_path / f"a.{suffix}"), tmp_path / f"b.{suffix}"
    write_column(source, path, VALUES)
    before, after = laspy.read(source), laspy.read(path)
    np.testing.assert_array_equal(after["importance"], VALUES)
    for name in before.point_format.dimension_names:
        np.testing.assert_array_equal(np.asarray(before[name]), np.asarray(after[name]), name)
    for name in ("scales", "offsets", "version", "creation_date", "system_identifier"):
        assert np.all(getattr(before.header, name) == getattr(after.header, name))
    with pytest.raises(UserError, match="has a column importance already"):
        write_column(path, tmp_path / f"c.{suffix}", VALUES)


def ply_with_lists(order: str) -> bytes:
    kind = "binary_little_endian" if order == "<" else "binary_big_endian"
    header = (
        f"ply\nformat {kind} 1.0\ncomment element vertex\nelement camera 1\nproperty uchar a\n"
        "element vertex 12\n"
        "property float x\nproperty float y\nproperty float z\nproperty list uchar short more\nend_header\n"
    )
    vertices = (struct.pack(f"{order}3fB{i}h", *xyz, i, *range(i)) for i, xyz in enumerate(CLOUD))
    return header.encode() + b"\7" + b"".join(vertices)


def contents(folder: Path) -> dict[str, bytes | str]:
    table = np.rec.fromarrays([*CLOUD.T, np.arange(12)], names="x,y,z,intensity")
    short = "# by hand\nFIELDS x y z\nWIDTH 12\nVIEWPOINT 1 2 3 1 0 0 0\nDATA ascii\n" + rows(CLOUD)
    mixed = ply((rows(SQUARE) + "3 0 1 2\n4 0 2 3 4\n").encode())
    return {
        "a.npy": npy(np.hstack([CLOUD, CLOUD[:, :1]])),
        "b.npy": npy(table),
        "c.pcd": pcd(CLOUD, "binary", folder),
        "d.pcd": pcd(CLOUD, "binary_compressed", folder),
        "e.pcd": short,
        "f.pcd": short.replace(rows(CLOUD[:1]), "nan nan nan\n"),
        "g.ply": ply_with_lists("<"),
        "h.ply": ply_with_lists(">"),
        "i.ply": mixed.replace(b"\n", b"\r\n"),
        "j.ply": ply(SQUARE.tobytes() + binary_faces(POLYGONS), "binary_little_endian"),
        "k.csv": ("# a scan\nintensity;Y;X;z [m]\n" + rows(CLOUD[:, [0, 1, 2, 0]], ";")).encode(),
        "l.csv": b"\xef\xbb\xbfx,y,z,label\r\n" + rows(CLOUD, ",").replace("\n", ",wall\r\n").encode(),
        "m.txt": rows(CLOUD).replace(".", ",").encode("utf-16"),
        "n.pts": ("12\n" + rows(np.hstack([CLOUD, CLOUD]))).encode(),
        "o.xyzn": ("# by hand\n" + rows(np.hstack([CLOUD, CLOUD])).replace("\n", "  # a point\n")).encode(),
        "p.xyz.gz": gzip.compress(("//X Y Z,r,g,b\n" + rows(np.hstack([CLOUD, CLOUD]))).encode()),
    }


@pytest.mark.parametrize("name", list("abcdefghijklmnop"))
def test_the_column_is_read_back_and_the_rest_is_as_it_was(put: Put, tmp_path: Path, name: str) -> None:
    name, content = next((key, value) for key, value in contents(tmp_path).items() if key[0] == name)
    source, path = put(name, content), tmp_path / f"new.{name[2:]}"
    before: Any = read(source)
    points = before.points if hasattr(before, "points") else before.vertices
    write_column(source, path, VALUES[: len(points)], "weight")
    after: Any = read(path)
    np.testing.assert_array_equal(after.points if hasattr(after, "points") else after.vertices, points)
    if hasattr(before, "points"):
        column = after.columns.pop({"a": "column_5", "m": "column_4"}.get(name[0], "weight"))
        np.testing.assert_array_equal(column.astype(np.float32), VALUES[: len(points)])
        assert after.columns.keys() == before.columns.keys()
        for key, column in before.columns.items():
            np.testing.assert_array_equal(after.columns[key], column)
    else:
        np.testing.assert_array_equal(after.faces, before.faces)
        assert b"property float weight" in path.read_bytes()
    if name[-3:] == "pcd" and name[0] in "ef":
        assert b"# by hand\n" in path.read_bytes()
        assert b"VIEWPOINT 1 2 3 1 0 0 0\n" in path.read_bytes()


def test_what_cannot_be_written_is_said(put: Put, tmp_path: Path) -> None:
    cloud, mesh = put("a.npy", npy(CLOUD)), put("a.off", off(SQUARE, POLYGONS))
    cases: list[tuple[Path, str, Any, str, str]] = [
        (mesh, "b.off", VALUES[:5], "importance", "columns are written to .las .laz .ply"),
        (cloud, "b.ply", VALUES[:12], "importance", "give a file of the format of a.npy"),
        (
            cloud,
            "b.npy",
            VALUES[:11],
            "importance",
            r"has the shape \(11,\); give a finite number for each of 12",
        ),
        (cloud, "b.npy", VALUES[:12] * np.nan, "importance", "give a finite number"),
        (cloud, "b.npy", VALUES[:12], "a b\nend_header", "give a word"),
    ]
    for source, name, values, column, message in cases:
        with pytest.raises(UserError, match=message):
            write_column(source, tmp_path / name, values, column)
        assert not (tmp_path / name).exists()
