"""Scans: coordinates in their own frame, all columns, and one line for what is damaged."""

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.reference.files import Put
from tfxai3d.data import load_points
from tfxai3d.data.geometry import PointCloud
from tfxai3d.data.readers import lidar
from tfxai3d.data.readers.reading import read
from tfxai3d.errors import UserError

laspy = pytest.importorskip("laspy")
pye57 = pytest.importorskip("pye57")
RANDOM = np.random.default_rng(0)
PLACE = np.round(RANDOM.uniform(0, 50, (40, 3)) + np.array([635_000, 5_848_000, 400]), 2)


def las(path: Path, version: str = "1.4", point_format: int = 7) -> Path:
    """A LAS or LAZ file with an extra dimension of one number a point and one of two."""
    header = laspy.LasHeader(version=version, point_format=point_format)
    header.offsets, header.scales = PLACE.min(axis=0), np.array([0.01, 0.01, 0.01])
    header.add_extra_dim(laspy.ExtraBytesParams("Width", "float32"))
    header.add_extra_dim(laspy.ExtraBytesParams("pair", "2u1"))
    made = laspy.LasData(header)
    made.xyz = PLACE
    made.intensity, made.red = np.arange(40), np.arange(40) * 100
    made.classification = np.arange(40) % 5
    made["Width"], made["pair"] = np.arange(40) / 2, np.stack([np.arange(40), np.ones(40)], axis=1)
    made.write(path)
    return path


@pytest.mark.parametrize(("version", "point_format"), [("1.2", 3), ("1.4", 7)])
@pytest.mark.parametrize("suffix", ["las", "LAZ"])
def test_las_keeps_coordinates_and_columns(
    tmp_path: Path, suffix: str, version: str, point_format: int
) -> None:
    cloud = read(las(tmp_path / f"a.{suffix}", version, point_format))
    assert isinstance(cloud, PointCloud)
    np.testing.assert_allclose(
        cloud.points, PLACE, atol=1e-6
    )  # of millions: float32 would be half a metre off
    columns = cloud.columns
    assert columns["classification"].tolist() == (np.arange(40) % 5).tolist()
    assert columns["red"].tolist() == (np.arange(40) * 100).tolist()
    assert columns["width"].tolist() == (np.arange(40) / 2).tolist()
    assert columns["pair_0"].tolist() == list(range(40))


def test_a_network_of_four_channels_takes_what_it_wants(tmp_path: Path) -> None:
    loaded = load_points(las(tmp_path / "a.las"), features=["intensity"], up="z")
    assert (loaded.shape, loaded.dtype) == ((40, 4), np.float32)
    assert loaded[:, 3].tolist() == list(range(40))
    assert np.linalg.norm(loaded[:, :3], axis=1).max() == pytest.approx(1)


def test_e57_joins_scans_in_one_frame(tmp_path: Path) -> None:
    near, kept = RANDOM.uniform(1, 2, (20, 3)), np.arange(20) != 3
    fields = dict(zip(("cartesianX", "cartesianY", "cartesianZ"), near.T, strict=True))
    fields |= {"cartesianInvalidState": (~kept).astype(np.int8), "intensity": np.arange(20) / 20}
    file = pye57.E57(str(tmp_path / "a.e57"), mode="w")
    quarter = np.array([np.sqrt(0.5), 0, 0, np.sqrt(0.5)])  # about z
    for rotation, translation in ((np.array([1.0, 0, 0, 0]), [0, 0, 0]), (quarter, [10, 0, 0])):
        file.write_scan_raw(fields, rotation=rotation, translation=np.array(translation, float))
    file.close()
    cloud = read(tmp_path / "a.e57")
    assert isinstance(cloud, PointCloud)
    second = near[:, [1, 0, 2]] * (-1, 1, 1) + (10, 0, 0)
    np.testing.assert_allclose(cloud.points, np.concatenate([near[kept], second[kept]]), atol=1e-6)
    np.testing.assert_allclose(cloud.columns["intensity"][:19], (np.arange(20) / 20)[kept], atol=1e-6)


def test_e57_of_angles_and_distances() -> None:
    points = RANDOM.uniform(1, 2, (20, 3)) * (-1, 1, -1)
    spherical = {
        "sphericalRange": np.linalg.norm(points, axis=1),
        "sphericalAzimuth": np.arctan2(points[:, 1], points[:, 0]),
        "sphericalElevation": np.arctan2(points[:, 2], np.linalg.norm(points[:, :2], axis=1)),
    }
    header = SimpleNamespace(point_count=20, point_fields=list(spherical), has_pose=lambda: False)
    file = SimpleNamespace(get_header=lambda number: header, read_scan_raw=lambda *_, **__: spherical)
    np.testing.assert_allclose(np.stack(list(lidar._scan(file, 0).values()), axis=1), points)


def test_scans_of_floats(put: Put) -> None:
    scan = RANDOM.normal(size=(20, 4)).astype("<f4")
    cloud = read(put("a.bin", scan.tobytes()))
    assert isinstance(cloud, PointCloud)
    np.testing.assert_array_equal(cloud.points, scan[:, :3])
    np.testing.assert_array_equal(cloud.columns["intensity"], scan[:, 3])
    ringed = np.column_stack([scan, np.arange(20) % 8]).astype("<f4")
    cloud = read(put("b.pcd.bin", ringed.tobytes()))
    assert isinstance(cloud, PointCloud)
    assert cloud.columns["ring"].tolist() == (np.arange(20) % 8).tolist()
    for raw, message in (
        (scan.tobytes()[:-3], "has 317 bytes; a scan has 16"),
        (b"\xff\x7e" * 160, "no metres"),
    ):
        with pytest.raises(UserError, match=message):
            read(put("c.bin", raw))


@pytest.mark.parametrize("suffix", ["las", "laz", "e57"])
def test_damaged_scans_are_one_line(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix == "e57":
        file = pye57.E57(str(path), mode="w")
        file.write_scan_raw(dict(zip(("cartesianX", "cartesianY", "cartesianZ"), PLACE.T, strict=True)))
        file.close()
    else:
        las(path)
    raw = path.read_bytes()
    for damaged in (raw[: len(raw) // 2], raw[:-20], b"\0" * 400):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=rf"a\.{suffix}: ") as error:
            read(path)
        assert "\n" not in str(error.value)


def test_no_byte_of_a_las_file_does_harm(tmp_path: Path) -> None:
    """Its reader is called in this process, to be quick."""
    path = las(tmp_path / "a.las")
    raw = path.read_bytes()
    for number in range(100):
        damaged = bytearray(raw)
        damaged[RANDOM.integers(0, 375 if number % 2 else len(raw))] = RANDOM.integers(256)
        path.write_bytes(bytes(damaged))
        try:
            columns = lidar._las(str(path))
        except Exception:  # what it raises, the other process turns into a line
            continue
        assert len({len(column) for column in columns.values()}) == 1
        assert len(columns["x"]) <= len(raw)


@pytest.mark.data
@pytest.mark.skipif("TFXAI3D_DATA" not in os.environ, reason="needs TFXAI3D_DATA")
def test_real_scans() -> None:
    folder = Path(os.environ["TFXAI3D_DATA"], "lidar")
    for name, count, column in (
        ("1_4_w_evlr.laz", 1000, "gps_time"),
        ("simple.las", 1065, "red"),
        ("extra.laz", 1065, "time"),
    ):
        cloud = read(folder / name)
        assert isinstance(cloud, PointCloud)
        assert (len(cloud.points), len(cloud.columns[column])) == (count, count)
    assert load_points(folder / "scan_xyzi.npy", features=1).shape == (2048, 4)
    with pytest.raises(UserError, match="has 4 points; an object needs at least 10"):
        read(folder / "translationWithoutRotation.e57")
