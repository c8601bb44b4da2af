"""Truncated, corrupted and arbitrary files end in an object or a UserError."""

import gzip
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.reference.files import (
    BOX,
    CLOUD,
    CLOUDS,
    CORNERS,
    GRIDS,
    OBJ,
    POLYGONS,
    SQUARE,
    TRIANGLES,
    binary_faces,
    h5,
    npy,
    npz,
    off,
    pcd,
    ply,
    rows,
)
from tfxai3d.data.readers import reading
from tfxai3d.data.readers.loading import load_points
from tfxai3d.data.readers.reading import read
from tfxai3d.errors import UserError


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
        "pts": ("pts", ("12\n" + rows(np.hstack([CLOUD, CLOUD]))).encode()),
        "csv title": (
            "csv",
            ("intensity;Y;X;z\n" + rows(CLOUD[:, [0, 1, 2, 0]], ";").replace(".", ",")).encode(),
        ),
        "off numbers": ("off", off(SQUARE, POLYGONS).replace(b" ", b"\n")),
        "ply lists": ("ply", ply(SQUARE.tobytes() + binary_faces(POLYGONS), "binary_little_endian")),
        "binvox": ("binvox", b"#binvox 1\ndim 4 4 4\ndata\n" + bytes([0, 20, 1, 24, 0, 20])),
        "gzip": ("xyz.gz", gzip.compress(rows(CLOUD).encode())),
        "npy table": ("npy", npy(np.rec.fromarrays([*CLOUD.T, CLOUD[:, 0]], names="x,y,z,i"))),
        "npy": ("npy", npy(CLOUDS)),
        "npz": ("npz", npz(points=CLOUDS)),
        "npz mesh": ("npz", npz(vertices=CORNERS, faces=TRIANGLES)),
        "npz voxels": ("npz", npz(features=GRIDS)),
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
    "pts", "csv title", "off numbers", "ply lists", "binvox", "gzip", "npy table",
    "npy", "npz", "npz mesh", "npz voxels", "pcd ascii", "pcd binary", "pcd compressed",
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
    text = suffix in ("off", "pts") or "ascii" in kind or "mixed" in kind
    end = 0 if suffix in ("xyz", "csv", "obj") else raw.rstrip().rfind(b"\n") if text else len(raw)
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


def test_damaged_h5_files_do_no_harm(folder: Path) -> None:
    """Few of them, for each is read by a process of its own."""
    raw = h5(data=CLOUDS, label=np.zeros((3, 1)))
    assert attempt(folder, "h5", raw)
    random = np.random.default_rng(0)
    for length in random.integers(8, len(raw), 3):
        assert not attempt(folder, "h5", raw[:length])
    for _ in range(6):
        damaged = bytearray(raw)
        damaged[random.integers(8, len(raw))] ^= 255
        attempt(folder, "h5", bytes(damaged))


# Their readers are called in processes of their own; each has a test of its own damages.
ELSEWHERE = (".las", ".laz", ".e57", ".nrrd", ".nhdr", ".mha", ".mhd", ".dcm")
MAGIC = {
    "off": b"OFF\n",
    "ply": b"ply\n",
    "npy": b"\x93NUMPY\x01\x00",
    "npz": b"PK\x03\x04",
}


@pytest.mark.parametrize("suffix", ["pcd", "ply", "off", "obj", "stl", "xyz", "csv", "binvox"])
@pytest.mark.parametrize("filling", [b"\n", b" ", b",", b"1", b"- ", b"ply\n", b"# DATA "])
def test_the_same_over_and_over_takes_no_time(folder: Path, suffix: str, filling: bytes) -> None:
    began = time.process_time()
    attempt(folder, suffix, MAGIC.get(suffix, b"") + filling * (200_000 // len(filling)))
    assert time.process_time() - began < 5


@pytest.mark.parametrize("suffix", [suffix[1:] for suffix in reading.EXTENSIONS if suffix not in ELSEWHERE])
@fuzz
@example(content=b"\n")
@example(content=b"\x00")
@given(
    content=st.binary(max_size=300) | st.text("0123456789 .-eEnaif/vsolid\n#,", max_size=300).map(str.encode)
)
def test_arbitrary_bytes_do_no_harm(folder: Path, suffix: str, content: bytes) -> None:
    attempt(folder, suffix, content)
    attempt(folder, suffix, MAGIC.get(suffix, b"") + content)
