"""Large clouds in parts: what a network sees of them, and the way back to every point."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.files import Put, npy, rows
from tfxai3d.data import cells, cut_tiles, load_points, open_cloud, read, tiles
from tfxai3d.data.readers import clouds
from tfxai3d.errors import UserError

RANDOM = np.random.default_rng(0)
SCAN = np.column_stack([RANDOM.uniform(-10, 30, (3000, 2)), RANDOM.normal(size=(3000, 2))]).astype(np.float32)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clouds, "PART", 700)
    monkeypatch.setattr(cells, "_LEAST", 500)


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scan") / "a.npy"
    path.write_bytes(npy(SCAN))
    return path


def slow_spread(cut: tiles.Tiles, points: np.ndarray, values: list[np.ndarray], size: float) -> np.ndarray:
    """The nearest point of its tile for each point, one by one."""
    result = np.zeros(len(points))
    for number, point in enumerate(points.astype(np.float64)):
        for tile, own in zip(cut.tiles, values, strict=True):
            if tuple(np.floor(point[:2] / size)) == tile.cell:
                result[number] = own[np.linalg.norm(tile.points - point, axis=1).argmin()]
    return result


def test_every_point_gets_the_importance_of_its_nearest(put: Put) -> None:
    path = put("a.npy", npy(SCAN))
    cut = cut_tiles(path, 40, tile_size=7.5, features=1, up="z")
    assert cut.features == ("column_4",)
    values = [RANDOM.normal(size=len(tile.points)) for tile in cut.tiles]
    found = cut.spread(values)
    np.testing.assert_allclose(found, slow_spread(cut, SCAN[:, :3], values, 7.5), rtol=1e-6)
    for tile, own in zip(cut.tiles, values, strict=True):  # those that were seen get their own
        same = (SCAN[:, None, :3] == tile.points).all(axis=2)
        assert same.any(axis=0).all()
        np.testing.assert_allclose(found[same.argmax(axis=0)], own, rtol=1e-6)
        assert tile.inputs.dtype == np.float32
        assert np.linalg.norm(tile.inputs[:, :3], axis=1).max() == pytest.approx(1)
        np.testing.assert_array_equal(tile.inputs[:, 3], SCAN[same.argmax(axis=0), 3])
    with pytest.raises(UserError, match="one value for each point"):
        cut.spread(values[1:])


def test_without_options_it_is_a_random_part_of_all(put: Put) -> None:
    path = put("a.xyz", rows(SCAN[:, :3]).encode())
    counts = np.zeros(3000)
    for seed in range(30):
        (tile,) = cut_tiles(path, 300, seed=seed).tiles
        assert len(np.unique(tile.points, axis=0)) == 300
        counts += (SCAN[:, None, :1] == tile.points[:, :1].astype(np.float32)).any(axis=(1, 2))
    assert counts.mean() == pytest.approx(3)
    assert counts.var() == pytest.approx(30 * 0.1 * 0.9, rel=0.1)  # a binomial: each point as likely
    first, again = (cut_tiles(path, 300, seed=7).tiles[0].inputs for _ in range(2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, load_points(path, 300, seed=7))
    (whole,) = cut_tiles(path, 5000).tiles
    assert len(whole.points) == 3000


@settings(max_examples=15, deadline=None)
@given(size=st.floats(0.3, 20), low=st.floats(-10, 10))
def test_one_point_a_voxel_within_the_region(scan: Path, size: float, low: float) -> None:
    region = (low, -20, -9, low + 15, 40, 9)
    inside = ((SCAN[:, :3] >= region[:3]) & (SCAN[:, :3] <= region[3:])).all(axis=1)
    expected = np.unique(np.floor(SCAN[inside, :3].astype(np.float64) / size), axis=0)
    if len(expected) < 10:
        with pytest.raises(UserError, match="has no 10 points"):
            cut_tiles(scan, 5000, region=region, voxel_size=size)
        return
    cut = cut_tiles(scan, 5000, region=region, voxel_size=size)
    (tile,) = cut.tiles
    found = np.floor(tile.points / size)
    np.testing.assert_array_equal(found[np.lexsort(found.T[::-1])], expected)
    spread = cut.spread([np.ones(len(tile.points))])
    np.testing.assert_array_equal(spread, inside)


@pytest.mark.parametrize("up", ["y", "z"])
def test_small_tiles_are_left_out_with_a_notice(put: Put, caplog: pytest.LogCaptureFixture, up: str) -> None:
    across = 1 if up == "z" else 2
    cloud = SCAN[:, :3].copy()
    cloud[:, 3 - across] = RANDOM.uniform(0, 99, 3000)  # the height: of no account for the tiles
    cloud[:, 0], cloud[:, across] = 0.5, 0.5
    cloud[:9, 0] = 5.5
    cut = cut_tiles(put("a.npy", npy(cloud)), 5000, tile_size=1, up=up)  # type: ignore[arg-type]
    assert [tile.cell for tile in cut.tiles] == [(0, 0)]
    assert caplog.text.count("left out 1 tiles of fewer than 10 points") == 1
    np.testing.assert_array_equal(cut.spread([np.ones(2991)]), np.arange(3000) >= 9)


def test_a_picture_shows_points_of_all_tiles(put: Put) -> None:
    path = put("a.npy", npy(SCAN))
    cut = cut_tiles(path, 20, tile_size=10, region=(0, 0, -9, 20, 20, 9), up="z")
    numbers, points = cut.sample(100)
    assert (len(np.unique(numbers)), points.shape) == (100, (100, 3))
    np.testing.assert_array_equal(points, SCAN[numbers, :3])
    assert ((points[:, :2] >= 0) & (points[:, :2] <= 20)).all()
    assert (
        len(cut.sample(10_000)[0])
        == (cut.spread([np.ones(len(tile.points)) for tile in cut.tiles]) > 0).sum()
    )


def test_coordinates_of_maps_are_cut_where_they_are(put: Put) -> None:
    far = SCAN[:, :3] + np.array([635_000.25, 5_848_000.5, 400])
    cut = cut_tiles(put("a.npy", npy(far)), 100, tile_size=10, up="z")
    assert cut.tiles[0].cell == (63499, 584799)
    tile = cut.tiles[3]
    assert (far[:, None] == tile.points).all(axis=2).any(axis=0).all()


def test_parts_are_the_whole(put: Put) -> None:
    table = np.rec.fromarrays([*SCAN.T[[2, 0, 1, 3]]], names="Z,X,Y,Intensity")
    for path in (put("a.npy", npy(table)), put("b.csv", b"x,y,z,intensity\n" + rows(SCAN, ",").encode())):
        cloud = open_cloud(path)
        assert (cloud.count, cloud.columns) == (3000, ("intensity",))
        points, features = map(np.concatenate, zip(*cloud.parts(["intensity"]), strict=True))
        np.testing.assert_allclose(np.hstack([points, features]), SCAN, rtol=1e-6)


@pytest.mark.parametrize("suffix", ["las", "laz"])
def test_parts_of_las_are_the_whole(tmp_path: Path, suffix: str) -> None:
    laspy = pytest.importorskip("laspy")
    header = laspy.LasHeader(version="1.4", point_format=6)
    header.scales, header.offsets = [0.001] * 3, [635_000, 5_848_000, 0]
    made = laspy.LasData(header)
    made.xyz = SCAN[:, :3] + header.offsets
    made.intensity = np.arange(3000)
    path = tmp_path / f"a.{suffix}"
    made.write(path)
    whole = read(path)
    cloud = open_cloud(path)
    assert set(cloud.columns) == set(whole.columns)  # type: ignore[union-attr]
    parts = list(cloud.parts(["intensity"]))
    assert [len(points) for points, _ in parts] == [700, 700, 700, 700, 200]
    np.testing.assert_array_equal(np.concatenate([points for points, _ in parts]), whole.points)  # type: ignore[union-attr]
    assert np.concatenate([features for _, features in parts])[:, 0].tolist() == list(range(3000))
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(UserError, match=rf"a\.{suffix}: "):
        list(open_cloud(path).parts())


def test_memory_does_not_grow_with_the_points(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        path = tmp_path / f"{count}.npy"
        np.save(path, np.resize(SCAN, (count, 4)))
        tracemalloc.start()
        cut = cut_tiles(path, 100, voxel_size=5, up="z")
        assert len(cut.tiles[0].points) == 100
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(3000)
    assert peak(60_000) < 1.5 * peak(6000)


def test_mistakes_are_said(put: Put) -> None:
    path = put("a.npy", npy(SCAN))
    cases: list[tuple[dict[str, object], str]] = [
        ({"region": (0, 0, 0, 1, 1)}, "region needs six numbers"),
        ({"region": (0, 0, 0, 1, 0, 1)}, "region needs six numbers"),
        ({"region": (0, 0, 0, np.nan, 1, 1)}, "region needs six numbers"),
        ({"voxel_size": 0}, "voxel_size is 0: it must be above 0"),
        ({"tile_size": np.inf}, "tile_size is inf"),
        ({"tile_size": 1e-12}, "tile_size is 1e-12: too small for coordinates"),
        ({"num_points": 9}, "num_points is 9"),
        ({"features": ["red"]}, "a.npy: has no column 'red'; it has column_4"),
        ({"region": (90, 90, 90, 91, 91, 91)}, "has no 10 points in one tile"),
    ]
    for options, message in cases:
        with pytest.raises(UserError, match=message):
            cut_tiles(path, **options)  # type: ignore[arg-type]
    bad = SCAN.copy()
    bad[5, 3] = np.nan
    with pytest.raises(UserError, match=r"a\.npy: has values in the column column_4 that are NaN"):
        cut_tiles(put("a.npy", npy(bad)), features=1)
    bad[5, 0] = np.inf
    with pytest.raises(UserError, match=r"a\.npy: has NaN or infinite coordinates in 1 of 700 points"):
        cut_tiles(put("a.npy", npy(bad)))
    with pytest.raises(UserError, match=r"b\.npy: has 9 points"):
        cut_tiles(put("b.npy", npy(SCAN[:9])))
    with pytest.raises(UserError, match=r"c\.npy: a voxel grid is not a point cloud"):
        open_cloud(put("c.npy", npy(np.ones((4, 4, 4), np.uint8))))
