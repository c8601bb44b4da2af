"""Truncated, corrupted and arbitrary files end in an object or a UserError."""

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
    h5,
    npy,
    npz,
    off,
    pcd,
    ply,
    rows,
)
from tfxai3d.data.readers import reading
from tfxai3d.data.readers.reading import load_points, read
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
