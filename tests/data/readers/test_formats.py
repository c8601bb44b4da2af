"""Every format is read back equal, with its habits."""

from pathlib import Path

import numpy as np
import pytest

from tests.reference.files import (
    BOX,
    CLOUD,
    CLOUDS,
    CORNERS,
    GRIDS,
    OBJ,
    PENTAGON,
    POLYGONS,
    SQUARE,
    TRIANGLES,
    Put,
    binary_faces,
    h5,
    npy,
    npz,
    off,
    pcd,
    ply,
    read_cloud,
    rows,
    surface,
)
from tfxai3d.data.geometry import Mesh, PointCloud, VoxelGrid
from tfxai3d.data.readers.loading import load_points
from tfxai3d.data.readers.reading import read
from tfxai3d.errors import UserError


@pytest.mark.parametrize("kind", ["off", "ply", "PLY-ascii", "obj"])
def test_indexed_meshes_are_read_back_equal(put: Put, kind: str) -> None:
    suffix, *encoding = kind.lower().split("-")
    raw = BOX.export(file_type=suffix, **({"encoding": "ascii"} if encoding else {}))
    mesh = read(put(f"box.{kind[:3]}", raw))
    assert isinstance(mesh, Mesh)
    np.testing.assert_allclose(mesh.vertices, CORNERS, atol=1e-6)
    np.testing.assert_array_equal(mesh.faces, TRIANGLES)
    assert (mesh.vertices.dtype, mesh.faces.dtype) == (np.float32, np.int32)


@pytest.mark.parametrize("kind", ["stl", "stl_ascii"])
def test_stl_triangles_are_read_back_equal(put: Put, kind: str) -> None:
    mesh = read(put("box.stl", BOX.export(file_type=kind)))
    assert isinstance(mesh, Mesh)
    np.testing.assert_allclose(mesh.vertices[mesh.faces], BOX.triangles, atol=1e-6)


def test_stl_with_odd_names_and_several_solids(put: Put) -> None:
    solid = BOX.export(file_type="stl_ascii").replace("solid", "solid vertex normal").upper()
    mesh = read(put("box.stl", (solid + solid).encode() + "# Körper\n".encode("latin-1")))
    assert isinstance(mesh, Mesh)
    assert len(mesh.faces) == 24


@pytest.mark.parametrize("encoding", ["ascii", "binary", "binary_compressed"])
def test_pcd_is_read_back_equal(put: Put, tmp_path: Path, encoding: str) -> None:
    np.testing.assert_allclose(read_cloud(put("a.pcd", pcd(CLOUD, encoding, tmp_path))), CLOUD, rtol=1e-6)


def test_pcd_fields_in_another_order_and_loose_blanks(put: Put) -> None:
    table = "".join(f"7  {z!r} {y!r} {x!r} \r\n" for x, y, z in CLOUD.tolist())
    header = (
        "# .PCD\nVERSION 0.7\nFIELDS i z y x\nSIZE 4 4 4 4\nTYPE F F F F\nCOUNT 1 1 1 1\nWIDTH 12\nHEIGHT 1\n"
    )
    path = put("a.pcd", f"{header}VIEWPOINT 0 0 0 1 0 0 0\nPOINTS 12\nDATA ascii\n{table}")
    np.testing.assert_allclose(read_cloud(path), CLOUD, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.xyz", rows(CLOUD)),
        ("a.csv", rows(CLOUD, ",")),
        ("a.txt", "\ufeff# x y z nx ny nz\n" + rows(np.hstack([CLOUD, CLOUD]), ", ")),
        ("a.npy", npy(CLOUD)),
        ("a.npy", npy(np.asfortranarray(np.hstack([CLOUD, CLOUD])))),
        ("a.NPY", npy(CLOUD.astype(np.float64))),
        ("a.npz", npz(points=CLOUD, label=3)),
        ("a.npz", npz(data=CLOUD, label=3)),
        ("a.npz", npz(anything=CLOUD)),
        ("a.h5", h5(data=CLOUD)),
        ("a.off", off(CLOUD, [])),
        ("a.ply", ply(rows(CLOUD).encode(), vertices=12, faces=0)),
        ("a.ply", ply(CLOUD.astype(">f4").tobytes(), "binary_big_endian", vertices=12, faces=0)),
        ("a.obj", "".join(f"v {line}\n" for line in rows(CLOUD).splitlines())),
    ],
)
def test_clouds_are_read_back_equal(put: Put, name: str, content: bytes | str) -> None:
    cloud = read(put(name, content))
    assert isinstance(cloud, PointCloud)
    assert cloud.points.dtype == np.float32
    np.testing.assert_array_equal(cloud.points, CLOUD)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.h5", "a.hdf5"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_index_picks_one_cloud(put: Put, name: str, dtype: type) -> None:
    clouds: np.ndarray = CLOUDS.astype(dtype)
    store = {"npy": lambda: npy(clouds), "npz": lambda: npz(data=clouds, label=np.zeros(3))}
    raw = store.get(name[2:], lambda: h5(data=clouds, label=np.zeros((3, 1))))()
    path = put(name, raw)
    for index in (None, 0, 2):
        np.testing.assert_array_equal(read_cloud(path, index), clouds[index or 0].astype(np.float32))
    for index in (3, -1):
        with pytest.raises(UserError, match=rf"index {index} is out of range; it has 3 example"):
            read(path, index)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.npz", npz(features=GRIDS, targets=np.arange(4))),
        ("a.npz", npz(features=GRIDS[:, 0].astype(np.float32))),
        ("a.npz", npz(grids=GRIDS)),
        ("a.npy", npy(GRIDS.astype(bool))),
        ("a.npy", npy(GRIDS[:, 0])),
    ],
)
def test_voxels_are_read_back_equal(put: Put, name: str, content: bytes) -> None:
    path = put(name, content)
    grid = read(path, 2)
    assert isinstance(grid, VoxelGrid)
    assert grid.occupancy.dtype == np.uint8
    np.testing.assert_array_equal(grid.occupancy, GRIDS[2, 0])
    with pytest.raises(UserError, match="not a point cloud"):
        load_points(path)


def test_npz_holds_a_mesh(put: Put) -> None:
    mesh = read(put("a.npz", npz(vertices=CORNERS, faces=TRIANGLES.astype(np.uint64))))
    assert isinstance(mesh, Mesh)
    np.testing.assert_array_equal(mesh.faces, TRIANGLES)


# --- the habits of the formats


@pytest.mark.parametrize("header", ["OFF\n", "OFF", "OFF ", "# by hand\nOFF\n# counts\n\n", "COFF\n"])
def test_off_headers_comments_and_polygons(put: Put, header: str) -> None:
    raw = off(SQUARE, [*POLYGONS, *PENTAGON], header).replace(b"\n3 0 1 2", b"\n# faces\n3 0 1 2 0.5 0.5 0.5")
    mesh = read(put("a.off", raw.replace(b"\n", b"\r\n")))
    assert isinstance(mesh, Mesh)
    np.testing.assert_array_equal(mesh.vertices, SQUARE)
    assert len(mesh.faces) == 6
    assert surface(mesh) == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("polygons", "binary"),
    [(POLYGONS, False), (PENTAGON, False), (POLYGONS[1:], False), (PENTAGON, True), (POLYGONS[1:], True)],
)
def test_ply_polygons_become_triangles(put: Put, polygons: list[list[int]], binary: bool) -> None:
    expected = surface(read(put("a.off", off(SQUARE, polygons))))  # type: ignore[arg-type]
    lines = "".join(" ".join(map(str, [len(p), *p])) + "\n" for p in polygons)
    body = SQUARE.tobytes() + binary_faces(polygons) if binary else (rows(SQUARE) + lines).encode()
    mesh = read(put("a.ply", ply(body, "binary_little_endian" if binary else "ascii", faces=len(polygons))))
    assert isinstance(mesh, Mesh)
    np.testing.assert_array_equal(mesh.vertices, SQUARE)
    assert surface(mesh) == pytest.approx(expected)


@pytest.mark.parametrize(
    "faces",
    [
        "f 1 2 3\nf 1 3 4 5\n",
        "usemtl red\nf 1/1/1 2/1/1 3/1/1\nusemtl blue\no second\nf 1//1 3//1 4//1 5//1 # quad\n",
        "vt 0 0\nvn 0 0 1\nf 1/1 2/1 3/1\nf\t-5 \\\n -3  -2 -1\n",
        "f 1 2 3 4 5\n",
    ],
)
def test_obj_polygons_groups_and_relative_indices(put: Put, faces: str) -> None:
    mesh = read(put("a.obj", "mtllib absent.mtl\n" + OBJ + faces))
    assert isinstance(mesh, Mesh)
    np.testing.assert_array_equal(mesh.vertices, SQUARE)
    assert (len(mesh.faces), surface(mesh)) == (3, pytest.approx(1.25))
