"""Explanations beside a training."""

import numpy as np
import pytest

from tests.reference.networks import assert_close
from tests.reference.precision import precision
from tfxai3d import explain, tensorboard
from tfxai3d.errors import UserError
from tfxai3d.explain import Explanation


def network():
    import keras

    with precision():
        points = keras.Input((8, 3))
        x = keras.layers.Dense(4, "tanh")(points)
        x = keras.layers.Dropout(0.5)(keras.layers.GlobalAveragePooling1D()(x))
        model = keras.Model(points, keras.layers.Dense(3)(x))
    model.compile(keras.optimizers.SGD(0.5), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


CLOUDS = np.random.default_rng(0).normal(size=(6, 8, 3))
LABELS = np.array([0, 1, 2, 0, 1, 2])


def fit(callbacks, epochs=5):
    model = network()
    model.fit(CLOUDS, LABELS, batch_size=3, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks)
    return model


def test_explains_by_the_weights_of_each_time(tmp_path):
    callback = tensorboard.ExplainEveryEpochs(
        CLOUDS[:2], tmp_path, "vanilla_gradient", every=2, target=LABELS[:2], data_kind="points"
    )
    model = fit([callback], epochs=4)
    assert {path.name for path in tmp_path.iterdir()} == {"epoch-0002.npz", "epoch-0004.npz"}
    second, fourth = (Explanation.load(tmp_path / f"epoch-000{epoch}.npz") for epoch in (2, 4))
    expected = explain.VanillaGradient(model, data_kind="points")(CLOUDS[:2], LABELS[:2])
    assert_close(fourth.attributions, expected.attributions)
    assert np.abs(second.attributions - fourth.attributions).max() > 1e-3
    np.testing.assert_array_equal(fourth.target, LABELS[:2])


def test_the_training_is_left_as_it_is(tmp_path):
    plain = fit([], epochs=2)
    watched = fit(
        [tensorboard.ExplainEveryEpochs(CLOUDS[:1], tmp_path, "smooth_grad", samples=2, data_kind="points")],
        2,
    )
    for one, other in zip(plain.weights, watched.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def test_mistakes(tmp_path):
    with pytest.raises(UserError, match="every must be at least 1, it is 0"):
        tensorboard.ExplainEveryEpochs(CLOUDS, tmp_path, every=0)
    with pytest.raises(UserError, match="unknown method 'attention'"):
        tensorboard.ExplainEveryEpochs(CLOUDS, tmp_path, "attention")
    with pytest.raises(UserError, match="names no endpoint"):
        fit([tensorboard.ExplainEveryEpochs(CLOUDS, tmp_path, "grad_cam", data_kind="points")])
    assert not list(tmp_path.iterdir())


class TestTensorBoard:
    @pytest.fixture(autouse=True)
    def _installed(self):
        pytest.importorskip("tensorboard")

    def read(self, folder):
        """Returns the tensors of all meshes: by tag and step, `content type -> array`."""
        import tensorflow as tf
        from tensorboard.plugins.mesh import metadata

        found = {}
        for path in sorted(folder.glob("events.*")):
            for record in tf.data.TFRecordDataset(str(path)):
                event = tf.compat.v1.Event.FromString(record.numpy())
                for value in event.summary.value:
                    if value.metadata.plugin_data.plugin_name == metadata.PLUGIN_NAME:
                        content = metadata.parse_plugin_metadata(value.metadata.plugin_data.content)
                        array = tf.make_ndarray(value.tensor)
                        found.setdefault((content.name, event.step), {})[content.content_type] = array
        return found

    def test_clouds_of_a_training(self, tmp_path):
        from tensorboard.plugins.mesh.plugin_data_pb2 import MeshPluginData

        pytest.importorskip("matplotlib")
        callback = tensorboard.ExplainEveryEpochs(
            CLOUDS[:2],
            tmp_path / "npz",
            "vanilla_gradient",
            2,
            tensorboard=tmp_path / "tb",
            data_kind="points",
        )
        fit([callback], epochs=4)
        meshes = self.read(tmp_path / "tb")
        assert set(meshes) == {(f"vanilla_gradient/{i}", step) for i in (0, 1) for step in (2, 4)}
        for parts in meshes.values():
            vertices, colors = parts[MeshPluginData.VERTEX], parts[MeshPluginData.COLOR]
            assert vertices.shape == colors.shape == (1, 8, 3)
            assert (vertices.dtype, colors.dtype) == (np.float32, np.uint8)
            np.testing.assert_allclose(np.linalg.norm(vertices, axis=-1).max(), 1, rtol=1e-5)
        # The hottest point is the darkest.
        explained = Explanation.load(tmp_path / "npz" / "epoch-0004.npz")
        darkness = meshes["vanilla_gradient/1", 4][MeshPluginData.COLOR][0].astype(int).sum(axis=-1)
        assert darkness.argmin() == explained.importance[1].argmax()

    def test_grids_stand_upright(self, tmp_path):
        from tensorboard.plugins.mesh.plugin_data_pb2 import MeshPluginData

        grid = np.zeros((1, 4, 4, 4, 1), np.float32)
        grid[0, 1, 2, :, 0] = 1  # a pillar: z is up
        explanation = Explanation(
            inputs=grid,
            attributions=grid,
            importance=grid[..., 0],
            target=np.array([0]),
            scores=np.array([[1.0, 0.0]]),
            method="vanilla_gradient",
            options={},
            kind="voxels",
        )
        with tensorboard.MeshWriter(tmp_path, "green_red") as writer:
            writer.write(explanation, prefix="pillar/")
        (((tag, step), parts),) = self.read(tmp_path).items()
        assert (tag, step) == ("pillar/vanilla_gradient/0", 0)
        vertices = parts[MeshPluginData.VERTEX][0]
        assert vertices.shape == (4, 3)
        np.testing.assert_allclose(np.ptp(vertices, axis=0), [0, 2, 0], atol=1e-6)  # y is up there


def test_tensorboard_is_an_extra(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "tensorboard.plugins.mesh", None)
    with pytest.raises(UserError, match=r"this needs tensorboard: pip install 'tfxai3d\[tensorboard\]'"):
        tensorboard.MeshWriter(tmp_path)
