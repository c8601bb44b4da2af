"""Scans of more points than a network takes: explained in tiles, the map of every point in their file."""

import json

import numpy as np
import pytest

from tests.reference.files import npy
from tfxai3d.data import read
from tfxai3d.explain import Explanation
from tfxai3d.view.picture import process

RANDOM = np.random.default_rng(0)
SCAN = np.column_stack([RANDOM.uniform(0, 20, (900, 2)), RANDOM.normal(size=(900, 2))]).astype(np.float32)


@pytest.fixture
def run(run_app, tiny_presets, tmp_path):
    where = (f"--model={tiny_presets / 'points'}", f"--output_dir={tmp_path / 'out'}", "--up=z")

    def run(*arguments, app="explain", more=("--methods=vanilla_gradient", "--num_points=50")):
        return run_app(app, *where, *more, *arguments)

    return run


def test_tiles_of_a_scan(run, tmp_path, monkeypatch, caplog):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(process, "find_spec", lambda name: None)  # view's tests draw with Open3D
    (tmp_path / "street.npy").write_bytes(npy(SCAN))
    code, _, err = run(f"--input={tmp_path / 'street.npy'}", "--tile_size=10")
    assert code == 0, err
    assert caplog.text.count("the network sees 200 of 900 points") == 1
    folder = tmp_path / "out"
    names = [f"street_{x}_{y}" for x in (0, 1) for y in (0, 1)]
    assert [one["object"] for one in json.loads((folder / "run.json").read_text())["objects"]] == names
    assert {path.name for path in (folder / "street").iterdir()} == {
        f"vanilla_gradient.{suffix}" for suffix in ("npy", "png", "html")
    }
    table = np.load(folder / "street" / "vanilla_gradient.npy")
    np.testing.assert_array_equal(table[:, :4], SCAN)
    for name in names:
        explained = Explanation.load(folder / name / "vanilla_gradient.npz")
        assert explained.inputs.shape == (1, 50, 3)
        own = table[(table[:, :2] // 10 == [int(part) for part in name.split("_")[1:]]).all(axis=1), 4]
        assert set(own) <= set(explained.importance[0])
        assert len(set(own)) > 20  # most of the 50 points that were seen are among them
    assert "4 tiles" in (folder / "street" / "vanilla_gradient.html").read_text()


def test_a_region_of_a_las_file(run, tmp_path):
    laspy = pytest.importorskip("laspy")
    header = laspy.LasHeader(version="1.4", point_format=6)
    header.scales, header.offsets = [0.01] * 3, [635_000, 5_848_000, 0]
    made = laspy.LasData(header)
    made.xyz = SCAN[:, :3] + header.offsets
    made.write(tmp_path / "a.laz")
    region = "--region=635000,5848000,-9,635010,5848020,9"
    code, _, err = run(f"--input={tmp_path / 'a.laz'}", region, "--voxel_size=1", "--nopictures")
    assert code == 0, err
    before, after = (
        laspy.read(tmp_path / "a.laz"),
        laspy.read(tmp_path / "out" / "a" / "vanilla_gradient.laz"),
    )
    np.testing.assert_array_equal(before.points.array["X"], after.points.array["X"])
    assert np.all(before.header.offsets == after.header.offsets)
    outside = before.x > 635_010
    assert (after["importance"][outside] == 0).all()
    explained = Explanation.load(tmp_path / "out" / "a" / "vanilla_gradient.npz")
    assert set(np.asarray(after["importance"])[~outside]) == set(explained.importance[0])


def test_a_small_cloud_is_written_back_as_it_is_explained(run, tmp_path):
    rows = "".join(f"{x},{y},{z},wall\n" for x, y, z, _ in SCAN[:40])
    (tmp_path / "a.csv").write_text("X,Y,Z,what\n" + rows)
    code, _, err = run(f"--input={tmp_path / 'a.csv'}", "--nopictures")
    assert code == 0, err
    explained = Explanation.load(tmp_path / "out" / "a" / "vanilla_gradient.npz")
    written = read(tmp_path / "out" / "a" / "vanilla_gradient.csv").columns["importance"]
    np.testing.assert_array_equal(written.astype(np.float32), explained.importance[0])
    text = (tmp_path / "out" / "a" / "vanilla_gradient.csv").read_text().splitlines()
    assert text[0] == "X,Y,Z,what,importance"
    assert text[1].startswith(rows.splitlines()[0] + ",")


def test_what_cannot_be_written_back_is_explained_all_the_same(run, tmp_path):
    (tmp_path / "a.npy").write_bytes(npy(SCAN[:80, :3].reshape(2, 40, 3)))
    (tmp_path / "b.csv").write_text(
        "x,y,z,importance\n" + "".join(f"{x},{y},{z},1\n" for x, y, z, _ in SCAN[:40])
    )
    files = f"--input={tmp_path / 'a.npy'},{tmp_path / 'b.csv'}"
    code, _, err = run(files, "--nopictures")
    assert code == 0, err
    assert [path.name for path in (tmp_path / "out" / "a").iterdir()] == ["vanilla_gradient.npz"]
    assert read(tmp_path / "out" / "b" / "vanilla_gradient.csv").columns.keys() == {
        *("importance", "importance_2")
    }


def test_each_tile_loses_its_own_points(run, tmp_path):
    (tmp_path / "street.npy").write_bytes(npy(SCAN))
    options = ("--num_points=50", "--num_steps=2", "--num_drop=5")
    code, _, err = run(f"--input={tmp_path / 'street.npy'}", "--tile_size=10", app="asm", more=options)
    assert code == 0, err
    assert len(list((tmp_path / "out").glob("street_*/explanation.npz"))) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--region=1,2,x",), "--region=1,2,x: give six numbers"),
        (("--region=1,2,3",), "--region needs six numbers"),
        (("--tile_size=-1",), "--tile_size is -1.0: it must be above 0"),
        (("--features=red",), "street.npy: has no column 'red'; it has column_4"),
    ],
)
def test_mistakes_are_one_line(run, tmp_path, options, message):
    (tmp_path / "street.npy").write_bytes(npy(SCAN))
    code, _, err = run(f"--input={tmp_path / 'street.npy'}", *options)
    assert code == 1
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_a_mesh_is_no_scan(run, tmp_path):
    (tmp_path / "a.off").write_text("OFF\n4 2 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n3 0 1 2\n3 0 2 3\n")
    code, _, err = run(f"--input={tmp_path / 'a.off'}", "--voxel_size=1")
    assert (code, "is a mesh, of which points are sampled; leave --voxel_size out" in err) == (1, True)
