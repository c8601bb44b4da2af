"""The program as its users meet it, once in a process of its own."""

import csv
import json

import numpy as np
import pytest
import trimesh


@pytest.fixture
def evaluate(run_app):
    """Runs the program; returns exit code, stdout and stderr."""
    return lambda *flags: run_app("evaluate", *flags)


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def presets(one_block, tmp_path_factory):
    """A folder of two untrained networks, `points` and `voxels`."""
    from tfxai3d import data, models

    folder = tmp_path_factory.mktemp("presets")
    points = models.PointNet(25, "basic", class_names=data.shapes.SHAPE_CLASSES)
    models.save_preset(points, folder / "points", {})
    voxels = models.VRN(10, 0.125, size=16, class_names=data.MODELNET10_CLASSES)
    models.save_preset(voxels, folder / "voxels", {})
    return folder


@pytest.fixture(scope="module")
def grids(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grids")
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("test", 11)):
        features = (rng.random((count, 1, 32, 32, 32)) < 0.05).astype("uint8")
        features[4] = 0
        targets = np.arange(count) % 10
        np.savez_compressed(folder / f"modelnet10_{split}.npz", features=features, targets=targets)
    return folder


def check_mistakes(folder, classes):
    """Checks what every list of mistakes must hold; returns it."""
    report, mistakes = json.loads((folder / "run.json").read_text()), table(folder / "mistakes.csv")
    assert len(mistakes) == round(report["examples"] * (1 - report["overall_accuracy"]))
    columns = ["index", "file", "dataset", "split", "true", "predicted", "probability", *classes]
    assert list(mistakes[0]) == columns
    for row in mistakes:
        shares = {name: float(row[name]) for name in classes}
        assert sum(shares.values()) == pytest.approx(1, abs=0.01)
        assert shares[row["predicted"]] == max(shares.values()) == float(row["probability"])
        assert row["true"] != row["predicted"]
    return report, mistakes


@pytest.mark.slow
def test_clouds(in_a_process, presets, tmp_path):
    from tfxai3d.data.shapes import SHAPE_CLASSES

    flags = ["--num_examples=30", "--num_points=64", "--votes=3", "--seed=2", f"--output_dir={tmp_path}"]
    code, out, err = in_a_process("evaluate", f"--model={presets / 'points'}", *flags)
    assert (code, err) == (0, ""), err
    names = {path.name for path in tmp_path.iterdir()}
    tables = {"confusion.csv", "calibration.csv", "mistakes.csv", "run.json"}
    assert names == tables | {"confusion.png", "calibration.png"}
    report, mistakes = check_mistakes(tmp_path, SHAPE_CLASSES)
    assert (report["examples"], report["views"], report["points"]) == (30, 3, 64)
    assert {row["dataset"] for row in mistakes} == {"shapes, seed 5"}
    confusion = table(tmp_path / "confusion.csv")
    assert sum(int(row[name]) for row in confusion for name in SHAPE_CLASSES) == 30
    bins = table(tmp_path / "calibration.csv")
    assert sum(int(row["examples"]) for row in bins) == 30
    filled = [row for row in bins if row["accuracy"]]
    error = sum(int(b["examples"]) * abs(float(b["accuracy"]) - float(b["confidence"])) for b in filled) / 30
    assert report["calibration_error"] == pytest.approx(error, abs=2e-4)
    assert "calibration error" in out


def test_parts(evaluate, tiny_presets, tmp_path):
    flags = [f"--model={tiny_presets / 'parts'}", "--num_examples=30", "--num_points=32", "--nopictures"]
    code, out, err = evaluate(*flags, f"--output_dir={tmp_path / 'out'}")
    assert (code, err) == (0, "")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"confusion.csv", "parts.csv", "examples.csv", "run.json"}
    report = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (report["examples"], report["points"]) == (30, 32)
    points = {row["class"]: int(row["points"]) for row in table(tmp_path / "out" / "parts.csv")}
    assert sum(points.values()) == 30 * 32
    assert report["overall_accuracy"] == pytest.approx(points["chair/seat"] / 960, abs=1e-4)
    examples = table(tmp_path / "out" / "examples.csv")
    overlap = [float(row["mean_iou"]) for row in examples]
    assert report["mean_iou"] == pytest.approx(np.mean(overlap), abs=1e-4)
    assert {row["category"] for row in examples} == {name.partition("/")[0] for name in points}
    assert "mean category iou" in out
    assert_one_error(evaluate(*flags, "--votes=2"), "are for classifiers of whole examples")


@pytest.mark.slow
def test_grids(evaluate, presets, grids, tmp_path):
    from tfxai3d.data import MODELNET10_CLASSES

    flags = ["--votes=2", "--temperature_split=train", "--nopictures", f"--output_dir={tmp_path}"]
    code, _, err = evaluate(f"--model={presets / 'voxels'}", f"--data_dir={grids}", *flags)
    assert (code, err) == (0, ""), err
    report, mistakes = check_mistakes(tmp_path, MODELNET10_CLASSES)
    assert (report["examples"], report["voxels"], report["views"]) == (11, 32, 2)
    assert report["empty_grids"] == [4]
    assert {"temperature", "calibration_error_with_it"} <= report.keys()
    assert {(row["dataset"], row["split"], row["file"]) for row in mistakes} == {(str(grids), "test", "")}
    assert not (tmp_path / "confusion.png").exists()


@pytest.mark.slow
def test_meshes_for_a_voxel_network(evaluate, presets, tmp_path):
    for name, extents in (("table", (4, 3, 1)), ("sofa", (2, 1, 1))):
        folder = tmp_path / "tree" / name / "test"
        folder.mkdir(parents=True)
        trimesh.creation.box(extents).export(folder / f"{name}_0001.off")
    flags = ["--votes=3", "--nopictures", f"--output_dir={tmp_path / 'out'}"]
    code, _, err = evaluate(f"--model={presets / 'voxels'}", f"--data_dir={tmp_path / 'tree'}", *flags)
    assert code == 0, err
    report = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (report["examples"], report["views"]) == (2, 3)
    files = {row["file"] for row in table(tmp_path / "out" / "mistakes.csv") if row["file"]}
    assert files <= {str(tmp_path / "tree" / n / "test" / f"{n}_0001.off") for n in ("table", "sofa")}
    assert len(files) == round(2 * (1 - report["overall_accuracy"]))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--temperature_split=train"], "--temperature_split=train needs --data_dir"),
        (["--data_dir=.", "--temperature_split=test"], "is the split that is reported on"),
    ],
)
def test_flags_that_do_not_go_together(evaluate, flags, message, tmp_path):
    assert_one_error(evaluate(*flags, f"--output_dir={tmp_path / 'out'}"), message)


@pytest.mark.slow
def test_a_mistake_that_is_found_later(evaluate, presets, grids, tmp_path):
    flags = [f"--data_dir={grids}", "--votes=3", f"--output_dir={tmp_path / 'out'}"]
    result = evaluate(f"--model={presets / 'voxels'}", *flags)
    assert_one_error(result, "3 views of a voxel grid: quarter turns make 1, 2 or 4")
    assert not (tmp_path / "out").exists()


def assert_one_error(result, message):
    code, out, err = result
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1, err
    assert message in err
