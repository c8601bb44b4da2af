"""Whatever is no object is one clear line."""

import io
import struct
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.reference.files import (
    BOX,
    CLOUD,
    CLOUDS,
    OBJ,
    POLYGONS,
    SQUARE,
    Put,
    binary_faces,
    h5,
    npy,
    npz,
    off,
    ply,
    rows,
)
from tfxai3d.data.geometry import Mesh, PointCloud
from tfxai3d.data.readers import arrays, reading
from tfxai3d.data.readers.loading import load_points
from tfxai3d.data.readers.reading import read
from tfxai3d.errors import UserError
from tfxai3d.storage import limits


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
    "wrong extension h5": ("a.h5", npy(CLOUD), "is no HDF5 file"),
    "wrong extension pcd": ("a.pcd", rows(CLOUD), "no complete PCD header"),
    "wrong extension stl": ("a.stl", off(SQUARE, POLYGONS), "is no text STL"),
    "text as xyz": ("a.xyz", "no points here\n", "has no rows of equally many numbers"),
    "only comments": ("a.xyz", "# nothing\n\n", "has no points"),
    "ragged columns": ("a.xyz", rows(CLOUD) + "1 2\n", "has rows of 3 and of 2 columns"),
    "few points": ("a.xyz", rows(CLOUD[:9]), "has 9 points; an object needs at least 10"),
    "few points in npy": ("a.npy", npy(CLOUD[:9]), "has 9 points"),
    "few vertices, no faces": ("a.off", off(SQUARE, []), "has 5 points"),
    "2-D": ("a.xyz", rows(CLOUD[:, :2]), "has no column z, only x y; give a cloud"),
    "2-D npy": ("a.npy", npy(CLOUD[:, :2]), "coordinates have shape (12, 2); give x y z"),
    "2-D h5": ("a.h5", h5(data=CLOUDS[..., :2]), "coordinates have shape (12, 2)"),
    "1-D npy": ("a.npy", npy(CLOUD[:, 0]), "holds float32(12,); give points (N,3) or (M,N,3)"),
    "text in npy": ("a.npy", npy(np.array([["a", "b", "c"]] * 12)), "give points (N,3)"),
    "identical": ("a.npy", npy(np.full((12, 3), 0.1)), "all 12 points are identical"),
    "nan": ("a.xyz", rows(spoiled(np.nan)), "NaN or infinite coordinates in 1 of 12 points; remove these"),
    "infinite": ("a.npy", npy(spoiled(np.inf)), "NaN or infinite coordinates in 1 of 12"),
    "overflow": ("a.npy", npy(spoiled(1).astype(np.float64) * 1e300), "NaN or infinite"),
    "nan ply": ("a.ply", ply(spoiled(np.nan).tobytes(), "binary_little_endian", 12, 0), "NaN or infinite"),
    "infinite pcd": ("a.pcd", PCD.format(n=12, data="ascii") + rows(spoiled(np.inf)), "NaN or infinite"),
    "nan pcd": ("a.pcd", PCD.format(n=12, data="ascii") + rows(CLOUD * np.nan), "has 0 points"),
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
    "ply that goes on": (
        "a.ply",
        ply(SQUARE.tobytes() + binary_faces(POLYGONS) + b"more", "binary_little_endian"),
        "holds 4 bytes more than its header declares",
    ),
    "ply with strips": (
        "a.ply",
        ply((rows(SQUARE) + "5 0 1 2 3 4\n").encode(), faces=1).replace(
            b"element face", b"element tristrips"
        ),
        "has triangle strips, which are not supported",
    ),
    "h5 of other names": (
        "a.h5",
        h5(one=CLOUD, more=CLOUDS, label=[1, 2]),
        "holds label (2,), more (3, 12, 3), one (12, 3); name the array to read",
    ),
    "empty h5": ("a.h5", h5(), "holds no array of numbers"),
    "npz of other names": ("a.npz", npz(a=CLOUD, b=CLOUD), "holds a (12, 3), b (12, 3); name the array"),
    "empty npz": ("a.npz", npz(), "holds no array of numbers"),
    "pickle": ("a.npy", npy(np.array([{}], object), allow_pickle=True), "pickles are refused"),
    "pickle in npz": ("a.npz", npz(points=np.array([{}], object)), "pickles are refused"),
    "empty grid": ("a.npz", npz(features=np.zeros((1, 1, 4, 4, 4), np.uint8)), "the voxel grid is empty"),
    "grid of one value": ("a.npz", npz(features=np.full((6, 6, 6), 7)), "all values of the volume are equal"),
    "volume with nan": ("a.npy", npy(np.full((20, 20, 20), np.nan)), "values that are NaN or infinite"),
    "huge npy": ("a.npy", huge_npy((1 << 40, 3)), "more than the limit of 4,294,967,296"),
    "large npy": ("a.npy", huge_npy((1 << 20, 3)), "declares 12,582,912 bytes but holds 100; it is cut off"),
    "huge npz": ("a.npz", huge_npz((1 << 40, 3)), "more than the limit"),
    "large npz": ("a.npz", huge_npz((1 << 20, 3)), "but holds 100"),
    "huge h5": ("a.h5", huge_h5((2, 1 << 40, 3)), "but holds 0; it is cut off"),
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
        PCD.format(n=12, data="ascii").replace("x y z", "x y i") + rows(CLOUD),
        "has no column z, only x y i; give a cloud with x, y and z",
    ),
    "huge off": ("a.off", "OFF\n99999999999999999999 5 0\n", "but has 0 lines; it is cut off"),
    "negative off": ("a.off", "OFF\n-1 -1 0\n", "but has 0 lines"),
    "huge ply": ("a.ply", ply(b"", vertices=1 << 60), "more than the limit"),
    "huge binary ply": (
        "a.ply",
        ply(bytes(8), "binary_little_endian", vertices=1 << 20),
        "declares 12,582,912 bytes but holds 8",
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
        "a.xyz": rows(CLOUD),
    }
    for name, raw in contents.items():
        with pytest.raises(UserError, match="more than the limit of 100"):
            read(put(name, raw))


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
