"""README's section "Your own network", and the other programs on the same two models."""

import re
from pathlib import Path

import keras
import nibabel
import numpy as np
import pytest
from absl.testing import flagsaver

from tests.apps.conftest import ROOT, run_app  # noqa: F401 - a fixture
from tfxai3d import data, explain
from tfxai3d.results import Explanation
from tfxai3d.view.page import notebook

SECTION = re.search(
    r"## Your own network\n(.*?)\n## ", (ROOT / "README.md").read_text(encoding="utf-8"), re.S
)[1]
FEW = {"explain": ["--steps=3", "--nopictures"], "p_grad_cam": ["--rotations=2", "--nopictures"]}


def of_points():
    x = keras.layers.Dense(16, "relu", name="feat")(points := keras.Input((64, 3)))
    x = keras.layers.Dense(3, "softmax")(keras.layers.GlobalMaxPooling1D()(x))
    return keras.Model(points, x, name="my_pointnet")


def of_voxels():
    x = keras.layers.Conv3D(4, 3, activation="relu", name="conv")(voxels := keras.Input((16, 16, 16, 1)))
    x = keras.layers.Dense(1, "sigmoid")(keras.layers.GlobalAveragePooling3D()(x))
    return keras.Model(voxels, x, name="my")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder that the commands of the README are run in."""
    keras.utils.set_random_seed(3)
    of_points().save(tmp_path / "my_pointnet.keras")
    of_voxels().save(tmp_path / "my.keras")
    cloud = np.random.default_rng(0).uniform(-1, 1, (200, 3))
    lines = ["ply", "format ascii 1.0", "element vertex 200", *(f"property float {axis}" for axis in "xyz")]
    rows = [" ".join(f"{value:.4f}" for value in point) for point in cloud]
    (tmp_path / "chair.ply").write_text("\n".join([*lines, "end_header", *rows]) + "\n")
    scan = np.random.default_rng(1).random((16, 16, 16)).astype("float32")
    np.save(tmp_path / "scan.npy", scan)
    nibabel.save(nibabel.Nifti1Image(scan, np.eye(4)), tmp_path / "scan.nii.gz")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_three_lines_of_python(folder, monkeypatch):
    shown = []
    monkeypatch.setattr(notebook.webbrowser, "open", lambda uri: shown.append(uri))
    points = np.random.default_rng(0).uniform(-1, 1, (2, 64, 3)).astype("float32")
    model = keras.saving.load_model("my_pointnet.keras")
    (code,) = re.findall(r"```python\n(.*?)```", SECTION, re.S)
    exec(code, {"model": model, "points": points})
    page = Path(shown[0].removeprefix("file://")).read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    explanation = explain.PGradCAM(model, layer="feat", data_kind="points")(points)
    assert len(repr(explanation).splitlines()) == 3
    assert "p_grad_cam(pooling='max', layer='feat', head='probabilities')" in repr(explanation)
    assert explanation._repr_html_().startswith("<iframe srcdoc=")


def test_the_two_commands(folder, run_app):  # noqa: F811
    commands = re.findall(r"^ {4}python apps/(\w+)\.py (.*)$", SECTION, re.M)
    assert [app for app, _ in commands] == ["explain", "p_grad_cam"]
    for app, flags in commands:
        code, _, err = run_app(app, *flags.split(), *FEW[app])
        assert (code, err) == (0, ""), err
    scan = Explanation.load("out/explain/scan/integrated_gradients.npz")
    model = keras.saving.load_model("my.keras")
    p = model.predict(scan.inputs, verbose=0)[0, 0]
    np.testing.assert_allclose(1 / (1 + np.exp(-scan.scores[0])), [1 - p, p], atol=1e-6)
    assert scan.options["head"] == "binary"
    chair = Explanation.load("out/p_grad_cam/chair/explanation.npz")
    assert chair.inputs.shape == (1, 64, 3)  # the number that the network takes
    assert (chair.importance > 0).any()


POINTS = ["--model=my_pointnet.keras", "--data_kind=points", "--class_names=chair,cup,lamp"]
OTHERS = {
    "evaluate": [*POINTS, "--num_examples=6", "--nopictures"],
    "prune": [*POINTS, "--num_train=33", "--num_test=6", "--epochs=1", "--tune_epochs=0", "--density=0.5"],
    "drop_curves": [
        *POINTS, "--layer=feat", "--num_examples=3", "--num_steps=2", "--num_drop=20", "--nopictures",
        "--condition=random,p_grad_cam",
    ],
    "asm": [*POINTS, "--shape=cup", "--num_steps=1"],
    "features": [*POINTS, "--units=cup", "--steps=2", "--nopictures"],
    "export": [*POINTS, "--layer=feat", "--methods=p_grad_cam"],
}  # fmt: skip


@pytest.mark.parametrize("app", OTHERS)
def test_the_other_programs(folder, run_app, app):  # noqa: F811
    code, out, err = run_app(app, *OTHERS[app], "--output_dir=out")
    assert (code, err) == (0, ""), err
    if app == "evaluate":
        shapes = data.open_dataset(
            None, "points", num_points=64, num_examples=6, class_names=("chair", "cup", "lamp")
        )
        p = keras.saving.load_model("my_pointnet.keras").predict(shapes.inputs, verbose=0)
        assert f"mean confidence  {p.max(axis=1).mean():.4f}" in out
    if app == "prune":
        kernel = keras.saving.load_model("out/pruned.keras").get_layer("feat").kernel
        assert np.mean(np.asarray(kernel) != 0) < 0.9


VOXELS = ["--model=my.keras", "--data_kind=voxels", "--class_names=chair,cup"]
SAVED = ["--model=my_saved", "--data_kind=points", "--class_names=chair,cup,lamp"]
MORE = [
    ("evaluate", [*VOXELS, "--num_examples=4", "--nopictures"]),
    ("prune", [
        *VOXELS, "--num_train=8", "--num_test=4", "--batch_size=4", "--epochs=1", "--tune_epochs=0",
        "--density=0.5",
    ]),
    ("export", [*VOXELS, "--layer=conv", "--methods=grad_cam"]),
    ("features", [*VOXELS, "--units=cup", "--steps=2", "--nopictures"]),
    ("features", [*VOXELS, "--method=mean_surface", "--units=cup", "--num_examples=4", "--nopictures"]),
    ("compare_modes", [*POINTS, "--layer=feat", "--rotations=2", "--mode=+average", "--nopictures"]),
    ("compare_modes", [*SAVED, "--rotations=2", "--mode=asm", "--nopictures"]),
    ("zero_heat", [*POINTS, "--layer=feat", "--num_examples=6"]),
    ("explain_bulk", [*POINTS, "--num_examples=4"]),
    ("explain_bulk", [*SAVED, "--num_examples=4"]),
    ("drop_curves", [
        *SAVED, "--num_examples=3", "--num_steps=2", "--num_drop=20", "--nopictures",
        "--condition=point_saliency",
    ]),
    ("evaluate", [*SAVED, "--num_examples=4", "--nopictures"]),
]  # fmt: skip
REFUSED = [
    ("zero_heat", [*VOXELS, "--layer=conv"], "data_kind 'points': model 'my' takes voxels"),
    ("drop_curves", VOXELS, "explains points, model 'my' takes voxels"),
    ("explain_bulk", [*VOXELS, "--num_examples=4"], "needs --input, the files of the volumes"),
    ("compare_modes", [*SAVED, "--mode=zero"], "must be a Keras model, for the output of a layer is needed"),
    ("prune", SAVED, "pruning trains Keras classifiers of one input"),
]


@pytest.mark.parametrize(("app", "flags"), MORE)
def test_and_voxels_and_saved_models(folder, run_app, app, flags):  # noqa: F811
    keras.saving.load_model("my_pointnet.keras").export("my_saved", verbose=False)
    code, out, err = run_app(app, *flags, "--output_dir=out")
    assert code == 0, err
    assert "nothing was explained" not in out
    if app == "prune":
        assert (
            np.mean(np.asarray(keras.saving.load_model("out/pruned.keras").get_layer("conv").kernel) != 0)
            < 0.9
        )


@pytest.mark.parametrize(("app", "flags", "message"), REFUSED)
def test_what_cannot_be_is_one_line(folder, run_app, app, flags, message):  # noqa: F811
    keras.saving.load_model("my_pointnet.keras").export("my_saved", verbose=False)
    code, _, err = run_app(app, *flags, "--output_dir=out")
    assert code == 1
    assert message in err.splitlines()[-1]
    assert err.startswith("error: ")


def test_a_layer_of_ones_own_comes_by_import(folder, run_app):  # noqa: F811
    (folder / "my_layers.py").write_text(
        "import keras\n\n\nclass Doubled(keras.layers.Layer):\n    def call(self, x):\n        return 2 * x\n"
    )
    namespace = {}
    exec((folder / "my_layers.py").read_text(), namespace)
    x = namespace["Doubled"]()(points := keras.Input((None, 3)))
    keras.Model(points, keras.layers.Dense(2)(keras.layers.GlobalMaxPooling1D()(x))).save("own.keras")
    command = [
        "--model=own.keras",
        "--data_kind=points",
        "--methods=vanilla_gradient",
        "--shape=cup",
        "--nopictures",
    ]
    with flagsaver.flagsaver():
        code, _, err = run_app("explain", *command)
    assert (code, err) == (
        1,
        "error: own.keras: needs 'Doubled', which is not known here: give --import, the module that has it\n",
    )
    code, _, err = run_app("explain", *command, "--import=my_layers.py", "--num_points=20")
    assert (code, err) == (0, "")
