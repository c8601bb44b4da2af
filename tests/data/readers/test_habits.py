"""One format as it is written by many: each variant is the same object."""

import gzip
import logging
import re
import struct
from typing import Any

import numpy as np
import pytest

from tests.reference.files import (
    BOX,
    CLOUD,
    CLOUDS,
    GRIDS,
    OBJ,
    POLYGONS,
    SQUARE,
    Put,
    h5,
    npy,
    npz,
    off,
    ply,
    read_cloud,
    rows,
    surface,
)
from tfxai3d.data.geometry import Mesh, PointCloud, Volume, VoxelGrid
from tfxai3d.data.orientation import z_up_to_y_up
from tfxai3d.data.readers.loading import load_grid, load_points
from tfxai3d.data.readers.reading import read
from tfxai3d.data.voxelization import voxelize_points
from tfxai3d.errors import UserError

CUBE = "0 0 0  0 0 1  0 1 0  0 1 1  1 0 0  1 0 1  1 1 0  1 1 1"
SIDES = "4 0 1 3 2  4 4 6 7 5  4 0 4 5 1  4 2 3 7 6  4 0 2 6 4  4 1 5 7 3"


def cube_lines(extra: str = "", color: str = "") -> str:
    corners = "".join(f"{corner} {extra}\n" for corner in CUBE.split("  "))
    return "8 6 12\n" + corners + "".join(f"{side} {color}\n" for side in SIDES.split("  "))


@pytest.mark.parametrize(
    "content",
    [
        "OFF\n8 6 12\n" + CUBE + "\n" + SIDES,
        "OFF\n" + "\n".join(f"8 6 12 {CUBE} {SIDES}".split()),
        "OFF 8 6 12 " + CUBE + " " + SIDES,
        "OFF\n8\n6\n" + cube_lines().split("\n", 1)[1],
        "off # small\n" + cube_lines(color="0.5 0.5 0.5"),
        "COFF\n" + cube_lines("255 0 0 255", "3"),
        "COFF\n" + cube_lines("0.1 0.2 0.3"),
        "NOFF\n" + cube_lines("0 0 1"),
        "STCNOFF\n8 6 12 " + "  ".join(f"{c} 0 0 1 1 0 0 1 .5 .5" for c in CUBE.split("  ")) + " " + SIDES,
        "STOFF\n" + cube_lines("0.5 0.5"),
        "OFF8 6 0\n" + cube_lines().split("\n", 1)[1],
        cube_lines(),
    ],
)
def test_off_is_read_by_its_numbers(put: Put, content: str) -> None:
    mesh = read(put("a.off", content))
    assert isinstance(mesh, Mesh)
    assert (mesh.vertices.shape, mesh.faces.shape, surface(mesh)) == ((8, 3), (12, 3), pytest.approx(6))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("4OFF\n", "other than three dimensions, which is not supp"),
        ("OFF BINARY\n", "binary OFF file, which is not"),
    ],
)
def test_off_that_is_not_supported_is_not_called_damaged(put: Put, header: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(put("a.off", header + cube_lines()))


@pytest.mark.parametrize("kind", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_ply_of_mixed_faces_capitals_and_lists(put: Put, kind: str) -> None:
    header = (
        f"ply\r\nformat {kind} 1.0\r\nobj_info x\r\nelement Vertex 5\r\nproperty list uchar float more\r\n"
        "property double X\r\nproperty double Y\r\nproperty double Z\r\n"
        "element face 2\r\nproperty uchar red\r\n"
        "property list uint8 uint vertex_index\r\nelement edge 1\r\nproperty int a\r\nend_header\r\n"
    )
    if kind == "ascii":
        body = "".join(f"{i} {'7 ' * i}{x} {y} {z}\n" for i, (x, y, z) in enumerate(SQUARE)).encode()
        body += b"".join(f"9 {len(p)} {' '.join(map(str, p))}\n".encode() for p in POLYGONS) + b"3\n"
    else:
        order = "<" if "little" in kind else ">"
        vertices = (struct.pack(f"{order}B{i}f3d", i, *[7.0] * i, *xyz) for i, xyz in enumerate(SQUARE))
        faces = (struct.pack(f"{order}BB{len(p)}I", 9, len(p), *p) for p in POLYGONS)
        body = b"".join([*vertices, *faces, struct.pack(f"{order}i", 3)])
    mesh = read(put("a.PLY", header.encode() + body))
    assert isinstance(mesh, Mesh)
    np.testing.assert_array_equal(mesh.vertices, SQUARE)
    assert (len(mesh.faces), surface(mesh)) == (3, pytest.approx(1.25))


def test_ply_keeps_what_else_is_known_of_a_point(put: Put) -> None:
    table = np.rec.fromarrays([*CLOUD.T, np.arange(12, dtype="u1")], formats=["<f4"] * 3 + ["u1"])
    header = "ply\nformat binary_little_endian 1.0\nelement vertex 12\n" + "".join(
        f"property {line}\n" for line in ("float x", "float y", "float z", "uchar diffuse_red")
    )
    cloud = read(put("a.ply", f"{header}end_header\n".encode() + table.tobytes()))
    assert isinstance(cloud, PointCloud)
    assert cloud.columns["red"].tolist() == list(range(12))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.off", off(SQUARE, POLYGONS).decode()),
        ("a.ply", ply((rows(SQUARE) + "3 0 1 2\n4 0 2 3 4\n").encode()).decode()),
        ("a.obj", OBJ + "f 1 2 3\nf 1/1 3/2 4/3 5/4\n"),
        ("a.stl", BOX.export(file_type="stl_ascii")),
        ("a.pcd", "FIELDS x y z\nPOINTS 12\nDATA ascii\n" + rows(CLOUD)),
    ],
)
def test_a_decimal_comma_is_one_in_every_text(put: Put, name: str, content: str) -> None:
    expected: Any = read(put(name, content))
    head, mark, body = content.rpartition("end_header\n")
    found: Any = read(put(f"b{name}", head + mark + re.sub(r"(?<=\d)\.(?=\d)", ",", body)))
    for field in ("points", "vertices", "faces"):
        if hasattr(expected, field):
            np.testing.assert_array_equal(getattr(found, field), getattr(expected, field))


SHORT_PCD = "FIELDS X Y Z rgb\nSIZE 4 4 4 4\nTYPE F F F U\nWIDTH 12\nDATA ascii\n"


def test_pcd_without_what_can_be_left_out_and_with_invalid_points(
    put: Put, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [f"{x} {y} {z} {0x0A0B0C}\n" for x, y, z in CLOUD.tolist()]
    lines[4] = "nan nan nan 0\n"
    with caplog.at_level(logging.WARNING):
        cloud = read(put("a.pcd", SHORT_PCD + "".join(lines)))
    assert isinstance(cloud, PointCloud)
    np.testing.assert_allclose(cloud.points, np.delete(CLOUD, 4, axis=0), rtol=1e-6)
    assert [cloud.columns[name][0] for name in ("red", "green", "blue")] == [10, 11, 12]
    (record,) = caplog.records
    assert record.getMessage() == "left out 1 of 12 points, which PCD marks as invalid"


def test_binvox_and_gzip_by_their_extension(put: Put) -> None:
    raw = b"#binvox 1\ndim 2 2 2\ntranslate 0 0 0\nscale 1\ndata\n" + bytes([0, 1, 1, 1, 0, 3, 1, 3])
    for path in (put("a.binvox", raw), put("b.binvox.gz", gzip.compress(raw))):
        grid = read(path)
        assert isinstance(grid, VoxelGrid)
        assert grid.occupancy.sum() == 4
    for name, content in (
        ("a.npz.gz", npz(points=CLOUD)),
        ("a.h5.GZ", h5(data=CLOUD)),
        ("a.npy.gz", npy(CLOUD)),
    ):
        np.testing.assert_array_equal(read_cloud(put(name, gzip.compress(content))), CLOUD)


# --- an array is what the network takes


@pytest.mark.parametrize("shape", [(6, 6, 6), (6, 6, 6, 1), (1, 6, 6, 6), (1, 1, 6, 6, 6)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int64, bool])
def test_a_grid_is_a_grid_of_any_type(put: Put, shape: tuple[int, ...], dtype: type) -> None:
    grid = GRIDS[0].reshape(shape).astype(dtype)
    for raw in (npy(grid), npy(grid * np.uint8(255)) if dtype is np.uint8 else npy(grid)):
        loaded = load_grid(put("a.npy", raw))
        assert (loaded.shape, loaded.dtype) == ((6, 6, 6, 1), np.float32)
        np.testing.assert_array_equal(loaded[..., 0], GRIDS[0, 0])


def test_a_scan_is_a_volume_and_never_clouds(put: Put) -> None:
    scan = np.random.default_rng(0).normal(-500, 300, (24, 20, 28)).astype(np.float32)
    path = put("ct.npy", npy(scan))
    np.testing.assert_array_equal(load_grid(path)[..., 0], scan)
    for asked in (read(path), read(path, kind="voxels")):
        assert isinstance(asked, Volume)
    with pytest.raises(UserError, match="a voxel grid is not a point cloud"):
        load_points(path)
    channels = np.random.default_rng(0).normal(size=(8, 9, 7, 2))
    np.testing.assert_allclose(load_grid(put("b.npy", npy(channels))), channels, rtol=1e-6)
    clouds = put("c.npy", npy(CLOUDS))
    np.testing.assert_array_equal(load_grid(clouds, 1)[..., 0], voxelize_points(CLOUDS[1]))


def test_a_large_array_that_is_all_the_same_is_not_unpacked(put: Put) -> None:
    path = put("a.npz", npz(points=np.ones((6_000_000, 3), np.float32)))
    with pytest.raises(UserError, match="all much the same"):
        read(path)


def test_features_come_by_name_or_number(put: Put) -> None:
    table = np.rec.fromarrays([*CLOUD.T, *CLOUD.T, np.arange(12)], names="x,y,z,NX,ny,normal_z,intensity")
    path = put("a.npy", npy(table))
    loaded = load_points(path, normalize=False, features=["intensity", "nx"])
    np.testing.assert_array_equal(loaded, np.column_stack([CLOUD, np.arange(12), CLOUD[:, 0]]))
    upright = load_points(path, normalize=False, features=4, up="z")
    np.testing.assert_array_equal(upright[:, 3:6], z_up_to_y_up(CLOUD))
    with pytest.raises(UserError, match=r"4 columns after x y z \(nx, ny, nz, intensity\), not 2; name them"):
        load_points(path, features=2)
    with pytest.raises(UserError, match="has no column 'red'"):
        load_points(path, features=["r"])
    sides = load_points(
        put("b.off", "OFF\n" + cube_lines()), 50, normalize=False, features=["nx", "ny", "nz"]
    )
    assert (np.abs(sides[:, 3:]).max(axis=1) == 1).all()
    outward = ((sides[:, :3] - 0.5) * sides[:, 3:]).sum(axis=1)
    np.testing.assert_allclose(outward, 0.5, atol=1e-6)
