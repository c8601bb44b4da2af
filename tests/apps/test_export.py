"""The program as its users meet it, in one process."""

import os
import re
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.reference.networks import assert_close
from tfxai3d import explain, models, serve

POINTS = np.random.default_rng(0).uniform(-1, 1, (2, 20, 3)).astype("float32")


@pytest.fixture
def run(run_app, tmp_path):
    """Runs the program; returns exit code, stdout and stderr."""
    return lambda *arguments: run_app("export", f"--output_dir={tmp_path / 'out' / '1'}", *arguments)


def test_a_preset(run, tiny_model, tmp_path):
    models.save_preset(tiny_model, tmp_path / "preset", {})
    methods = "--methods=integrated_gradients,critical_points"
    code, out, err = run(f"--model={tmp_path / 'preset'}", methods, "--steps=2", "--num_points=20")
    assert (code, err) == (0, "")
    signatures = ["serving_default", "explain_integrated_gradients", "explain_critical_points"]
    assert out.splitlines() == [*signatures, f"SavedModel in {tmp_path / 'out' / '1'}"]
    loaded = serve.load(tmp_path / "out" / "1")
    assert loaded.class_names == ("chair", "cup", "lamp", "sofa", "table")
    assert loaded.network.shape == (20, 3)
    explained = loaded.explainer("integrated_gradients")(POINTS)
    assert explained.options["steps"] == 2
    model = models.from_preset(tmp_path / "preset")
    assert_close(explained.attributions, explain.IntegratedGradients(model, steps=2)(POINTS).attributions)


def test_a_keras_file(run, tmp_path):
    points = keras.Input((None, 3))
    rows = keras.layers.Dense(8, "relu", name="rows")(points)
    model = keras.Model(points, keras.layers.Dense(3)(keras.layers.GlobalMaxPooling1D()(rows)))
    model.save(tmp_path / "mine.keras")
    flags = [f"--model={tmp_path / 'mine.keras'}", "--methods=grad_cam,guided_backprop"]
    code, _, err = run(*flags)
    assert (code, err.count("\n")) == (1, 1)
    assert "does not say what it takes" in err
    code, _, err = run(*flags, "--data_kind=points", "--layer=rows")
    assert (code, err) == (0, "")
    explained = serve.load(tmp_path / "out" / "1").explainer("grad_cam")(POINTS, 1)
    assert_close(
        explained.importance, explain.GradCAM(model, "rows", data_kind="points")(POINTS, 1).importance
    )


def test_code_in_a_keras_file_is_not_run(run, tmp_path):
    points = keras.Input((None, 3))
    marker = str(tmp_path / "ran")
    layer = keras.layers.Lambda(lambda x: (open(marker, "w", encoding="utf-8").close(), x)[1])
    keras.Model(points, layer(points)).save(tmp_path / "bad.keras")
    os.remove(marker)  # building the model ran it
    code, out, err = run(f"--model={tmp_path / 'bad.keras'}", "--data_kind=points")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "holds the code of a Lambda layer, which is not run" in err
    assert not os.path.exists(marker)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--methods="], "--methods= names no method"),
        (["--methods=lemon"], "unknown method 'lemon'; known are"),
        (["--model=nothing.keras"], "nothing.keras: no such file; check the path"),
        (["--model=nothing"], "no preset 'nothing'"),
        (["--output_dir=tests"], "tests: is a folder of other things"),
    ],
)
def test_mistakes(run, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    code, out, err = run(*arguments)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert re.match(f"error: .*{re.escape(message)}", err)
    assert not (tmp_path / "out").exists()
