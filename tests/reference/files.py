"""Objects, and the bytes of files that hold them."""

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pypcd4
import trimesh

from tfxai3d.data import MODELNET40_CLASSES
from tfxai3d.data.geometry import Mesh, PointCloud
from tfxai3d.data.readers.reading import read

RANDOM = np.random.default_rng(0)
CLOUD = RANDOM.normal(size=(12, 3)).astype(np.float32)
CLOUDS = RANDOM.normal(size=(3, 12, 3)).astype(np.float32)
GRIDS = (RANDOM.random((4, 1, 6, 6, 6)) < 0.3).astype(np.uint8)
BOX = trimesh.creation.box((1, 2, 3))
CORNERS, TRIANGLES = BOX.vertices.astype(np.float32), BOX.faces.astype(np.int32)

Put = Callable[[str, bytes | str], Path]


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


def binary_faces(polygons: list[list[int]]) -> bytes:
    return b"".join(struct.pack(f"<B{len(p)}i", len(p), *p) for p in polygons)


def rows(points: np.ndarray, separator: str = " ") -> str:
    return "".join(separator.join(map(repr, map(float, point))) + "\n" for point in points)


def off(points: np.ndarray, polygons: list[list[int]], header: str = "OFF\n") -> bytes:
    faces = "".join(" ".join(map(str, [len(p), *p])) + "\n" for p in polygons)
    return f"{header}{len(points)} {len(polygons)} 0\n{rows(points)}{faces}".encode()


SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [-0.5, 0.5, 0]], np.float32)
POLYGONS = [[0, 1, 2], [0, 2, 3, 4]]  # a triangle and a quad
PENTAGON = [[0, 1, 2, 3, 4]]


OBJ = "".join(f"v {line}\n" for line in rows(SQUARE).splitlines())


def read_cloud(path: Path, index: int | None = None) -> np.ndarray:
    cloud = read(path, index)
    assert isinstance(cloud, PointCloud)
    return cloud.points


def surface(mesh: Mesh) -> float:
    return float(trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).area)


def modelnet(folder: Path, clouds: np.ndarray, names: list[str]) -> Path:
    """Writes clouds (M,N,3) of these classes as ModelNet40's test split into a folder, and returns it."""
    folder.mkdir()
    (folder / "test_files.txt").write_text("data/test0.h5\n")
    labels = [[MODELNET40_CLASSES.index(name)] for name in names]
    (folder / "test0.h5").write_bytes(h5(data=clouds.astype("float32"), label=labels))
    return folder
