"""Every format is read back equal, and everything else is one clear line."""

import io
import os
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pypcd4
import pytest
import trimesh
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tfxai3d.data.geometry import Mesh, PointCloud, VoxelGrid
from tfxai3d.data.readers import arrays, reading
from tfxai3d.data.readers.reading import load_grid, load_points, read
from tfxai3d.data.voxelization import voxelize_points
from tfxai3d.errors import UserError
from tfxai3d.storage import limits

RANDOM = np.random.default_rng(0)
CLOUD = RANDOM.normal(size=(12, 3)).astype(np.float32)
CLOUDS = RANDOM.normal(size=(3, 12, 3)).astype(np.float32)
GRIDS = (RANDOM.random((4, 1, 6, 6, 6)) < 0.3).astype(np.uint8)
BOX = trimesh.creation.box((1, 2, 3))
CORNERS, TRIANGLES = BOX.vertices.astype(np.float32), BOX.faces.astype(np.int32)


def npy(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def h5(**arrays: Any) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as store:
        for name, array in arrays.items():
            store[name] = array
    return file.getvalue()


def pcd(points: np.ndarray, encoding: str, folder: Path) -> bytes:
    path = folder / "cloud.pcd"
    pypcd4.PointCloud.from_xyz_points(points).save(path, pypcd4.Encoding(encoding))
    return path.read_bytes()


def ply(
    body: bytes, kind: str = "ascii", vertices: int = 5, faces: int = 2, list_name: str = "vertex_indices"
) -> bytes:
    header = (
        f"ply\nformat {kind} 1.0\ncomment by hand\nelement vertex {vertices}\nproperty float x\n"
        f"property float y\nproperty float z\nelement face {faces}\n"
        f"property list uchar int {list_name}\nend_header\n"
    )
    return header.encode() + body


def rows(points: np.ndarray, separator: str = " ") -> str:
    return "".join(separator.join(map(repr, map(float, point))) + "\n" for point in points)


def off(points: np.ndarray, polygons: list[list[int]], header: str = "OFF\n") -> bytes:
    faces = "".join(" ".join(map(str, [len(p), *p])) + "\n" for p in polygons)
    return f"{header}{len(points)} {len(polygons)} 0\n{rows(points)}{faces}".encode()


SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [-0.5, 0.5, 0]], np.float32)
POLYGONS = [[0, 1, 2], [0, 2, 3, 4]]  # a triangle and a quad
PENTAGON = [[0, 1, 2, 3, 4]]


def read_cloud(path: Path, index: int | None = None) -> np.ndarray:
    cloud = read(path, index)
    assert isinstance(cloud, PointCloud)
    return cloud.points


def surface(mesh: Mesh) -> float:
    return float(trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).area)


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str, bytes | str], Path]:
    def write(name: str, content: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


Put = Callable[[str, bytes | str], Path]


# --- round trips


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


def test_a_mesh_a_cloud_and_voxels_become_grids_with_z_up(put: Put) -> None:
    mesh, cloud = put("a.off", BOX.export(file_type="off")), put("a.xyz", rows(CLOUD))
    lying = put("b.off", trimesh.creation.box((1, 3, 2)).export(file_type="off"))
    grid = load_grid(mesh)
    assert (grid.shape, grid.dtype) == ((32, 32, 32, 1), np.float32)
    assert [np.ptp(axis) + 1 for axis in np.nonzero(grid[..., 0])] == [
        10,
        18,
        24,
    ]  # planes between voxels touch both
    np.testing.assert_array_equal(load_grid(lying, up="y"), grid)
    np.testing.assert_array_equal(load_grid(cloud)[..., 0], voxelize_points(CLOUD))
    stored = put("a.npz", npz(features=GRIDS))
    for up in ("y", "z"):
        np.testing.assert_array_equal(load_grid(stored, 2, up=up)[..., 0], GRIDS[2, 0])  # type: ignore[arg-type]


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


def binary_faces(polygons: list[list[int]]) -> bytes:
    return b"".join(struct.pack(f"<B{len(p)}i", len(p), *p) for p in polygons)


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


OBJ = "".join(f"v {line}\n" for line in rows(SQUARE).splitlines())


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


# --- load_points


def test_a_mesh_is_sampled_by_the_seed(put: Put) -> None:
    path = put("box.off", BOX.export(file_type="off"))
    first, again, other = (load_points(path, 500, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert (first.shape, first.dtype) == ((500, 3), np.float32)
    np.testing.assert_allclose(first.mean(axis=0), 0, atol=1e-6)
    assert np.linalg.norm(first, axis=1).max() == pytest.approx(1)
    raw = load_points(path, normalize=False)
    assert len(raw) == 2048
    np.testing.assert_allclose(np.abs(raw).max(axis=0), [0.5, 1, 1.5], rtol=1e-2)


def test_a_cloud_is_thinned_by_the_seed_and_never_padded(put: Put) -> None:
    many = RANDOM.normal(size=(100, 3)).astype(np.float32)
    path = put("a.npy", npy(many))
    first, again, other = (load_points(path, 40, seed, normalize=False) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(np.unique(first, axis=0)) == 40
    assert set(map(tuple, first.tolist())) <= set(map(tuple, many.tolist()))
    for wanted in (100, 2048):
        np.testing.assert_array_equal(load_points(path, wanted, normalize=False), many)


def test_too_few_points_or_identical_samples(put: Put) -> None:
    nearly = np.zeros((10_000, 3), np.float32)
    nearly[0] = 1
    path = put("a.npy", npy(nearly))
    with pytest.raises(UserError, match=r"a\.npy: all points are identical"):
        load_points(path, 10)
    with pytest.raises(UserError, match="ask for at least 10"):
        load_points(path, 9)


# --- bad input


def spoiled(value: float) -> np.ndarray:
    points = CLOUD.copy()
    points[3, 1] = value
    return points


def huge_npy(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return file.getvalue() + bytes(100)


def huge_npz(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("points.npy", huge_npy(shape))
    return file.getvalue()


def huge_h5(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as store:
        store.create_dataset("data", shape, "f4", chunks=(1, 1 << 10, 3))
    return file.getvalue()


PCD = (
    "VERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH {n}\nHEIGHT 1\n"
    "VIEWPOINT 0 0 0 1 0 0 0\nPOINTS {n}\nDATA {data}\n"
)
NAN_STL = BOX.copy()
NAN_STL.vertices[0, 0] = np.nan
BAD: dict[str, tuple[str, bytes | str, str]] = {
    "unknown extension": ("a.glb", b"glTF", "unknown extension '.glb'; give one of .off .ply"),
    "no extension": ("a", b"OFF", "unknown extension ''; give one of"),
    "wrong extension off": ("a.off", BOX.export(file_type="ply"), "does not start with OFF"),
    "wrong extension ply": ("a.ply", off(SQUARE, POLYGONS), "no complete PLY header"),
    "wrong extension npy": ("a.npy", npz(points=CLOUD), "not a readable NPY file"),
    "wrong extension npz": ("a.npz", npy(CLOUD), "not a readable NPZ file"),
    "wrong extension h5": ("a.h5", npy(CLOUD), "not a readable H5 file"),
    "wrong extension pcd": ("a.pcd", rows(CLOUD), "no complete PCD header"),
    "wrong extension stl": ("a.stl", off(SQUARE, POLYGONS), "is no text STL"),
    "text as xyz": ("a.xyz", "x,y,z\n1,2,3\n", "not a readable XYZ file"),
    "only comments": ("a.xyz", "# nothing\n\n", "has no points"),
    "ragged columns": ("a.xyz", rows(CLOUD) + "1 2\n", "not a readable XYZ file"),
    "few points": ("a.xyz", rows(CLOUD[:9]), "has 9 points; an object needs at least 10"),
    "few points in npy": ("a.npy", npy(CLOUD[:9]), "has 9 points"),
    "few vertices, no faces": ("a.off", off(SQUARE, []), "has 5 points"),
    "2-D": ("a.xyz", rows(CLOUD[:, :2]), "coordinates have shape (12, 2); give x y z"),
    "2-D npy": ("a.npy", npy(CLOUD[:, :2]), "coordinates have shape (12, 2)"),
    "2-D h5": ("a.h5", h5(data=CLOUDS[..., :2]), "coordinates have shape (12, 2)"),
    "1-D npy": ("a.npy", npy(CLOUD[:, 0]), "holds float32(12,); give points (N,3) or (M,N,3)"),
    "text in npy": ("a.npy", npy(np.array([["a", "b", "c"]] * 12)), "give points (N,3)"),
    "identical": ("a.npy", npy(np.full((12, 3), 0.1)), "all 12 points are identical"),
    "nan": ("a.xyz", rows(spoiled(np.nan)), "NaN or infinite coordinates in 1 of 12 points; remove these"),
    "infinite": ("a.npy", npy(spoiled(np.inf)), "NaN or infinite coordinates in 1 of 12"),
    "overflow": ("a.npy", npy(spoiled(1).astype(np.float64) * 1e300), "NaN or infinite"),
    "nan ply": ("a.ply", ply(spoiled(np.nan).tobytes(), "binary_little_endian", 12, 0), "NaN or infinite"),
    "nan pcd": ("a.pcd", PCD.format(n=12, data="ascii") + rows(spoiled(np.nan)), "NaN or infinite"),
    "nan off": ("a.off", off(SQUARE, POLYGONS).replace(b"1.0", b"nan", 1), "NaN or infinite"),
    "nan obj": ("a.obj", OBJ.replace("1.0", "nan", 1) + "f 1 2 3\n", "NaN or infinite"),
    "nan stl": ("a.stl", NAN_STL.export(file_type="stl"), "NaN or infinite"),
    "nan h5": ("a.h5", h5(data=spoiled(np.nan)[None]), "NaN or infinite"),
    "stl without faces": ("a.stl", bytes(84), "is a mesh with no faces; export it with faces"),
    "ascii stl without faces": ("a.stl", "solid a\nendsolid a\n", "is a mesh with no faces"),
    "zero area": ("a.off", off(SQUARE, [[0, 1, 1], [2, 2, 2]]), "zero surface area"),
    "a line": ("a.off", off(np.outer([1, 2, 3.3], CLOUD[0]), [[0, 1, 2]]), "zero surface area"),
    "face index": ("a.off", off(SQUARE, [[0, 1, 5]]), "face index out of range, 5 with 5 vertices"),
    "negative face index": ("a.off", off(SQUARE, [[0, 1, -1]]), "face index out of range, -1"),
    "face index ply": (
        "a.ply",
        ply((rows(SQUARE) + "3 0 1 9\n").encode(), faces=1),
        "face index out of range, 9",
    ),
    "face index obj": ("a.obj", OBJ + "f 1 2 6\n", "face index out of range"),
    "face zero obj": ("a.obj", OBJ + "f 1 0 2\n", "face index out of range: OBJ counts from 1"),
    "face relative obj": ("a.obj", OBJ + "f -1 -2 -3\nv 9 9 9\n", "negative face indices between vertices"),
    "face index npz": ("a.npz", npz(vertices=SQUARE, faces=[[0, 1, 5]]), "face index out of range"),
    "float faces": ("a.npz", npz(vertices=SQUARE, faces=[[0.0, 1, 2]]), "give vertex numbers"),
    "quads in npz": ("a.npz", npz(vertices=SQUARE, faces=[[0, 1, 2, 3]]), "give vertex numbers"),
    "ply with unknown faces": (
        "a.ply",
        ply((rows(SQUARE) + "3 0 1 2\n").encode(), faces=1, list_name="corners"),
        "without `vertex_indices`",
    ),
    "mixed binary ply": (
        "a.ply",
        ply(SQUARE.tobytes() + binary_faces(POLYGONS), "binary_little_endian"),
        "different numbers of corners",
    ),
    "mixed binary ply of matching length": (
        "a.ply",
        ply(
            SQUARE.tobytes() + binary_faces([[0, 1, 2, 3], [0, 1, 2], *PENTAGON]),
            "binary_little_endian",
            faces=3,
        ),
        "different numbers of corners",
    ),
    "h5 without data": (
        "a.h5",
        h5(points=CLOUD),
        "has no dataset `data`, only points; store the points there",
    ),
    "empty h5": ("a.h5", h5(), "has no dataset `data`, only nothing"),
    "npz of other names": ("a.npz", npz(a=CLOUD, b=CLOUD), "holds a, b; name the array"),
    "empty npz": ("a.npz", npz(), "holds nothing; name the array"),
    "pickle": ("a.npy", npy(np.array([{}], object), allow_pickle=True), "pickles are refused"),
    "pickle in npz": ("a.npz", npz(points=np.array([{}], object)), "pickles are refused"),
    "empty grid": ("a.npz", npz(features=np.zeros((1, 1, 4, 4, 4), np.uint8)), "the voxel grid is empty"),
    "grey grid": ("a.npz", npz(features=GRIDS * 255), "values other than 0 and 1"),
    "grid of another shape": ("a.npz", npz(features=CLOUD), "give voxels (D,H,W)"),
    "huge npy": ("a.npy", huge_npy((1 << 40, 3)), "more than the limit of 4,294,967,296"),
    "large npy": ("a.npy", huge_npy((1 << 20, 3)), "declares 12,582,912 bytes but holds 100; it is cut off"),
    "huge npz": ("a.npz", huge_npz((1 << 40, 3)), "more than the limit"),
    "large npz": ("a.npz", huge_npz((1 << 20, 3)), "but holds 100"),
    "huge h5": ("a.h5", huge_h5((2, 1 << 40, 3)), "more than the limit"),
    "huge pcd": ("a.pcd", PCD.format(n=1 << 50, data="binary"), "more than the limit"),
    "large pcd": ("a.pcd", PCD.format(n=1 << 20, data="binary"), "but holds 0; it is cut off"),
    "large compressed pcd": (
        "a.pcd",
        PCD.format(n=1 << 20, data="binary_compressed") + "0123456789",
        "it is cut off",
    ),
    "wide pcd": (
        "a.pcd",
        PCD.format(n=12, data="ascii").replace("1 1 1", "1 1 9999999999"),
        "columns; it is damaged",
    ),
    "pcd without z": (
        "a.pcd",
        PCD.format(n=12, data="ascii").replace("x y z", "x y i"),
        "give a cloud with x, y and z",
    ),
    "huge off": ("a.off", "OFF\n99999999999999999999 5 0\n", "but has 0 lines; it is cut off"),
    "negative off": ("a.off", "OFF\n-1 -1 0\n", "but has 0 lines"),
    "huge ply": ("a.ply", ply(b"", vertices=1 << 60), "fewer than its header declares"),
    "huge binary ply": (
        "a.ply",
        ply(bytes(8), "binary_little_endian", vertices=1 << 60),
        "not a readable PLY file",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_line(put: Put, case: str) -> None:
    name, content, message = BAD[case]
    path = put(name, content)
    with pytest.raises(UserError) as error:
        read(path)
    text = str(error.value)
    assert text.startswith(f"{path}: ")
    assert message in text
    assert "\n" not in text


@pytest.mark.parametrize("suffix", reading.EXTENSIONS)
def test_missing_empty_or_folder(put: Put, tmp_path: Path, suffix: str) -> None:
    with pytest.raises(UserError, match=r"absent\..*: no such file; check the path"):
        read(tmp_path / f"absent{suffix}")
    with pytest.raises(UserError, match="is empty; fetch or export it again"):
        read(put(f"empty{suffix}", b""))
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(UserError, match="is a folder; give a file"):
        load_points(str(tmp_path / f"folder{suffix}"))


def test_a_file_of_one_object_has_only_index_zero(put: Put) -> None:
    path = put("a.off", off(SQUARE, POLYGONS))
    assert isinstance(read(path, 0), Mesh)
    with pytest.raises(UserError, match=r"index 1 is out of range; it has 1 example"):
        read(path, 1)


def test_size_limits(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (arrays, limits):
        monkeypatch.setattr(module, "MAX_BYTES", 100)
    monkeypatch.setattr(reading, "_MAX_SINGLE_BYTES", 100)
    contents: dict[str, bytes | str] = {
        "a.npy": npy(CLOUD),
        "a.npz": npz(a=CLOUD),
        "a.h5": h5(data=CLOUD),
        "a.xyz": rows(CLOUD),
    }
    for name, raw in contents.items():
        with pytest.raises(UserError, match="more than the limit of 100"):
            read(put(name, raw))


# --- truncation and fuzzing


def valid_files(folder: Path) -> dict[str, tuple[str, bytes]]:
    """One or more valid files per format."""
    return {
        "off": ("off", off(SQUARE, POLYGONS)),
        "off header": ("off", off(SQUARE, POLYGONS, "OFF")),
        "ply ascii": ("ply", BOX.export(file_type="ply", encoding="ascii")),
        "ply mixed": ("ply", ply((rows(SQUARE) + "3 0 1 2\n4 0 2 3 4\n").encode())),
        "ply binary": ("ply", BOX.export(file_type="ply")),
        "stl binary": ("stl", BOX.export(file_type="stl")),
        "stl ascii": ("stl", BOX.export(file_type="stl_ascii").encode()),
        "obj": ("obj", (OBJ + "f 1/1 2/1 3/1\nf -1 -2 -3 -5\n").encode()),
        "xyz": ("xyz", rows(CLOUD).encode()),
        "npy": ("npy", npy(CLOUDS)),
        "npz": ("npz", npz(points=CLOUDS)),
        "npz mesh": ("npz", npz(vertices=CORNERS, faces=TRIANGLES)),
        "npz voxels": ("npz", npz(features=GRIDS)),
        "h5": ("h5", h5(data=CLOUDS, label=np.zeros((3, 1)))),
        "pcd ascii": ("pcd", pcd(CLOUD, "ascii", folder)),
        "pcd binary": ("pcd", pcd(CLOUD, "binary", folder)),
        "pcd compressed": ("pcd", pcd(CLOUD, "binary_compressed", folder)),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def valid(folder: Path) -> dict[str, tuple[str, bytes]]:
    return valid_files(folder)


KINDS = [
    "off", "off header", "ply ascii", "ply mixed", "ply binary", "stl binary", "stl ascii", "obj", "xyz",
    "npy", "npz", "npz mesh", "npz voxels", "h5", "pcd ascii", "pcd binary", "pcd compressed",
]  # fmt: skip


def attempt(folder: Path, suffix: str, content: bytes) -> bool:
    """Reads `content`; whether it was valid. Anything but a valid object or a UserError fails the test."""
    path = folder / f"fuzzed.{suffix}"
    path.write_bytes(content)
    message, points = "", np.zeros(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd escapes in a damaged header
            read(path)
            points = load_points(path, 16)
    except UserError as error:
        message = str(error)
    if message:
        assert message.startswith(f"{path}: ")
        assert "\n" not in message
        return "a voxel grid is not a point cloud" in message
    assert points.dtype == np.float32
    assert np.isfinite(points).all()
    assert np.abs(points).max() <= 1 + 1e-6
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_file_is_an_error(folder: Path, valid: dict[str, tuple[str, bytes]], kind: str) -> None:
    suffix, raw = valid[kind]
    assert attempt(folder, suffix, raw)
    # What XYZ and OBJ have left is a file of its own, and so are shorter digits at the end of any text.
    text = suffix == "off" or "ascii" in kind or "mixed" in kind
    end = 0 if suffix in ("xyz", "obj") else raw.rstrip().rfind(b"\n") if text else len(raw)
    for length in np.unique(np.linspace(0, len(raw) - 1, 80).astype(int)):
        assert not attempt(folder, suffix, raw[:length]) or length >= end, length


def fuzz(test: Any) -> Any:
    quiet = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=60, deadline=None, suppress_health_check=quiet)(test)


@pytest.mark.parametrize("kind", KINDS)
@fuzz
@given(where=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_a_corrupted_byte_does_no_harm(
    folder: Path, valid: dict[str, tuple[str, bytes]], kind: str, where: float, byte: int
) -> None:
    suffix, raw = valid[kind]
    damaged = bytearray(raw)
    damaged[int(where * len(raw))] = byte
    attempt(folder, suffix, bytes(damaged))


@pytest.mark.parametrize("kind", KINDS)
@fuzz
@given(where=st.floats(0, 1, exclude_max=True), junk=st.binary(max_size=20), skip=st.integers(0, 20))
def test_spliced_bytes_do_no_harm(
    folder: Path, valid: dict[str, tuple[str, bytes]], kind: str, where: float, junk: bytes, skip: int
) -> None:
    suffix, raw = valid[kind]
    at = int(where * len(raw))
    attempt(folder, suffix, raw[:at] + junk + raw[at + skip :])


MAGIC = {
    "off": b"OFF\n",
    "ply": b"ply\n",
    "npy": b"\x93NUMPY\x01\x00",
    "npz": b"PK\x03\x04",
    "h5": b"\x89HDF\r\n\x1a\n",
}


@pytest.mark.parametrize("suffix", [suffix[1:] for suffix in reading.EXTENSIONS])
@fuzz
@example(content=b"\n")
@example(content=b"\x00")
@given(
    content=st.binary(max_size=300) | st.text("0123456789 .-eEnaif/vsolid\n#,", max_size=300).map(str.encode)
)
def test_arbitrary_bytes_do_no_harm(folder: Path, suffix: str, content: bytes) -> None:
    attempt(folder, suffix, content)
    attempt(folder, suffix, MAGIC.get(suffix, b"") + content)


def test_an_h5_chunk_smaller_than_its_checksum_does_not_crash(put: Put) -> None:
    file = io.BytesIO()
    with h5py.File(file, "w") as store:
        data = store.create_dataset(
            "data", data=CLOUDS, chunks=(1, 12, 3), compression="gzip", fletcher32=True
        )
        size = data.id.get_chunk_info(0).size
    raw, key = file.getvalue(), struct.pack("<II", size, 0)  # stored size and filter mask in the B-tree
    assert isinstance(read(put("a.h5", raw)), PointCloud)
    with pytest.raises(UserError, match="damaged chunk"):
        read(put("a.h5", raw.replace(key, bytes(8), 1)))


# --- the real data


@pytest.fixture
def real() -> Path:
    folder = os.environ.get("TFXAI3D_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("TFXAI3D_DATA names no folder")
    return Path(folder)


@pytest.mark.data
def test_every_modelnet10_mesh_is_read(real: Path) -> None:
    paths = sorted(real.glob("ModelNet10/*/*/*.off"))
    assert len(paths) == 240
    for path in paths:
        assert isinstance(read(path), Mesh), path
    points = load_points(paths[0], 1024)
    assert points.shape == (1024, 3)


@pytest.mark.data
def test_single_meshes_and_stores_are_read(real: Path) -> None:
    bunny = read(real / "meshes/stanford_bunny.ply")
    assert isinstance(bunny, Mesh)
    assert (len(bunny.vertices), len(bunny.faces)) == (1889, 3851)
    airplane = read(real / "meshes/airplane_0003.off")
    assert isinstance(airplane, Mesh)
    assert (len(airplane.vertices), len(airplane.faces)) == (42472, 44580)
    assert load_points(real / "modelnet40_ply_hdf5_1024/ply_data_test0.h5", index=5).shape == (1024, 3)
    grid = read(real / "modelnet10_voxels/modelnet10_test.npz", 907)
    assert isinstance(grid, VoxelGrid)
    assert grid.occupancy.shape == (32, 32, 32)
