"""Models from wherever they are kept; tests/apps/test_export.py has the files that are refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfxai3d import explain, models
from tfxai3d.errors import UserError

CLOUDS = np.random.default_rng(0).uniform(-1, 1, (2, 20, 3)).astype("float32")


class Doubled(keras.layers.Layer):
    """A layer that nothing has registered."""

    def call(self, x):
        return 2 * x


def foreign(*extra):
    points = keras.Input((None, 3))
    x = keras.layers.Dense(4, "relu", name="rows")(points)
    for layer in extra:
        x = layer(x)
    return keras.Model(points, keras.layers.Dense(3, "softmax")(keras.layers.GlobalMaxPooling1D()(x)))


def test_a_network_of_the_package_from_all_kinds_of_files(tiny_model, tmp_path):
    tiny_model.save(tmp_path / "tiny.keras")
    models.save_preset(tiny_model, tmp_path / "run" / "preset", {})
    for source in (tmp_path / "tiny.keras", str(tmp_path / "run" / "preset"), tmp_path / "run"):
        loaded = models.load_classifier(source)
        assert loaded.class_names == tiny_model.class_names
        np.testing.assert_allclose(loaded(CLOUDS), tiny_model(CLOUDS), atol=0.05)  # presets are float16


def test_another_network_is_loaded_but_is_no_classifier(tmp_path):
    model = foreign()
    for name in ("mine.keras", "mine.h5"):
        model.save(tmp_path / name)
        np.testing.assert_allclose(models.load(tmp_path / name)(CLOUDS), model(CLOUDS), atol=1e-6)
    with pytest.raises(UserError, match=r"mine\.keras: a network of another kind; give a preset"):
        models.load_classifier(tmp_path / "mine.keras")


def test_a_saved_model_is_explained_as_the_model_is(tmp_path):
    model = foreign()
    model.export(str(tmp_path / "saved"), verbose=False)
    saved = models.load(tmp_path / "saved")
    with pytest.raises(
        UserError, match=r"data_kind must be .* SavedModel .*saved does not say what it takes"
    ):
        explain.network(saved)
    net = explain.network(saved, "points", class_names=("a", "b", "c"))
    with pytest.warns(UserWarning, match="what goes into its softmax cannot be seen"):
        explained = explain.VanillaGradient(net)(CLOUDS, 1)
    assert explained.options == {"head": "probabilities"}
    assert explained.class_names == ("a", "b", "c")
    x = tf.constant(CLOUDS)
    with tf.GradientTape() as tape:
        tape.watch(x)
        log = tf.math.log(model(x)[:, 1])
    np.testing.assert_allclose(explained.attributions, tape.gradient(log, x), atol=1e-6)


@pytest.mark.parametrize("name", ["mine.keras", "mine.h5"])
def test_a_layer_that_is_not_known_is_named_with_the_remedy(name, tmp_path):
    model = foreign(Doubled())
    model.save(tmp_path / name)
    with pytest.raises(UserError, match=r"needs 'Doubled', .*custom_objects=\{'Doubled': \.\.\.\}") as caught:
        models.load(tmp_path / name)
    assert "\n" not in str(caught.value)
    loaded = models.load(tmp_path / name, {"Doubled": Doubled})
    np.testing.assert_allclose(loaded(CLOUDS), model(CLOUDS), atol=1e-6)


def test_code_in_a_file_is_not_run(tmp_path):
    for name in ("mine.keras", "mine.h5"):
        foreign(keras.layers.Lambda(lambda x: 2 * x, output_shape=(None, 4))).save(tmp_path / name)
        with pytest.raises(UserError, match="holds the code of a Lambda layer, which is not run"):
            models.load(tmp_path / name)


def test_what_is_no_model_says_why(tmp_path):
    (tmp_path / "text.keras").write_text("no model")
    (tmp_path / "text.h5").write_text("no model")
    for name in ("text.keras", "text.h5"):
        with pytest.raises(
            UserError, match=rf"{name}: not a file that Keras can read safely \(.+\)"
        ) as caught:
            models.load(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="no such file"):
        models.load(tmp_path / "none.h5")
    with pytest.raises(UserError, match="no preset 'none'"):
        models.load("none")


def test_a_model_of_others_is_no_preset(tmp_path):
    known = ", ".join(models.architectures())
    with pytest.raises(UserError, match=rf"is none of {known}, .* save it by model\.save"):
        models.save_preset(foreign(), tmp_path / "preset", {})
    assert not list(tmp_path.iterdir())
