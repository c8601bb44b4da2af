"""Volumes of a user's own: trained on, and what that writes works in every other program."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.reference.files import npy
from tfxai3d import data, models

SMALL = ("--model=resnet3d", "--width=0.125", "--batch_size=4", "--stages=8x2")


def boxes(labels, size=8, seed=0):
    """Small and large boxes, at random places."""
    rng = np.random.default_rng(seed)
    grids = np.zeros((len(labels), size, size, size), np.uint8)
    for grid, label in zip(grids, labels, strict=True):
        x, y, z = rng.integers(0, 4, 3)
        grid[x : x + 2 + 2 * label, y : y + 2 + 2 * label, z : z + 3] = 255
    return grids


@pytest.fixture(scope="module")
def medmnist(tmp_path_factory):
    """A file in the format of MedMNIST."""
    arrays = {}
    for number, (split, count) in enumerate({"train": 16, "val": 6, "test": 6}.items()):
        labels = np.arange(count) % 2
        arrays |= {f"{split}_images": boxes(labels, seed=number), f"{split}_labels": labels[:, None]}
    path = tmp_path_factory.mktemp("medmnist") / "adrenalmnist3d.npz"
    np.savez(path, **arrays)
    return path


@pytest.fixture
def succeeds(run_app, tmp_path):
    """Runs a program; returns its folder of results."""

    def run(app, *flags):
        folder = tmp_path / app
        code, _, err = run_app(app, *flags, f"--output_dir={folder}")
        assert code == 0, err
        return folder

    return run


def test_volumes_are_trained_on_and_the_network_works_in_the_other_programs(succeeds, medmnist, tmp_path):
    own = f"--data_dir={medmnist}"
    folder = succeeds("train", own, *SMALL, "--validate_on_val", "--choose_by=auc", "--augment=shift,mirror")
    card = json.loads((folder / "preset" / "card.json").read_text())
    assert card["split"] == "trained on train, epoch chosen by auc on val"
    assert (card["data"], card["test"]["voxels"], card["test"]["examples"]) == ("adrenalmnist3d.npz", 8, 6)
    model, preset = f"--model={folder / 'preset'}", models.from_preset(folder / "preset")
    assert preset.mean == pytest.approx([boxes(np.arange(16) % 2).mean() / 255])

    report = json.loads((succeeds("evaluate", own, model, "--nopictures") / "run.json").read_text())
    assert (report["auc"], report["overall_accuracy"]) == (
        card["test"]["auc"],
        card["test"]["overall_accuracy"],
    )
    explained = succeeds("explain", own, model, "--label=normal", "--methods=grad_cam", "--nopictures")
    assert (explained / "normal_0" / "grad_cam.npz").is_file()
    succeeds("features", model, own, "--method=mean_surface", "--nopictures")
    served = succeeds("export", model, "--methods=gradient_times_input")
    assert (served / "saved_model.pb").is_file()
    pruned = succeeds("prune", own, model, "--epochs=1", "--tune_epochs=1", "--density=0.1", "--batch_size=4")
    assert (pruned / "table.csv").is_file()
    tuned = models.from_preset(pruned / "preset")
    assert (tuned.mean, tuned.size) == (preset.mean, 8)
    if (pruned / "small.keras").exists():
        assert models.load(pruned / "small.keras").count_params() < preset.count_params()


def test_a_tree_of_volumes_of_different_shapes(run_app, succeeds, tmp_path):
    rng = np.random.default_rng(0)
    for split, count in (("train", 6), ("test", 2)):
        for number, name in enumerate(("thin", "thick")):
            (tmp_path / "tree" / split / name).mkdir(parents=True)
            for i in range(count):
                values = rng.normal(-300 + 500 * number, 100, (9 + i, 8, 7)).astype(np.float32)
                (tmp_path / "tree" / split / name / f"{i}.npy").write_bytes(npy(values))
    own = f"--data_dir={tmp_path / 'tree'}"
    code, _, err = run_app("train", own, *SMALL, f"--output_dir={tmp_path / 'out'}")
    assert code == 1
    assert "objects have different shapes, (9, 8, 7, 1) and (10, 8, 7, 1); resample them to one" in err
    folder = succeeds("train", own, *SMALL, "--resample", "--validation_fraction=0.2", "--augment=rotate")
    model = models.from_preset(folder / "preset")
    assert -300 < model.mean[0] < 200
    assert model.std[0] > 100
    report = succeeds("evaluate", own, f"--model={folder / 'preset'}", "--resample", "--nopictures")
    assert json.loads((report / "run.json").read_text())["examples"] == 4


def test_a_network_of_distances_is_given_distances(run_app, succeeds, medmnist, tmp_path):
    own = f"--data_dir={medmnist}"
    folder = succeeds("train", own, *SMALL, "--truncation=2.5", "--augment=shift")
    model = models.from_preset(folder / "preset")
    assert model.truncation == 2.5
    options = ("--label=hyperplasia", "--methods=vanilla_gradient", "--nopictures")
    explained = succeeds("explain", own, f"--model={folder / 'preset'}", *options)
    with np.load(explained / "hyperplasia_0" / "vanilla_gradient.npz") as stored:
        shown = stored["inputs"][0, ..., 0]
    grid = boxes(np.arange(6) % 2, seed=2)[1] // 255
    np.testing.assert_allclose(shown, data.truncated_distance_field(grid, 2.5), atol=1e-3)
    served = succeeds("export", f"--model={folder / 'preset'}", "--methods=vanilla_gradient")
    assert models.load(served).truncation == 2.5
    explained = succeeds("explain", own, f"--model={served}", *options)
    with np.load(explained / "hyperplasia_0" / "vanilla_gradient.npz") as stored:
        np.testing.assert_allclose(stored["inputs"][0, ..., 0], shown, atol=1e-3)
    code, _, err = run_app(
        "train", own, "--model=vrn", "--stages=16x1", "--truncation=2", f"--output_dir={tmp_path}"
    )
    assert (code, "--truncation=2.0: the network vrn has no truncation" in err) == (1, True)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--model=vrn", "--stages=16x1"],
            "grids of 8 voxels a side cannot be coarsened to 16; give a divisor",
        ),
        (["--model=vrn", "--stages=28x1"], "--stages=28x1: size 28: must be a multiple of 16"),
        (
            [*SMALL, "--validate_on_val", "--validation_fraction=0.1"],
            "--validation_fraction=0.1: there is a split",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(run_app, medmnist, tmp_path, flags, message):
    flags = [*flags, "--batch_size=4", f"--data_dir={medmnist}", f"--output_dir={tmp_path}"]
    code, _, err = run_app("train", *flags)
    assert (code, err.count("\n")) == (1, 1), err
    assert message in err


def test_volumes_of_another_size_than_the_network_are_one_line(run_app, medmnist, tmp_path):
    models.save_preset(models.ResNet3D(2, width=0.125, size=12), tmp_path / "preset", {})
    flags = [f"--model={tmp_path / 'preset'}", f"--data_dir={medmnist}", f"--output_dir={tmp_path / 'out'}"]
    code, _, err = run_app("evaluate", *flags, "--nopictures")
    assert (code, err.count("\n")) == (1, 1), err
    assert "is a volume (8, 8, 8, 1), the network takes (12, 12, 12, 1); give --resample" in err


def test_the_embedded_volumes_are_explained_without_a_download(run_app, tmp_path):
    config = Path(__file__).parents[2] / "apps" / "flags" / "explain_volume.cfg"
    flags = [f"--flagfile={config}", "--methods=gradient_times_input", "--nopictures"]
    code, _, err = run_app("explain", *flags, f"--output_dir={tmp_path}")
    assert code == 0, err
    objects = json.loads((tmp_path / "run.json").read_text())["objects"]
    assert [(one["target"], one["predicted"]) for one in objects] == [("normal",) * 2] * 2 + [
        ("hyperplasia",) * 2
    ] * 2
