"""What `serve.export` writes and where: bounded memory, errors in graphs, folders replaced or left alone."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.reference.networks import POINTS, assert_close
from tfxai3d import explain, serve
from tfxai3d.errors import UserError
from tfxai3d.models.saved_model.folder import FACTS


class Counting(tf.Module):
    """A model that remembers the largest batch it has seen."""

    data_kind = "points"

    def __init__(self):
        super().__init__()
        self.weights = tf.Variable([[1.0, 2.0], [3.0, -1.0], [0.0, 0.5]])
        self.largest = tf.Variable(0)

    def __call__(self, points):
        self.largest.assign(tf.maximum(self.largest, tf.shape(points)[0]))
        return tf.reduce_sum(tf.tanh(points) @ self.weights, axis=1)


@pytest.fixture(scope="module")
def counting(tmp_path_factory):
    model, folder = Counting(), tmp_path_factory.mktemp("counting") / "1"
    explainers = [
        explain.VanillaGradient(model, batch_size=3),
        explain.IntegratedGradients(model, steps=4, batch_size=3),
    ]
    serve.export(model, folder, explainers)
    return model, explainers, folder


CLOUDS = POINTS.astype(np.float32)


def test_memory_is_bounded_in_the_graph(counting):
    _, explainers, folder = counting
    many = np.concatenate([CLOUDS, CLOUDS])
    for explainer in explainers:
        loaded = tf.saved_model.load(str(folder))
        (largest,) = (variable for variable in loaded.variables_of_model if variable.dtype == tf.int32)
        signature = loaded.signatures[f"explain_{explainer.method}"]
        result = signature(points=tf.constant(many), target=tf.fill([len(many)], 1))
        assert int(largest) == 3
        assert_close(result["attributions"], explainer(many, 1).attributions)
        for count, points in ((1, 1), (2, 40), (4, 7)):
            few = tf.constant(many[:count, :points])
            assert (
                signature(points=few, target=tf.zeros(count, tf.int32))["importance"].shape == few.shape[:2]
            )


def test_bad_requests_are_errors_in_the_graph(counting):
    signature = tf.saved_model.load(str(counting[2])).signatures["explain_vanilla_gradient"]
    cases = [
        (np.full((1, 4, 3), np.nan), [0], "points hold NaN or infinite values"),
        (np.zeros((2, 4, 3)), [0, 2], "there is no such class"),
    ]
    for points, target, message in cases:
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            signature(points=tf.constant(points, tf.float32), target=tf.constant(target))


class TestFolders:
    def test_another_saved_model_is_replaced(self, counting, tmp_path):
        serve.export(counting[0], tmp_path / "a", ["vanilla_gradient"])
        (tmp_path / "a" / "variables" / "left").touch()
        serve.export(counting[0], tmp_path / "a", ["gradient_times_input"])
        assert list(serve.load(tmp_path / "a").methods) == ["gradient_times_input"]
        assert not (tmp_path / "a" / "variables" / "left").exists()
        assert [path.name for path in tmp_path.iterdir()] == ["a"]

    def test_anything_else_is_left_alone(self, counting, tmp_path):
        (tmp_path / "notes").mkdir()
        (tmp_path / "notes" / "mine.txt").write_text("mine")
        (tmp_path / "file").write_text("mine")
        (tmp_path / "mixed").mkdir()
        for name in ("saved_model.pb", "mine.txt"):
            (tmp_path / "mixed" / name).write_text("mine")
        for name, message in (
            ("notes", "other things"),
            ("file", "is a file"),
            ("mixed", "'mine.txt' is beside"),
        ):
            before = sorted(tmp_path.rglob("*"))
            with pytest.raises(UserError, match=message):
                serve.export(counting[0], tmp_path / name)
            assert sorted(tmp_path.rglob("*")) == before

    @pytest.mark.parametrize("there", [False, True])
    def test_a_failure_leaves_what_was_there(self, counting, tmp_path, monkeypatch, there):
        if there:
            serve.export(counting[0], tmp_path / "a", ["vanilla_gradient"])
        before = sorted(tmp_path.rglob("*"))

        def fail(module, folder, signatures):
            (Path(folder) / "saved_model.pb").touch()
            raise OSError("disk full")

        monkeypatch.setattr(tf.saved_model, "save", fail)
        with pytest.raises(OSError, match="disk full"):
            serve.export(counting[0], tmp_path / "a")
        assert sorted(tmp_path.rglob("*")) == before


def test_mistakes_of_export(counting, tmp_path):
    model, explainers, _ = counting
    cases = [
        ({"methods": ["vanilla_gradient", explainers[0]]}, "names one method twice"),
        ({"methods": ["lemon"]}, "unknown method 'lemon'"),
        ({"methods": ["guided_backprop"]}, "must be a Keras model"),
        ({"methods": [explain.VanillaGradient(Counting())]}, "vanilla_gradient is of another model"),
        ({"num_points": 0}, r"num_points=0: model 'counting' takes points \(B,N,3\+F\)"),
        ({"data_kind": "voxels", "num_points": 5}, "num_points=5: .* takes voxels"),
    ]
    for arguments, message in cases:
        with pytest.raises(UserError, match=message):
            serve.export(model, tmp_path / "a", **arguments)
    assert not list(tmp_path.iterdir())


def test_one_number_of_points(counting, tmp_path):
    serve.export(counting[0], tmp_path / "a", ["vanilla_gradient"], num_points=40)
    explainer = serve.load(tmp_path / "a").explainer("vanilla_gradient")
    assert_close(explainer(CLOUDS, 0).attributions, counting[1][0](CLOUDS, 0).attributions)
    with pytest.raises(UserError, match=r"must be points \(B,40,3\), they are \(5, 39, 3\)"):
        explainer(CLOUDS[:, :39])


def test_of_another_kind(counting):
    with pytest.raises(UserError, match="holds a model of points, not of voxels"):
        serve.load(counting[2], "voxels")


def test_a_damaged_one(counting, tmp_path):
    for name, content in (("saved_model.pb", b"nonsense"), (FACTS, b"{}"), (FACTS, b"not json")):
        folder = tmp_path / "a"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(counting[2], folder)
        (folder / name).write_bytes(content)
        with pytest.raises(UserError, match="not a readable SavedModel") as caught:
            serve.load(folder)
        assert "\n" not in str(caught.value)
